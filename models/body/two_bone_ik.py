"""Two-bone inverse kinematics that keeps a limb's own plane: only the hinge and the joint above it turn.

The hinge (knee about x, elbow about y) is bent until the limb is as long as asked, then the whole limb swings, without
twist, onto the target; the end is turned as asked. What a key pose says of where knee or elbow points is kept.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.types import SMPL_JOINTS, SMPL_PARENTS


@dataclass(frozen=True)
class Limb:
    """A leg or an arm by SMPL index."""

    upper: int
    middle: int
    end: int
    hinge: tuple[float, float, float]
    """Axis about which the middle joint bends when its angle is positive."""


LIMBS = {
    f"{side}_{end}": Limb(
        *(SMPL_JOINTS.index(f"{side}_{joint}") for joint in joints),
        hinge=(1.0, 0.0, 0.0) if end == "foot" else (0.0, -sign, 0.0),
    )
    for side, sign in (("left", 1.0), ("right", -1.0))
    for end, joints in (("foot", ("hip", "knee", "ankle")), ("hand", ("shoulder", "elbow", "wrist")))
}
"""By what they end in: left_foot, left_hand, right_foot, right_hand."""
LEAST_BEND = 0.03
"""Of knee and elbow, radians: limbs are never locked."""


def reach(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    rotations: Float[np.ndarray, "time 24 3 3"],
    positions: Float[np.ndarray, "time 24 3"],
    limb: Limb,
    target: Float[np.ndarray, "time 3"],
    turned: Float[np.ndarray, "time 3 3"],
) -> None:
    """Turn a limb of `local` in place so that its end (ankle, wrist) lies at `target`, world metres, as near as it is
    long enough, with the world rotation `turned`. `rotations` and `positions` are what `forward` says of the trunk."""
    upper_bone, lower_bone = rest[limb.middle] - rest[limb.upper], rest[limb.end] - rest[limb.middle]
    line = target - positions[:, limb.upper]
    length = np.linalg.norm(line, axis=-1)
    angle = _bend(upper_bone, lower_bone, np.array(limb.hinge), length)
    # The hinge keeps what twist it has: only its flexion changes.
    now = _flexion(local[:, limb.middle], np.array(limb.hinge))
    more = Rotation.from_rotvec((angle - now)[:, None] * np.array(limb.hinge)).as_matrix()
    local[:, limb.middle] = more @ local[:, limb.middle]
    ends = positions[:, limb.upper] + np.einsum(
        "tij,tj->ti", rotations[:, limb.upper], upper_bone + local[:, limb.middle] @ lower_bone
    )
    swung = _between(ends - positions[:, limb.upper], line) @ rotations[:, limb.upper]
    above = rotations[:, SMPL_PARENTS[limb.upper]]
    local[:, limb.upper] = np.swapaxes(above, -1, -2) @ swung
    local[:, limb.end] = np.swapaxes(swung @ local[:, limb.middle], -1, -2) @ turned


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
    return np.clip(angle, LEAST_BEND, 2.5)


def _flexion(rotations: Float[np.ndarray, "time 3 3"], hinge: Float[np.ndarray, "3"]) -> Float[np.ndarray, "time"]:
    """Angle about the hinge of each rotation, with the rest (its swing) taken off."""
    quaternions = Rotation.from_matrix(rotations).as_quat()
    return 2.0 * np.arctan2(quaternions[:, :3] @ hinge * np.sign(quaternions[:, 3]), np.abs(quaternions[:, 3]))


def _between(a: Float[np.ndarray, "time 3"], b: Float[np.ndarray, "time 3"]) -> Float[np.ndarray, "time 3 3"]:
    """Smallest rotations that turn each a onto the direction of b (never opposite ones here)."""
    a = a / np.linalg.norm(a, axis=-1, keepdims=True)
    b = b / np.linalg.norm(b, axis=-1, keepdims=True)
    axis = np.cross(a, b)
    size = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(size[:, 0], np.sum(a * b, axis=-1))
    return Rotation.from_rotvec(axis / np.maximum(size, 1e-12) * angle[:, None]).as_matrix()
