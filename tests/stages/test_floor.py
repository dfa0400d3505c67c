"""The floor of rooms whose geometry is known exactly: a box of walls, a bed, a camera of any tilt."""

from dataclasses import replace

import numpy as np
import pytest

from models.errors import Rejected
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.plane_fit import FloorConfig, floor_depth, points_camera
from models.types import Calibration
from stages.floor import corrected, fit_to_floor, run

WIDTH, HEIGHT = 160, 120


def camera_at(pitch_deg: float, roll_deg: float = 0.0, height_m: float = 2.1, focal_px: float = 130.0) -> Camera:
    normal = normal_from_angles(np.radians(pitch_deg), np.radians(roll_deg))
    return Camera(intrinsics_from_focal(focal_px, WIDTH, HEIGHT), WIDTH, HEIGHT, pose_over_floor(normal, height_m))


def box_room(camera: Camera, boxes=()) -> np.ndarray:
    """Depth along the optical axis of a room 5 m deep, 4 m wide and 2.6 m high, with solid boxes in it."""
    rays = camera.rays_camera(camera.pixel_grid()) @ camera.T_world_camera[:3, :3].T
    start = camera.T_world_camera[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        walls = [(2, 0.0), (2, 2.6), (0, 5.0), (1, -2.0), (1, 2.0), (0, -0.5)]
        to_walls = np.stack([(at - start[axis]) / rays[..., axis] for axis, at in walls])
        depth = np.min(np.where(to_walls > 1e-9, to_walls, np.inf), axis=0)
        for low, high in boxes:
            enter = (np.asarray(low) - start) / rays
            leave = (np.asarray(high) - start) / rays
            near, far = np.minimum(enter, leave).max(axis=-1), np.maximum(enter, leave).min(axis=-1)
            depth = np.where((near < far) & (near > 0), np.minimum(depth, near), depth)
    return depth


def floor_of(camera: Camera, depth: np.ndarray) -> np.ndarray:
    return np.abs(camera.unproject(camera.pixel_grid(), depth)[..., 2]) < 1e-6


def known(camera: Camera, method="people") -> Calibration:
    height = camera.height_m
    return Calibration(camera, method, (0.95 * height, 1.05 * height), 2.0, 50, 10.0)


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


@pytest.mark.parametrize(("pitch", "roll"), [(25.0, 0.0), (0.0, 3.0), (40.0, -8.0), (12.0, 5.0)])
def test_exact_depth_gives_exact_floor(pitch, roll):
    camera = camera_at(pitch, roll)
    depth = box_room(camera)
    fit = run(FloorConfig(), depth, camera.intrinsics, floor_of(camera, depth), None, np.random.default_rng(0))
    assert angle_deg(fit.normal_camera, camera.T_world_camera[2, :3]) < 0.1
    assert abs(fit.height_m - 2.1) < 1e-3
    np.testing.assert_allclose(fit.T_world_camera, camera.T_world_camera, atol=2e-3)
    assert fit.inlier_ratio > 0.999 and fit.pose_from == "depth" and fit.scale == 1.0


def test_a_wall_larger_than_the_floor_wins_only_without_the_tilt_prior():
    # Looking almost level across the room, most of the picture is the opposite wall.
    camera = camera_at(2.0, height_m=1.2)
    depth = box_room(camera)
    points = points_camera(depth, camera.intrinsics).reshape(-1, 3)
    opposite = np.abs(camera.unproject(camera.pixel_grid(), depth)[..., 0] - 5.0) < 1e-6
    floor = floor_of(camera, depth)
    assert opposite.sum() > 1.2 * floor.sum()
    anything = FloorConfig(pitch_prior_deg=(-90.0, 90.0), roll_prior_deg=89.9, min_floor_share=0.0)
    fooled = run(anything, depth, camera.intrinsics, opposite, None, np.random.default_rng(0))
    assert angle_deg(fooled.normal_camera, camera.T_world_camera[2, :3]) > 80.0
    fit = run(FloorConfig(), depth, camera.intrinsics, None, None, np.random.default_rng(0))
    assert angle_deg(fit.normal_camera, camera.T_world_camera[2, :3]) < 0.1
    assert abs(fit.height_m - 1.2) < 1e-3
    assert len(points) == WIDTH * HEIGHT


def test_a_bed_that_fills_the_picture_is_not_the_floor():
    camera = camera_at(50.0)
    depth = box_room(camera, [((0.9, -1.9, 0.0), (3.4, 1.2, 0.5))])
    height = camera.unproject(camera.pixel_grid(), depth)[..., 2]
    assert (np.abs(height - 0.5) < 1e-6).sum() > 1.5 * (np.abs(height) < 1e-6).sum()
    fit = run(FloorConfig(), depth, camera.intrinsics, None, None, np.random.default_rng(0))
    assert abs(fit.height_m - 2.1) < 1e-3
    assert not (fit.floor_pixels & (height > 0.1)).any()


def test_gravity_from_people_finds_the_floor_beyond_the_tilt_prior():
    # A camera on its side: the prior would refuse the true floor.
    camera = camera_at(20.0, 85.0)
    depth = box_room(camera)
    fit = run(FloorConfig(), depth, camera.intrinsics, None, known(camera), np.random.default_rng(0))
    assert fit.found and angle_deg(fit.normal_camera, camera.T_world_camera[2, :3]) < 0.1


def test_feet_say_which_level_is_the_floor():
    # A pit beside the floor: geometry alone takes the lowest level, those who stood know better.
    camera = camera_at(35.0)
    depth = box_room(camera, [((2.6, -2.0, 0.0), (5.0, 2.0, 0.4))])
    config = FloorConfig()
    alone = run(config, depth, camera.intrinsics, None, None, np.random.default_rng(0))
    height = camera.unproject(camera.pixel_grid(), depth)[..., 2]
    rows, columns = np.nonzero(np.abs(height - 0.4) < 1e-6)
    feet = np.stack([columns, rows], axis=1)[:: len(rows) // 20].astype(np.float64)
    with_feet = run(config, depth, camera.intrinsics, None, None, np.random.default_rng(0), feet)
    assert abs(with_feet.height_m - 1.7) < 1e-3
    assert abs(alone.height_m - 2.1) < 1e-3


def test_the_calibration_gives_pose_and_scale():
    camera = camera_at(25.0)
    depth = box_room(camera) * 0.8
    fit = run(FloorConfig(), depth, camera.intrinsics, None, known(camera), np.random.default_rng(0))
    assert fit.pose_from == "people"
    np.testing.assert_array_equal(fit.T_world_camera, camera.T_world_camera)
    assert abs(fit.height_m - 0.8 * 2.1) < 1e-3
    assert abs(fit.scale - 1.25) < 1e-3
    assert abs(fit.scale_disagreement - 0.2) < 1e-3
    assert fit.shape_disagreement < 1e-3


def test_the_floor_gives_a_relative_depth_its_scale_and_offset():
    camera = camera_at(25.0)
    true = box_room(camera)
    floor = floor_of(camera, true)
    # As a relative network leaves it: 1/z with another scale and offset.
    depth = 1.0 / (0.7 / true - 0.03)
    fit = run(FloorConfig(offset_spread=10.0), depth, camera.intrinsics, floor, known(camera), np.random.default_rng(0))
    np.testing.assert_allclose(corrected(depth, fit.scale, fit.offset), true, rtol=1e-3)
    assert fit.shape_disagreement < 1e-3
    cautious = run(FloorConfig(), depth, camera.intrinsics, floor, known(camera), np.random.default_rng(0))
    scaled = depth * np.median(true[floor] / depth[floor])
    better = corrected(depth, cautious.scale, cautious.offset)
    assert np.abs(better / true - 1.0).mean() < 0.5 * np.abs(scaled / true - 1.0).mean()


def test_a_strip_of_floor_gives_a_scale_alone():
    config = FloorConfig()
    plane_depth = np.linspace(3.0, 3.6, 50)
    scale, offset = fit_to_floor(config, 0.5 * plane_depth, plane_depth)
    assert offset == 0.0 and abs(scale - 2.0) < 1e-9


def test_depth_bent_over_the_floor_shows_in_the_shape():
    camera = camera_at(25.0)
    depth = box_room(camera)
    floor = floor_of(camera, depth)
    tilted = depth * (1.0 + 0.6 * np.sin(np.linspace(0.0, 6.0, WIDTH)))
    config = FloorConfig(threshold_m=0.3)
    fit = run(config, tilted, camera.intrinsics, floor, known(camera, "file"), np.random.default_rng(0))
    assert fit.pose_from == "file"
    assert fit.shape_disagreement > 0.15
    assert (
        run(config, depth, camera.intrinsics, floor, known(camera), np.random.default_rng(0)).shape_disagreement < 1e-6
    )


def test_feet_bear_witness_against_a_bent_depth():
    camera = camera_at(25.0)
    depth = box_room(camera)
    bent = depth * (1.0 + 0.6 * np.sin(np.linspace(0.0, 6.0, WIDTH)))
    rows, columns = np.nonzero(floor_of(camera, depth))
    feet = np.stack([columns, rows], axis=1)[::50].astype(np.float64)
    fits = [
        run(FloorConfig(), bent, camera.intrinsics, None, known(camera), np.random.default_rng(0), where)
        for where in (None, feet)
    ]
    assert fits[0].shape_disagreement < 0.15 < fits[1].shape_disagreement


def test_scaling_the_depth_scales_the_floor():
    camera = camera_at(30.0, 4.0)
    depth = box_room(camera) * (1.0 + 0.02 * np.random.default_rng(3).standard_normal((HEIGHT, WIDTH)))
    fits = [
        run(FloorConfig(), factor * depth, camera.intrinsics, None, None, np.random.default_rng(0))
        for factor in (1.0, 2.5)
    ]
    assert abs(fits[1].height_m / fits[0].height_m - 2.5) < 1e-9
    np.testing.assert_allclose(fits[1].normal_camera, fits[0].normal_camera, atol=1e-9)


def test_the_same_seed_gives_the_same_floor():
    camera = camera_at(30.0)
    depth = box_room(camera) * (1.0 + 0.03 * np.random.default_rng(3).standard_normal((HEIGHT, WIDTH)))
    one, two = (run(FloorConfig(), depth, camera.intrinsics, None, None, np.random.default_rng(5)) for _ in range(2))
    assert one.normal_camera.tobytes() == two.normal_camera.tobytes() and one.height_m == two.height_m


def test_five_percent_of_independent_noise():
    errors = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        camera = camera_at(rng.uniform(10, 40), rng.uniform(-3, 3))
        depth = box_room(camera)
        floor = floor_of(camera, depth)
        noisy = depth * (1.0 + 0.05 * rng.standard_normal(depth.shape))
        fit = run(FloorConfig(), noisy, camera.intrinsics, floor, None, rng)
        errors.append((angle_deg(fit.normal_camera, camera.T_world_camera[2, :3]), abs(fit.height_m / 2.1 - 1.0)))
    angles, heights = np.array(errors).T
    assert angles.max() < 2.0 and heights.max() < 0.05, (angles, heights)


def test_the_thesis_regression_fails_on_a_level_camera_and_ours_does_not():
    camera = camera_at(0.0)
    depth = box_room(camera)
    floor = floor_of(camera, depth)
    rng = np.random.default_rng(0)
    depth_noisy = depth * (1.0 + 0.01 * rng.standard_normal(depth.shape))
    points = points_camera(depth_noisy, camera.intrinsics)[floor]
    # z = b0 + bx x + by y (eq. 5.1), its normal (0, 1, by) x (1, 0, bx).
    b = np.linalg.lstsq(np.column_stack([np.ones(len(points)), points[:, :2]]), points[:, 2], rcond=None)[0]
    regressed = np.cross([0.0, 1.0, b[2]], [1.0, 0.0, b[1]])
    regressed /= np.linalg.norm(regressed)
    up = camera.T_world_camera[2, :3]
    assert min(angle_deg(regressed, up), angle_deg(-regressed, up)) > 5.0
    fit = run(FloorConfig(), depth_noisy, camera.intrinsics, floor, None, rng)
    assert angle_deg(fit.normal_camera, up) < 1.0 and abs(fit.height_m - 2.1) < 0.08


def test_floor_depth_is_nan_above_the_horizon():
    camera = camera_at(0.0)
    depth = floor_depth(camera.T_world_camera, camera.intrinsics, (HEIGHT, WIDTH))
    assert np.isnan(depth[: HEIGHT // 2]).all() and np.isfinite(depth[HEIGHT // 2 :]).all()
    true = box_room(camera)
    floor = floor_of(camera, true)
    np.testing.assert_allclose(depth[floor], true[floor], rtol=1e-9)


def test_no_floor_and_no_calibration_is_rejected():
    # A wall right before the lens.
    depth = np.full((HEIGHT, WIDTH), 2.0)
    K = intrinsics_from_focal(130.0, WIDTH, HEIGHT)
    with pytest.raises(Rejected, match="floor: no floor in the depth, and nobody walked to calibrate the camera by"):
        run(FloorConfig(), depth, K, None, None, np.random.default_rng(0))


def test_no_floor_in_the_depth_leaves_the_calibrated_pose():
    camera = camera_at(20.0)
    depth = np.full((HEIGHT, WIDTH), 2.0)
    fit = run(FloorConfig(), depth, camera.intrinsics, None, known(camera), np.random.default_rng(0))
    assert not fit.found and fit.pose_from == "people"
    np.testing.assert_array_equal(fit.T_world_camera, camera.T_world_camera)


def test_the_lines_of_a_room_know_up_and_the_depth_how_high():
    camera = camera_at(20.0)
    # A depth whose floor leans by 4 degrees, seen by a camera whose lines are right.
    leaning = camera_at(24.0)
    depth = box_room(leaning)
    lines = replace(known(camera, "prior"), lines_followed=40)
    fit = run(FloorConfig(), depth, camera.intrinsics, None, lines, np.random.default_rng(0))
    assert angle_deg(fit.normal_camera, camera.T_world_camera[2, :3]) < 1e-6
    assert fit.pose_from == "depth"
    assert abs(fit.height_m / camera.height_m - 1.0) < 0.15
    without = run(FloorConfig(), depth, camera.intrinsics, None, known(camera, "prior"), np.random.default_rng(0))
    assert abs(angle_deg(without.normal_camera, camera.T_world_camera[2, :3]) - 4.0) < 0.5


def test_a_plane_that_leans_from_the_lines_is_no_floor():
    camera = camera_at(20.0)
    depth = box_room(camera_at(32.0))
    config = FloorConfig()
    lines = replace(known(camera), lines_followed=40)
    assert run(config, depth, camera.intrinsics, None, known(camera), np.random.default_rng(0)).found
    assert not run(config, depth, camera.intrinsics, None, lines, np.random.default_rng(0)).found
