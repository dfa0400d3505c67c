"""Straight lines of a room: exact lines miss no axis, drawn ones are found, painted ones are left out."""

import cv2
import numpy as np

from models.calibration.room_lines import angles_to_axes, line_segments
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.transforms import yaw


def camera(pitch_deg=20.0, roll_deg=2.0, focal_px=600.0):
    up = normal_from_angles(np.radians(pitch_deg), np.radians(roll_deg))
    return Camera(intrinsics_from_focal(focal_px, 640, 480), 640, 480, pose_over_floor(up, 2.0))


def room_edges(seen: Camera, turned: float) -> np.ndarray:
    """Segments along the axes of a room turned by an angle about the vertical, in front of the camera."""
    rng = np.random.default_rng(0)
    start = np.column_stack([rng.uniform(2.5, 6.0, 30), rng.uniform(-1.5, 1.5, 30), rng.uniform(0.0, 2.0, 30)])
    axes = yaw(turned).T
    ends = start + 0.4 * axes[np.arange(30) % 3]
    return np.stack([seen.project(start), seen.project(ends)], axis=1)


def test_edges_along_the_axes_miss_them_by_nothing():
    seen = camera()
    edges = room_edges(seen, 0.0)
    up = seen.T_world_camera[2, :3]
    misses = [angles_to_axes(edges, seen.intrinsics, up, angle) for angle in np.radians(np.arange(0.0, 90.0, 1.0))]
    assert min(miss.max() for miss in misses) < 1e-6


def test_a_quarter_turn_of_the_room_changes_nothing():
    seen = camera()
    edges, up = room_edges(seen, 0.3), seen.T_world_camera[2, :3]
    np.testing.assert_allclose(
        angles_to_axes(edges, seen.intrinsics, up, 0.2),
        angles_to_axes(edges, seen.intrinsics, up, 0.2 + np.pi / 2),
        atol=1e-12,
    )


def test_a_wrong_tilt_or_focal_length_shows():
    seen = camera()
    edges = room_edges(seen, 0.0)

    def best(other: Camera) -> float:
        up = other.T_world_camera[2, :3]
        turns = np.radians(np.arange(0.0, 90.0, 1.0))
        return min(float(np.mean(angles_to_axes(edges, other.intrinsics, up, a) ** 2)) for a in turns)

    assert best(camera(pitch_deg=22.0)) > best(seen) + 1e-5
    assert best(camera(roll_deg=4.0)) > best(seen) + 1e-5
    assert best(camera(focal_px=660.0)) > best(seen) + 1e-6


def test_a_camera_that_looks_straight_down_has_axes_too():
    edges = room_edges(camera(), 0.0)
    assert np.isfinite(angles_to_axes(edges, camera().intrinsics, np.array([0.0, 0.0, -1.0]), 0.0)).all()


def test_drawn_lines_are_found_at_any_size_and_painted_ones_left_out():
    for scale in (1, 2):
        image = np.full((480 * scale, 640 * scale, 3), 90, dtype=np.uint8)
        cv2.rectangle(image, (100 * scale, 80 * scale), (300 * scale, 400 * scale), (220, 220, 220), -1)
        valid = np.ones(image.shape[:2], dtype=bool)
        found = line_segments(image, valid, 50, 0.05)
        for x in (100, 300):
            near = np.abs(found[..., 0] - x * scale).max(axis=1) < 2 * scale
            assert near.any(), f"the upright edge at {x} px was not found"
        valid[:, 250 * scale :] = False
        kept = line_segments(image, valid, 50, 0.05)
        assert not (np.abs(kept[..., 0] - 300 * scale).max(axis=1) < 2 * scale).any()
        assert (np.abs(kept[..., 0] - 100 * scale).max(axis=1) < 2 * scale).any()


def test_nothing_to_see_is_no_lines():
    assert line_segments(np.zeros((60, 80, 3), np.uint8), np.ones((60, 80), bool), 50, 0.05).shape == (0, 2, 2)
