"""Who stands upright is a stick that calibrates; who sits or lies is not used."""

import numpy as np
import pytest
import torch

from models.body.model import BodyShape, load_body, relaxed_pose
from models.calibration.standing_people import CalibrateConfig
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import R_ZUP_YUP, yaw
from models.types import Person2D
from stages import calibrate

CONFIG = CalibrateConfig(bootstrap_replicates=20)


ADULT_NOSE_M = CalibrateConfig().nose_m


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def betas(body):
    """A body whose nose is exactly where the calibration assumes a standing adult's to be."""
    stature = 1.70
    for _ in range(5):
        found = body.betas_from_shape(BodyShape(age_years=40, stature_m=stature))
        pose = torch.as_tensor(relaxed_pose()[None], dtype=torch.float32)
        args = torch.as_tensor(found)[None], torch.zeros(1, 3), pose, torch.zeros(1, 3)
        nose = float(body.posed(*args).keypoints[0, 0, 1] - body.posed(*args).surface_points[0, :, 1].min())
        stature += ADULT_NOSE_M - nose
    return found


def camera_at(pitch_deg: float, height_m: float, focal_px: float = 640.0, roll_deg: float = 0.0) -> Camera:
    normal = normal_from_angles(np.radians(pitch_deg), np.radians(roll_deg))
    return Camera(intrinsics_from_focal(focal_px, 640, 480), 640, 480, pose_over_floor(normal, height_m))


def standing_people(body, betas, camera: Camera, places: np.ndarray, rng, name: str = "person_1") -> Person2D:
    """One person standing at a row of places, facing anywhere; feet and head in view or not visible."""
    count = len(places)
    shape = torch.as_tensor(betas).expand(count, 10)
    orient = torch.as_tensor(
        np.stack([yaw(a) @ R_ZUP_YUP for a in rng.uniform(0, 2 * np.pi, count)]), dtype=torch.float32
    )
    pose = torch.as_tensor(np.tile(relaxed_pose(), (count, 1)), dtype=torch.float32)
    from models.geometry.transforms import matrix_from_axis_angle

    rotations = torch.as_tensor(matrix_from_axis_angle(pose.numpy().reshape(count, 23, 3)), dtype=torch.float32)
    transl = torch.zeros(count, 3)
    low = body.posed(shape, orient, rotations, transl).surface_points[..., 2].amin(-1)
    transl[:, :2] = torch.as_tensor(places, dtype=torch.float32)
    transl[:, 2] = -low
    pixels = camera.project(body.posed(shape, orient, rotations, transl).keypoints.double().numpy())
    inside = ((pixels > 0) & (pixels < [camera.width_px, camera.height_px])).all(axis=(1, 2))
    boxes = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
    scores = np.where(inside[:, None], 0.9, 0.0) * np.ones((count, 17))
    return Person2D(name, "person", inside, boxes, pixels, scores)


def walked(camera: Camera, rng, count: int = 80) -> np.ndarray:
    return np.column_stack([rng.uniform(2.5, 7.0, count), rng.uniform(-2.0, 2.0, count)])


def test_sitting_and_lying_people_are_not_used(body, betas):
    rng = np.random.default_rng(4)
    camera = camera_at(10.0, 1.8)
    person = standing_people(body, betas, camera, walked(camera, rng, 20), rng)
    turned = person.keypoints_px[..., ::-1].copy()
    lying = Person2D("x", "person", person.visible, person.boxes_px, turned, person.scores)
    assert len(calibrate.find_upright_people(CONFIG, [[lying]], [np.arange(20.0)], 480).person) == 0
    assert len(calibrate.find_upright_people(CONFIG, [[person]], [np.arange(20.0)], 480).person) > 10
