"""A motion of ours as a BVH file of another program."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.body import BodyModel
from pipeline.bvh import Bvh
from pipeline.frames import R_ZUP_YUP, matrix_from_axis_angle
from pipeline.types import SMPL_JOINTS, SMPL_PARENTS, Motion

FOREIGN = {
    "pelvis": "Hips", "neck": "Neck", "head": "Head", "spine1": "LowerBack", "spine2": "Spine", "spine3": "Spine1",
} | {
    f"{ours}_{joint}": f"{theirs}{name}"
    for ours, theirs in (("left", "Left"), ("right", "Right"))
    for joint, name in {
        "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "collar": "Shoulder", "shoulder": "Arm",
        "elbow": "ForeArm", "wrist": "Hand", "hand": "HandIndex1",
    }.items()
}  # fmt: skip
SCALE = 17.0


def _as_bvh(body: BodyModel, motion: Motion, turn: np.ndarray | None = None, shift: float = 0.0) -> Bvh:
    """The motion as another program would export it: y up, other units, other names, anywhere on the floor."""
    track = motion.people[0]
    rest = body.rest_joints(torch.as_tensor(track.betas, dtype=torch.float32)).double().numpy()
    turn = np.eye(3) if turn is None else turn
    offsets = np.concatenate([rest[:1], rest[1:] - rest[list(SMPL_PARENTS[1:])]]) * SCALE
    time = len(track.transl)
    rotations = np.empty((time, 24, 3, 3))
    rotations[:, 0] = turn @ R_ZUP_YUP.T @ matrix_from_axis_angle(track.global_orient)
    rotations[:, 1:] = matrix_from_axis_angle(track.body_pose.reshape(time, 23, 3))
    translations = np.tile(offsets, (time, 1, 1))
    translations[:, 0] = ((track.transl + rest[0]) @ R_ZUP_YUP @ turn.T) * SCALE + shift
    names = tuple(FOREIGN[name] for name in SMPL_JOINTS)
    return Bvh(Path("walk.bvh"), names, SMPL_PARENTS, offsets, translations, rotations, motion.timestamps_s)


@pytest.fixture(scope="session")
def as_bvh() -> Callable[..., Bvh]:
    return _as_bvh
