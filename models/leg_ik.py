"""Legs that reach given ankles: two bones and a knee that stays on its hinge, for all frames at once.

The knee opens or closes until the ankle is as far from the hip as its goal, then the leg swings there by the shortest way.
So the knee points where it pointed, and the foot keeps its orientation in the world.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from pipeline.frames import rotation_between
from pipeline.types import SMPL_JOINTS

LEGS = tuple(
    tuple(SMPL_JOINTS.index(f"{side}_{name}") for name in ("hip", "knee", "ankle")) for side in ("left", "right")
)
"""Indices of hip, knee and ankle, left and right."""


def reach_ankles(
    rest: Float[np.ndarray, "24 3"],
    local: Float[np.ndarray, "time 24 3 3"],
    pelvis: Float[np.ndarray, "time 3"],
    goals: Sequence[Float[np.ndarray, "time 3"]],
) -> Float[np.ndarray, "time 24 3 3"]:
    """The rotations with hips, knees and ankles turned so that the left and the right ankle come to their goals.

    `rest` are the joints of the T-pose, `pelvis` and goals are places in the world, metres; `local` turns the root to the
    world and the others to their parents. A goal out of reach is approached by the leg as straight as in the T-pose.
    """
    reached = local.copy()
    for (hip, knee, ankle), goal in zip(LEGS, goals, strict=True):
        thigh, shank = rest[knee] - rest[hip], rest[ankle] - rest[knee]
        long, short = np.linalg.norm(thigh), np.linalg.norm(shank)
        at_hip = pelvis + local[:, 0] @ (rest[hip] - rest[0])
        upper = local[:, 0] @ local[:, hip]
        lower = upper @ local[:, knee]
        foot = lower @ local[:, ankle]
        away = goal - at_hip
        reach = np.clip(np.linalg.norm(away, axis=-1), 1.02 * abs(long - short), 0.999 * np.linalg.norm(thigh + shank))
        bone, next_bone = upper @ thigh, lower @ shank
        cosine = np.sum(bone * next_bone, axis=-1) / (long * short)
        wanted = (reach**2 - long**2 - short**2) / (2.0 * long * short)
        hinge = _unit(np.cross(bone, next_bone))
        opening = np.arccos(np.clip(wanted, -1.0, 1.0)) - np.arccos(np.clip(cosine, -1.0, 1.0))
        bent = Rotation.from_rotvec(hinge * opening[:, None]).as_matrix()
        line = bone + (bent @ next_bone[..., None])[..., 0]
        swing = rotation_between(_unit(line), _unit(away))
        reached[:, hip] = np.swapaxes(local[:, 0], -1, -2) @ swing @ upper
        reached[:, knee] = np.swapaxes(upper, -1, -2) @ bent @ lower
        reached[:, ankle] = np.swapaxes(swing @ bent @ lower, -1, -2) @ foot
    return reached


def _unit(vectors: Float[np.ndarray, "time 3"]) -> Float[np.ndarray, "time 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
