"""A body, a walk of known rotations on SMPL's own bones, and the limbs by which motions are compared."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.animation.gait_curves import procedural_walking
from models.body.model import BodyModel, BodyShape, load_body
from models.body.tracks import track_joints
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle
from models.mocap.skeleton_motion import SkeletonMotion
from models.mocap.smpl_skeleton import smpl_motion
from models.types import SMPL_JOINTS, Motion

LIMBS = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="session")
def betas(body: BodyModel) -> np.ndarray:
    shape = BodyShape(age_years=40.0, sex=0.5, stature_m=1.72, build=0.4)
    return np.asarray(body.betas_from_shape(shape), dtype=np.float64)


@pytest.fixture(scope="session")
def smpl_walk(body: BodyModel, betas: np.ndarray) -> Callable[[float, float], SkeletonMotion]:
    """Somebody walks on SMPL's bones, y up: at some frame rate, turned about the vertical by some radians."""

    def walk(hz: float, turned: float = 0.0) -> SkeletonMotion:
        track = procedural_walking(body, betas, 3.0, hz, np.random.default_rng(3)).people[0]
        vectors = np.concatenate([track.global_orient[:, None], track.body_pose.reshape(-1, 23, 3)], axis=1)
        # Hands turn with the wrist and toes with the foot: nobody's file says more.
        vectors[:, [10, 11, 22, 23]] = 0.0
        rotations, turn = matrix_from_axis_angle(vectors), matrix_from_axis_angle(np.array([0.0, turned, 0.0]))
        rotations[:, 0] = turn @ R_ZUP_YUP.T @ rotations[:, 0]
        return smpl_motion(Path("known"), rotations, track.transl @ R_ZUP_YUP @ turn.T, hz)

    return walk


def _limb_angles(source: SkeletonMotion, motion: Motion, body: BodyModel, person: int = 0) -> np.ndarray:
    """Degrees between the source's limbs and the motion's, [limb time], on the source's clock = the motion's."""
    theirs, ours = source.forward()[1] @ R_ZUP_YUP.T, track_joints(body, motion.people[person])
    count = min(len(theirs), len(ours))
    at = {name: index for index, name in enumerate(SMPL_JOINTS)}
    across = (theirs[0, 1] - theirs[0, 2], ours[0, 1] - ours[0, 2])
    angle = np.arctan2(across[1][1], across[1][0]) - np.arctan2(across[0][1], across[0][0])
    heading = matrix_from_axis_angle(np.array([0.0, 0.0, angle]))
    angles = []
    for a, b in LIMBS:
        one = (theirs[:count, at[b]] - theirs[:count, at[a]]) @ heading.T
        other = ours[:count, at[b]] - ours[:count, at[a]]
        cosine = np.sum(one * other, axis=-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
        angles.append(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    return np.array(angles)


@pytest.fixture(scope="session")
def limb_angles() -> Callable[..., np.ndarray]:
    return _limb_angles
