import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor


def camera_at(pitch_deg=20.0, height_m=2.0, roll_deg=0.0, focal_px=600.0):
    pose = pose_over_floor(normal_from_angles(np.radians(pitch_deg), np.radians(roll_deg)), height_m)
    return Camera(intrinsics_from_focal(focal_px, 640, 480), 640, 480, pose)


@given(st.floats(0, 639), st.floats(0, 479), st.floats(0.3, 20), st.floats(-60, 85), st.floats(-20, 20))
@settings(max_examples=60, deadline=None)
def test_project_undoes_unproject(u, v, depth, pitch_deg, roll_deg):
    camera = camera_at(pitch_deg, roll_deg=roll_deg)
    pixel = np.array([u, v])
    np.testing.assert_allclose(camera.project(camera.unproject(pixel, np.array(depth))), pixel, atol=1e-6)


@pytest.mark.parametrize("pitch_deg", [0.0, 20.0, 60.0, 90.0])
def test_world_has_its_origin_below_the_camera_and_looks_along_x(pitch_deg):
    camera = camera_at(pitch_deg, height_m=2.3)
    np.testing.assert_allclose(camera.T_world_camera[:3, 3], [0, 0, 2.3], atol=1e-12)
    assert camera.pitch_deg == pytest.approx(pitch_deg, abs=1e-6)
    forward = camera.T_world_camera[:3, 2] if pitch_deg < 90 else -camera.T_world_camera[:3, 1]
    assert forward[0] > 0 and abs(forward[1]) < 1e-9
    right = camera.T_world_camera[:3, 0]
    assert right[1] < -0.99  # image-right is the world's -y: z up, x forward, y left


def test_known_floor_point():
    """45 degrees down from 2 m: the principal ray meets the floor 2 m ahead."""
    camera = camera_at(45.0, 2.0)
    centre = np.array([319.5, 239.5])
    np.testing.assert_allclose(camera.floor_points(centre), [2.0, 0.0, 0.0], atol=1e-9)
    assert np.isnan(camera_at(0.0).floor_points(np.array([319.5, 100.0]))).all()


def test_points_behind_the_camera_project_to_nan():
    assert np.isnan(camera_at(0.0).project(np.array([-1.0, 0.0, 2.0]))).all()


def test_resizing_keeps_rays():
    camera = camera_at()
    small = camera.resized(320, 240)
    point = np.array([3.0, 0.5, 1.0])
    full = camera.project(point)
    np.testing.assert_allclose(small.project(point), (full + 0.5) / 2 - 0.5, atol=1e-9)
