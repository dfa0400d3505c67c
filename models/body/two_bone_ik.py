"""Two-bone inverse kinematics: legs and arms whose ends reach given places, for all frames at once.

The knee or elbow opens or closes until the limb is as long as asked, then the whole limb swings, on the shortest path,
onto the target. Either the middle joint turns about its own hinge (`reach`, for key poses: what they say of where knee
or elbow points is kept), or in the plane in which the limb is bent already (`reach_ankles`, `reach_wrists`, for
captured motion: knees and elbows point where they pointed, feet and hands keep their orientation in the world).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.body.kinematics import world_rotations
from models.geometry.transforms import rotation_between, unit
from models.types import SMPL_JOINTS, SMPL_PARENTS


@dataclass(frozen=True)
class Limb:
    """A leg or an arm by SMPL index."""

    upper: int
    middle: int
    end: int
    hinge: tuple[float, float, float]
    """Axis about which the middle joint bends when its angle is positive."""

    @property
    def joints(self) -> tuple[int, int, int]:
        """Its three, from the trunk outwards."""
        return self.upper, self.middle, self.end


LIMBS = {
    f"{side}_{end}": Limb(
        *(SMPL_JOINTS.index(f"{side}_{joint}") for joint in joints),
        hinge=(1.0, 0.0, 0.0) if end == "foot" else (0.0, -sign, 0.0),
    )
    for side, sign in (("left", 1.0), ("right", -1.0))
    for end, joints in (("foot", ("hip", "knee", "ankle")), ("hand", ("shoulder", "elbow", "wrist")))
}
"""By what they end in: left_foot, left_hand, right_foot, right_hand."""
LEGS, ARMS = ((LIMBS[f"left_{end}"], LIMBS[f"right_{end}"]) for end in ("foot", "hand"))
MIN_BEND = 0.03
"""Of knee and elbow, radians: limbs are never locked."""


def reach(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    world: tuple[Float[np.ndarray, "time 24 3 3"], Float[np.ndarray, "time 24 3"]],
    limb: Limb,
    target: Float[np.ndarray, "time 3"],
    end_rotation: Float[np.ndarray, "time 3 3"],
) -> None:
    """Turn a limb of `local` in place so that its end (ankle, wrist) lies at `target`, world metres, as near as it is
    long enough, with the world rotation `end_rotation`.

    `world`: rotations and positions of the joints, by `forward_kinematics_numpy`; only the trunk's are used.
    """
    rotations, positions = world
    upper_bone, lower_bone = rest[limb.middle] - rest[limb.upper], rest[limb.end] - rest[limb.middle]
    offset = target - positions[:, limb.upper]
    hinge = np.array(limb.hinge)
    angle = _bend(upper_bone, lower_bone, hinge, np.linalg.norm(offset, axis=-1))
    # The hinge keeps what twist it has: only its flexion changes.
    added = Rotation.from_rotvec((angle - _flexion(local[:, limb.middle], hinge))[:, None] * hinge).as_matrix()
    upper = rotations[:, limb.upper]
    lower = upper @ added @ local[:, limb.middle]
    line = upper @ upper_bone + lower @ lower_bone
    _swing(local, limb, (rotations[:, SMPL_PARENTS[limb.upper]], upper, lower), line, offset, end_rotation)


def reach_ankles(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    goals: Sequence[Float[np.ndarray, "time 3"]],
) -> Float[np.ndarray, "time 24 3 3"]:
    """Return the rotations with hips, knees and ankles turned so that the left and the right ankle come to their goals.

    `rest` are the joints of the T-pose, `pelvis` and goals are places in the world, metres; `local` turns the root to
    the world and the others to their parents. A goal out of reach is approached by the leg as straight as in the
    T-pose.
    """
    reached = local.copy()
    for leg, goal in zip(LEGS, goals, strict=True):
        hip = pelvis + local[:, 0] @ (rest[leg.upper] - rest[0])
        _reach_in_plane(rest, reached, local[:, 0], leg, goal - hip)
    return reached


def reach_wrists(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    offsets: Sequence[Float[np.ndarray, "time 3"]],
    leeway_m: float = 0.0,
) -> Float[np.ndarray, "time 24 3 3"]:
    """Return the rotations with arms turned, as legs by `reach_ankles`, so that the left and the right wrist lie at
    `offsets` from their shoulders, world axes.

    Wrists within `leeway_m` of there stay where they are, the others come just as near.
    """
    reached, world = local.copy(), world_rotations(local)
    for arm, offset in zip(ARMS, offsets, strict=True):
        upper, lower = world[:, arm.upper], world[:, arm.middle]
        now = upper @ (rest[arm.middle] - rest[arm.upper]) + lower @ (rest[arm.end] - rest[arm.middle])
        miss = offset - now
        share = 1.0 - leeway_m / np.maximum(np.linalg.norm(miss, axis=-1, keepdims=True), max(leeway_m, 1e-9))
        _reach_in_plane(rest, reached, world[:, SMPL_PARENTS[arm.upper]], arm, now + share * miss)
    return reached


def _reach_in_plane(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    above: Float[np.ndarray, "time 3 3"],
    limb: Limb,
    offset: Float[np.ndarray, "time 3"],
) -> None:
    """Turn a limb of `local` in place, bent as it is, so that its end is `offset` from its beginning, world axes;
    `above` turns its parent to the world."""
    upper_bone, lower_bone = rest[limb.middle] - rest[limb.upper], rest[limb.end] - rest[limb.middle]
    a, b = np.linalg.norm(upper_bone), np.linalg.norm(lower_bone)
    upper = above @ local[:, limb.upper]
    lower = upper @ local[:, limb.middle]
    straight = 0.999 * np.linalg.norm(upper_bone + lower_bone)
    length = np.clip(np.linalg.norm(offset, axis=-1), 1.02 * abs(a - b), straight)
    first, second = upper @ upper_bone, lower @ lower_bone
    cosine = np.sum(first * second, axis=-1) / (a * b)
    wanted = (length**2 - a**2 - b**2) / (2.0 * a * b)
    opening = np.arccos(np.clip(wanted, -1.0, 1.0)) - np.arccos(np.clip(cosine, -1.0, 1.0))
    turn = Rotation.from_rotvec(unit(np.cross(first, second)) * opening[:, None]).as_matrix()
    line = first + (turn @ second[..., None])[..., 0]
    _swing(local, limb, (above, upper, turn @ lower), line, offset, lower @ local[:, limb.end])


def _swing(
    local: Float[np.ndarray, "time 24 3 3"],
    limb: Limb,
    world: tuple[Float[np.ndarray, "time 3 3"], ...],
    line: Float[np.ndarray, "time 3"],
    offset: Float[np.ndarray, "time 3"],
    end_rotation: Float[np.ndarray, "time 3 3"],
) -> None:
    """Set a limb of `local`, in place: swung on the shortest path so that the line between its ends points along
    `offset`, its end with a world rotation. `world`: rotations of what is above it, of its upper and its lower bone."""
    above, upper, lower = world
    swing = rotation_between(unit(line), unit(offset))
    local[:, limb.upper] = np.swapaxes(above, -1, -2) @ swing @ upper
    local[:, limb.middle] = np.swapaxes(upper, -1, -2) @ lower
    local[:, limb.end] = np.swapaxes(swing @ lower, -1, -2) @ end_rotation


def _bend(
    upper: Float[np.ndarray, "3"],
    lower: Float[np.ndarray, "3"],
    hinge: Float[np.ndarray, "3"],
    length: Float[np.ndarray, "time"],
) -> Float[np.ndarray, "time"]:
    """Angle about the hinge at which the limb's ends are so far apart: |u + R(a) l|^2 = u^2 + l^2 + 2 u . R(a) l."""
    along = hinge * (hinge @ lower)
    cosine, sine = upper @ (lower - along), upper @ np.cross(hinge, lower)
    wanted = (length**2 - upper @ upper - lower @ lower) / 2.0 - upper @ along
    size = np.hypot(cosine, sine)
    angle = np.arctan2(sine, cosine) + np.arccos(np.clip(wanted / size, -1.0, 1.0))
    return np.clip(angle, MIN_BEND, 2.5)


def _flexion(rotations: Float[np.ndarray, "time 3 3"], hinge: Float[np.ndarray, "3"]) -> Float[np.ndarray, "time"]:
    """Angle about the hinge of each rotation, with the rest (its swing) taken off."""
    quaternions = Rotation.from_matrix(rotations).as_quat()
    return 2.0 * np.arctan2(quaternions[:, :3] @ hinge * np.sign(quaternions[:, 3]), np.abs(quaternions[:, 3]))
