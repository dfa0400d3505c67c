"""An arm brought to where its palm lies on a surface, by inverse kinematics; hand and forearm turn as wrists can."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.body.kinematics import forward_kinematics_numpy
from models.body.two_bone_ik import LIMBS, Limb, reach
from models.geometry.transforms import matrix_from_axis_angle
from models.physics.joint_specs import joint_spec
from models.types import SMPL_JOINTS, SMPL_PARENTS

Side = Literal["left", "right"]
OUTSIDE_M = 0.15
"""How far off the skin a hand comes from."""
SWIVELS = tuple(np.radians(np.arange(-90.0, 91.0, 15.0)))
"""Tried for the elbow, about the line from shoulder to wrist."""
STRAIGHT = (0.0, 0.5, 0.9)
"""Tried for the fingers: how far they lie as the line from shoulder to skin does, and not as the forearm. Near its own
shoulder a hand that follows the forearm, which follows the hand, comes to no rest."""
MISSED_M, WORTH = 0.015, 60.0
"""What it costs that a palm stays further than this from its place, a metre."""
PRESSED_M = 0.006
"""How deep a palm presses into clothes and skin."""


def reach_palm(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    side: Side,
    palm: Float[np.ndarray, "3"],
    points: Float[np.ndarray, "time 3"],
    normals: Float[np.ndarray, "time 3"],
    share: Float[np.ndarray, "time"],
) -> None:
    """Bring one palm onto the points, as far as `share` says, in place; the elbow is where shoulder and wrist like
    it."""
    limb = LIMBS[f"{side}_hand"]
    held = np.flatnonzero(share > 0.5)
    some = held[np.linspace(0, len(held) - 1, 9).astype(int)]
    costs = []
    manners = [(swivel, straight) for straight in STRAIGHT for swivel in SWIVELS]
    for manner in manners:
        tried = local[some].copy()
        rotated, wanted = _on_skin(rest, tried, pelvis[some], side, palm, points[some], normals[some], manner)
        wrists = forward_kinematics_numpy(rest, tried, pelvis[some])[1][:, limb.end]
        off = np.linalg.norm(points[some] - PRESSED_M * normals[some] - wrists - rotated @ palm, axis=-1).max()
        missed = WORTH * max(0.0, float(off) - MISSED_M)
        costs.append(_strain(tried, limb, rotated, wanted, manner[0]) + missed + 0.2 * manner[1])
    reached = local.copy()
    outside = points + OUTSIDE_M * (1.0 - share[:, None]) * normals
    _on_skin(rest, reached, pelvis, side, palm, outside, normals, manners[int(np.argmin(costs))])
    for joint in limb.joints:
        local[:, joint] = between(local[:, joint], reached[:, joint], share)


def _on_skin(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    side: Side,
    palm: Float[np.ndarray, "3"],
    points: Float[np.ndarray, "time 3"],
    normals: Float[np.ndarray, "time 3"],
    manner: tuple[float, float],
) -> tuple[Float[np.ndarray, "time 3 3"], Float[np.ndarray, "time 3 3"]]:
    """Turn an arm, in place, so that its palm lies on the points; the hand's rotation in the world, and the one that it
    would have if its wrist let it.

    The manner is the elbow's swivel, radians, and how far the fingers lie as the line from the shoulder does.
    """
    swivel, straight = manner
    limb, sign = LIMBS[f"{side}_hand"], 1.0 if side == "left" else -1.0
    world = forward_kinematics_numpy(rest, local, pelvis)
    free = local.copy()
    rotated = wanted = world[0][:, limb.end].copy()
    target = points + 0.1 * normals
    line = points - world[1][:, limb.upper]
    line /= np.linalg.norm(line, axis=-1, keepdims=True)
    # Palms face -y in the rest pose, fingers along x.
    hand = np.stack([[sign, 0.0, 0.0], [0.0, -1.0, 0.0], np.cross([sign, 0.0, 0.0], [0.0, -1.0, 0.0])], axis=1)
    for _ in range(6):
        local[:] = free
        reach(rest, local, world, limb, target, rotated)
        _swivel(rest, local, pelvis, limb, swivel)
        now, places = forward_kinematics_numpy(rest, local, pelvis)
        # Fingers go on as the forearm does, and up where it points straight at the skin.
        fore = places[:, limb.end] - places[:, limb.middle]
        fore = (1.0 - straight) * fore / np.linalg.norm(fore, axis=-1, keepdims=True) + straight * line
        fore = fore + np.array([0.0, 0.0, 0.25])
        fingers = fore - np.sum(fore * normals, axis=-1, keepdims=True) * normals
        fingers /= np.maximum(np.linalg.norm(fingers, axis=-1, keepdims=True), 1e-6)
        wanted = np.stack([fingers, -normals, np.cross(fingers, -normals)], axis=-1) @ hand.T
        _turn_hand(local, now, limb.middle, limb.end, wanted)
        rotated = forward_kinematics_numpy(rest, local, pelvis)[0][:, limb.end]
        target = points - PRESSED_M * normals - rotated @ palm
    return rotated, wanted


def _strain(
    local: Float[np.ndarray, "time 24 3 3"],
    limb: Limb,
    rotated: Float[np.ndarray, "time 3 3"],
    wanted: Float[np.ndarray, "time 3 3"],
    swivel: float,
) -> float:
    """How much an arm is against its joints: shoulder near its limit, hand not as it should lie, elbow lifted."""
    shoulder = Rotation.from_matrix(local[:, limb.upper]).magnitude()
    limit = np.radians(joint_spec(SMPL_JOINTS[limb.upper]).ranges_deg[0][1] - 12.0)
    off = Rotation.from_matrix(np.swapaxes(rotated, -1, -2) @ wanted).magnitude()
    return float(20.0 * np.square(np.maximum(0.0, shoulder - limit)).mean() + np.square(off).mean() + 0.3 * swivel**2)


def _swivel(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    limb: Limb,
    angle: float,
) -> None:
    """Turn a whole limb about the line between its ends, in place."""
    rotations, positions = forward_kinematics_numpy(rest, local, pelvis)
    line = positions[:, limb.end] - positions[:, limb.upper]
    line /= np.linalg.norm(line, axis=-1, keepdims=True)
    above = rotations[:, SMPL_PARENTS[limb.upper]]
    swung = matrix_from_axis_angle(angle * line) @ rotations[:, limb.upper]
    local[:, limb.upper] = np.swapaxes(above, -1, -2) @ swung


def _turn_hand(
    local: Float[np.ndarray, "time 24 3 3"],
    rotations: Float[np.ndarray, "time 24 3 3"],
    elbow: int,
    wrist: int,
    wanted: Float[np.ndarray, "time 3 3"],
) -> None:
    """Turn a hand as wanted in the world as far as forearm (about its length) and wrist can, in place."""
    asked = Rotation.from_matrix(np.swapaxes(rotations[:, elbow], -1, -2) @ wanted)
    spec = joint_spec(SMPL_JOINTS[elbow])
    now = Rotation.from_matrix(local[:, elbow]).as_euler(spec.axes.upper())
    quaternion = asked.as_quat()
    twist = 2.0 * np.arctan2(quaternion[:, 0], quaternion[:, 3])
    twist = (twist + np.pi) % (2.0 * np.pi) - np.pi
    low, high = np.radians(spec.ranges_deg[2])
    rotated = np.clip(now[:, 2] + twist, low, high) - now[:, 2]
    about = Rotation.from_rotvec(rotated[:, None] * np.array([1.0, 0.0, 0.0]))
    local[:, elbow] = local[:, elbow] @ about.as_matrix()
    spec = joint_spec(SMPL_JOINTS[wrist])
    angles = (about.inv() * asked).as_euler(spec.axes.upper())
    limits = np.radians(np.array(spec.ranges_deg))
    local[:, wrist] = Rotation.from_euler(spec.axes.upper(), np.clip(angles, limits[:, 0], limits[:, 1])).as_matrix()


def between(
    a: Float[np.ndarray, "time 3 3"], b: Float[np.ndarray, "time 3 3"], share: Float[np.ndarray, "time"]
) -> Float[np.ndarray, "time 3 3"]:
    """Return rotations on the shortest path from each a to its b."""
    turn = Rotation.from_matrix(np.swapaxes(a, -1, -2) @ b).as_rotvec()
    return a @ matrix_from_axis_angle(share[:, None] * turn)
