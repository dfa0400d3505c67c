"""Where a fit starts: front and back are distinguished, and who lies is laid down."""

import numpy as np
import pytest
import torch

from models.body.model import BodyShape, load_body, relaxed_pose
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle, yaw
from models.people3d.fitting.initialisation import initialise

CAMERA = Camera(
    intrinsics_from_focal(560.0, 640, 480), 640, 480, pose_over_floor(normal_from_angles(np.radians(20.0), 0.0), 2.3)
)


LEAN_BACK = matrix_from_axis_angle(np.array([-np.pi / 2.0, 0.0, 0.0]))


@pytest.fixture(scope="module")
def body():
    return load_body()


def posed(body, tilts, headings, poses, places, stature_m=1.72):
    """World keypoints and joints of a body resting on the floor."""
    count = len(headings)
    betas = torch.as_tensor(body.betas_from_shape(BodyShape(age_years=50, stature_m=stature_m))).expand(count, 10)
    turned = np.stack([yaw(h) @ R_ZUP_YUP @ t for h, t in zip(headings, tilts, strict=True)])
    orient = torch.as_tensor(turned, dtype=torch.float32)
    pose = torch.as_tensor(matrix_from_axis_angle(np.reshape(poses, (count, 23, 3))), dtype=torch.float32)
    transl = torch.zeros(count, 3)
    transl[:, 2] = -body.posed(betas, orient, pose, transl).surface_points[..., 2].amin(-1)
    transl[:, :2] = torch.as_tensor(np.asarray(places), dtype=torch.float32)
    keypoints = body.posed(betas, orient, pose, transl).keypoints.double().numpy()
    return keypoints, body.posed(betas, orient, pose, transl).joints.double().numpy()


@pytest.mark.parametrize("heading_deg", [0.0, 75.0, 180.0, 260.0])
def test_start_tells_front_from_back(body, heading_deg):
    heading = np.radians(heading_deg)
    keypoints, joints = posed(body, [np.eye(3)] * 3, [heading] * 3, [relaxed_pose()] * 3, [[4.0, 0.3]] * 3)
    betas = body.betas_from_shape(BodyShape(age_years=50, stature_m=1.7))
    start = initialise(body, betas, CAMERA, CAMERA.project(keypoints), np.ones((3, 17)), np.arange(3) / 10.0)
    forward = start.global_orient[1] @ [0.0, 0.0, 1.0]
    assert forward @ [np.cos(heading), np.sin(heading), 0.0] > 0.85
    assert np.linalg.norm(start.pelvis[1] - joints[1, 0]) < 0.25


@pytest.mark.parametrize(("roll_deg", "name"), [(0.0, "supine"), (180.0, "prone")])
def test_start_lays_the_lying_down(body, roll_deg, name):
    roll = matrix_from_axis_angle(np.array([0.0, np.radians(roll_deg), 0.0]))
    keypoints, joints = posed(body, [LEAN_BACK @ roll] * 3, [1.2] * 3, [relaxed_pose()] * 3, [[4.0, 0.0]] * 3)
    betas = body.betas_from_shape(BodyShape(age_years=50, stature_m=1.7))
    start = initialise(body, betas, CAMERA, CAMERA.project(keypoints), np.ones((3, 17)), np.arange(3) / 10.0)
    front, up = start.global_orient[1] @ [0.0, 0.0, 1.0], start.global_orient[1] @ [0.0, 1.0, 0.0]
    assert abs(up[2]) < 0.4
    assert (front[2] > 0.5) == (name == "supine")
    assert np.linalg.norm(start.pelvis[1] - joints[1, 0]) < 0.3
