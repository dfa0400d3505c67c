"""Captured legs and arms that reach given ends: two bones and a hinge that stays where it is, for all frames at once.

The knee or elbow opens or closes until the limb's end is as far from its beginning as the goal, then the limb swings
there by the shortest way. So knees and elbows point where they pointed, and feet and hands keep their orientation in
the world.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.geometry.transforms import rotation_between
from models.types import SMPL_JOINTS, SMPL_PARENTS

LEGS, ARMS = (
    tuple(tuple(SMPL_JOINTS.index(f"{side}_{name}") for name in names) for side in ("left", "right"))
    for names in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
)
"""Indices of hip, knee and ankle, of shoulder, elbow and wrist; left and right."""


def reach_ankles(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    goals: Sequence[Float[np.ndarray, "time 3"]],
) -> Float[np.ndarray, "time 24 3 3"]:
    """The rotations with hips, knees and ankles turned so that the left and the right ankle come to their goals.

    `rest` are the joints of the T-pose, `pelvis` and goals are places in the world, metres; `local` turns the root to
    the world and the others to their parents. A goal out of reach is approached by the leg as straight as in the
    T-pose.
    """
    reached = local.copy()
    for leg, goal in zip(LEGS, goals, strict=True):
        at_hip = pelvis + local[:, 0] @ (rest[leg[0]] - rest[0])
        _reach(rest, reached, local[:, 0], leg, goal - at_hip)
    return reached


def reach_wrists(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    ways: Sequence[Float[np.ndarray, "time 3"]],
    leeway_m: float = 0.0,
) -> Float[np.ndarray, "time 24 3 3"]:
    """As `reach_ankles` for arms; `ways` lead from the left and the right shoulder to where its wrist shall be, world
    axes.

    Wrists within `leeway_m` of there stay where they are, the others come just as near.
    """
    reached = local.copy()
    for arm, way in zip(ARMS, ways, strict=True):
        chain = [SMPL_PARENTS[arm[0]]]
        while chain[-1] > 0:
            chain.append(SMPL_PARENTS[chain[-1]])
        above = local[:, 0]
        for joint in chain[-2::-1]:
            above = above @ local[:, joint]
        upper = above @ local[:, arm[0]]
        now = upper @ (rest[arm[1]] - rest[arm[0]]) + upper @ local[:, arm[1]] @ (rest[arm[2]] - rest[arm[1]])
        miss = way - now
        share = 1.0 - leeway_m / np.maximum(np.linalg.norm(miss, axis=-1, keepdims=True), max(leeway_m, 1e-9))
        _reach(rest, reached, above, arm, now + share * miss)
    return reached


def _reach(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    above: Float[np.ndarray, "time 3 3"],
    limb: tuple[int, ...],
    way: Float[np.ndarray, "time 3"],
) -> None:
    """Turn a limb of `local` in place so that its end is `way` from its beginning; `above` turns its parent to the
    world."""
    first, hinge, end = limb
    long_bone, short_bone = rest[hinge] - rest[first], rest[end] - rest[hinge]
    long, short = np.linalg.norm(long_bone), np.linalg.norm(short_bone)
    upper = above @ local[:, first]
    lower = upper @ local[:, hinge]
    extremity = lower @ local[:, end]
    straight = 0.999 * np.linalg.norm(long_bone + short_bone)
    reach = np.clip(np.linalg.norm(way, axis=-1), 1.02 * abs(long - short), straight)
    bone, next_bone = upper @ long_bone, lower @ short_bone
    cosine = np.sum(bone * next_bone, axis=-1) / (long * short)
    wanted = (reach**2 - long**2 - short**2) / (2.0 * long * short)
    axis = _unit(np.cross(bone, next_bone))
    opening = np.arccos(np.clip(wanted, -1.0, 1.0)) - np.arccos(np.clip(cosine, -1.0, 1.0))
    bent = Rotation.from_rotvec(axis * opening[:, None]).as_matrix()
    line = bone + (bent @ next_bone[..., None])[..., 0]
    swing = rotation_between(_unit(line), _unit(way))
    local[:, first] = np.swapaxes(above, -1, -2) @ swing @ upper
    local[:, hinge] = np.swapaxes(upper, -1, -2) @ bent @ lower
    local[:, end] = np.swapaxes(swing @ bent @ lower, -1, -2) @ extremity


def _unit(vectors: Float[np.ndarray, "time 3"]) -> Float[np.ndarray, "time 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
