"""Wrong orders of keypoints are caught, over all clips together; right ones pass, of those who lie and sit, too."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.body.model import load_body, relaxed_pose
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle, yaw
from models.people2d.keypoint_order import KeypointOrderConfig, complaint, keypoint_order
from models.types import COCO_KEYPOINTS, Person2D

CAMERA = Camera(
    intrinsics_from_focal(560.0, 640, 480), 640, 480, pose_over_floor(normal_from_angles(np.radians(20.0), 0.0), 2.3)
)
CONFIG = KeypointOrderConfig()
OPENPOSE = (
    "nose", "right_shoulder", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye",
    "left_eye", "right_ear",
)  # fmt: skip
SIDES = [
    COCO_KEYPOINTS.index({"l": "right", "r": "left"}[name[0]] + name[name.index("_") :]) if "_" in name else 0
    for name in COCO_KEYPOINTS
]


def seen(points: np.ndarray) -> Person2D:
    count = len(points)
    boxes = np.concatenate([points.min(1), points.max(1)], axis=-1)
    return Person2D("p", "person", np.ones(count, bool), boxes, points, np.full((count, 17), 0.9))


@pytest.fixture(scope="module")
def walker():
    """Twelve seconds to the camera and away from it, ten frames a second."""
    body = load_body()
    x = np.concatenate([np.linspace(6.0, 2.5, 60), np.linspace(2.5, 6.0, 60)])
    heading = np.repeat([np.pi, 0.0], 60)
    orient = torch.as_tensor(np.stack([yaw(h) @ R_ZUP_YUP for h in heading]), dtype=torch.float32)
    pose = torch.as_tensor(matrix_from_axis_angle(relaxed_pose().reshape(23, 3)), dtype=torch.float32)
    transl = torch.as_tensor(np.stack([x, 0.0 * x, 0.95 + 0.0 * x], -1), dtype=torch.float32)
    points = body.posed(torch.zeros(120, 10), orient, pose.expand(120, 23, 3, 3), transl).keypoints
    return seen(CAMERA.project(points.double().numpy()))


def told(*people: Person2D) -> str | None:
    clips = [keypoint_order(CONFIG, [person], np.arange(len(person.visible)) / 10.0) for person in people]
    return complaint(clips, CONFIG)


def test_the_right_order_passes(walker):
    order = keypoint_order(CONFIG, [walker], np.arange(120) / 10.0)
    assert order.upright_frames == order.tall_frames == order.frames == 120
    assert order.forwards_s == order.walking_s > 8.0
    assert complaint([order], CONFIG) is None


def test_another_order_is_caught(walker):
    moved = [COCO_KEYPOINTS.index(name) for name in OPENPOSE]
    assert "not in COCO's order" in str(told(replace(walker, keypoints_px=walker.keypoints_px[:, moved])))
    assert "not in COCO's order" in str(told(replace(walker, keypoints_px=np.roll(walker.keypoints_px, 1, axis=1))))


def test_upside_down_is_caught(walker):
    flipped = walker.keypoints_px * [1.0, -1.0] + [0.0, 480.0]
    assert "upside down" in str(told(replace(walker, keypoints_px=flipped)))


def test_exchanged_sides_are_caught(walker):
    exchanged = replace(walker, keypoints_px=walker.keypoints_px[:, SIDES])
    assert "left and right exchanged" in str(told(exchanged))
    # Seen in a mirror, not: a mirror image of a person walks forwards as well, but its left is where it should not be.
    assert "left and right exchanged" in str(
        told(replace(walker, keypoints_px=[640.0, 0.0] - walker.keypoints_px * [1, -1]))
    )


def test_one_odd_clip_among_right_ones_is_no_wrong_order(walker):
    odd = replace(walker, keypoints_px=np.roll(walker.keypoints_px, 1, axis=1))
    assert told(walker, walker, odd) is None


def test_who_lies_or_is_hardly_seen_says_nothing(walker):
    lying = walker.keypoints_px[:, :, ::-1].copy()
    assert told(replace(walker, keypoints_px=lying)) is None
    few = replace(walker, visible=np.arange(120) < 5, keypoints_px=np.roll(walker.keypoints_px, 1, axis=1))
    assert told(few) is None
