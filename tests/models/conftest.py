"""A motion of ours as a BVH file of another program; views of people drawn as dots; two who move in no symmetry."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.body.model import BodyModel, relaxed_pose
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, matrix_from_axis_angle
from models.mocap.skeleton_motion import SkeletonMotion
from models.training.hmr.dataset import Views
from models.types import SMPL_JOINTS, SMPL_PARENTS, Motion, PersonTrack

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


def _as_bvh(body: BodyModel, motion: Motion, turn: np.ndarray | None = None, shift: float = 0.0) -> SkeletonMotion:
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
    return SkeletonMotion(Path("walk.bvh"), names, SMPL_PARENTS, offsets, translations, rotations, motion.timestamps_s)


@pytest.fixture(scope="session")
def as_bvh() -> Callable[..., SkeletonMotion]:
    return _as_bvh


def _dot_people(body: BodyModel, count: int = 40, rows: int = 32, seed: int = 0, sides: bool = False) -> Views:
    """People facing the camera, with a green head, or away, drawn as dots; `sides`: red on their left, blue on their
    right."""
    rng = np.random.default_rng(seed)
    pose = np.zeros((count, 72))
    pose[:, 3:] = relaxed_pose() + rng.normal(0.0, 0.15, (count, 69))
    facing = matrix_from_axis_angle(np.array([np.pi, 0.0, 0.0]))
    turned = facing @ matrix_from_axis_angle(
        np.stack([np.zeros(count), rng.choice([0.0, np.pi], count), np.zeros(count)], 1)
    )
    pose[:, :3] = axis_angle_from_matrix(turned)
    betas, transl = np.zeros((count, 10)), np.tile([0.0, -0.1, 4.0], (count, 1)) + rng.normal(0.0, 0.05, (count, 3))
    focal = np.full(count, rows * 2.0)
    values = [torch.as_tensor(value).float() for value in (betas, pose[:, :3], pose[:, 3:], transl)]
    joints = body.posed(*values).joints.double().numpy()
    pixels = joints[..., :2] / joints[..., 2:] * focal[:, None, None] + [rows * 0.375 - 0.5, rows / 2 - 0.5]
    files = []
    for places, away in zip(pixels, turned[:, 2, 2] > 0, strict=True):
        crop = np.full((rows, rows * 3 // 4, 3), 60, dtype=np.uint8)
        for joint, place in enumerate(places):
            colour = (255, 255, 255) if away or SMPL_JOINTS[joint] != "head" else (0, 255, 0)
            if sides:
                colour = {"left": (0, 0, 255), "right": (255, 0, 0)}.get(SMPL_JOINTS[joint].split("_")[0], colour)
            radius = rows // (9 if SMPL_JOINTS[joint] == "head" else 32)
            cv2.circle(crop, np.round(place).astype(int).tolist(), radius, colour, -1)
        files.append(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].ravel())
    return Views(
        np.concatenate(files),
        np.cumsum([len(file) for file in files]),
        pose,
        betas,
        transl,
        focal,
        np.where(np.arange(count) % 2, 0.97, 0.1),
        np.ones(count),
        np.arange(count) % 5 == 4,
    )


@pytest.fixture(scope="session")
def dot_people() -> Callable[..., Views]:
    return _dot_people


@pytest.fixture
def two_movers() -> Motion:
    """Two people who turn, bend and go about, in poses of no symmetry."""
    rng = np.random.default_rng(2)

    def track(name: str, at: float) -> PersonTrack:
        pose = relaxed_pose() + rng.normal(0.0, 0.3, (12, 69))
        return PersonTrack(
            name,
            "resident",
            rng.normal(0.0, 0.5, 10),
            rng.normal(0.0, 1.5, (12, 3)),
            pose,
            rng.normal(0.0, 1.0, (12, 3)) + [0.0, at, 0.9],
            np.ones(12, dtype=bool),
            np.ones(12),
        )

    details = {
        "direction": "left",
        "impact_s": 1.5,
        "notes": ["trips on the Right foot"],
        "caption": "upright, then left_foot",
    }
    people = (track("person_0", 0.0), track("person_1", 2.0))
    return Motion(np.arange(12) / 20.0, people, np.arange(24).reshape(2, 12) % 16, "made", details)
