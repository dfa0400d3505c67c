"""Lenses: there and back, straight lines come straight, bad files are named."""

import json

import cv2
import numpy as np
import pytest

from models.errors import InputError
from models.geometry.camera import Camera, normal_from_angles, pose_over_floor
from models.geometry.camera_file import read_camera, write_camera
from models.geometry.lens import WIDEST_FOCAL, Lens, read_lens


def matrix(focal_px: float) -> np.ndarray:
    return np.array([[focal_px, 0.0, 322.0], [0.0, focal_px, 238.0], [0.0, 0.0, 1.0]])


BARREL = Lens("opencv", np.array([-0.3, 0.1, 0.001, -0.002]), matrix(500.0), 640, 480)
FISHEYE = Lens("fisheye", np.array([-0.02, 0.01, 0.0, 0.0]), matrix(420.0), 640, 480)
BOTH = pytest.mark.parametrize("lens", [BARREL, FISHEYE], ids=["opencv", "fisheye"])


def grid(step: int = 40) -> np.ndarray:
    u, v = np.meshgrid(np.arange(0.0, 640.0, step), np.arange(0.0, 480.0, step))
    return np.stack([u, v], axis=-1)


@BOTH
def test_there_and_back(lens):
    assert np.abs(lens.distort(lens.undistort(grid())) - grid()).max() < 1e-3
    assert np.abs(lens.undistort(grid()) - grid()).max() > 5.0, "else the lens bends nothing"


@BOTH
def test_the_whole_image_is_in_the_undistorted_one(lens):
    straight = lens.undistort(grid(1))
    assert straight.min() > -0.51
    assert (straight.reshape(-1, 2).max(axis=0) < [639.51, 479.51]).all()


def test_points_go_where_opencv_puts_them():
    rays = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 2))
    K = BARREL.undistorted_intrinsics
    ahead = np.column_stack([rays, np.ones(20)])
    expected = cv2.projectPoints(ahead, np.zeros(3), np.zeros(3), BARREL.intrinsics, BARREL.coefficients)[0][:, 0]
    np.testing.assert_allclose(BARREL.distort(rays * K[0, 0] + K[:2, 2]), expected, atol=1e-9)
    wide = FISHEYE.undistorted_intrinsics
    expected = cv2.fisheye.distortPoints(rays[:, None], FISHEYE.intrinsics, FISHEYE.coefficients)[:, 0]
    np.testing.assert_allclose(FISHEYE.distort(rays * wide[0, 0] + wide[:2, 2]), expected, atol=1e-9)


@BOTH
def test_straight_lines_come_straight(lens):
    image = np.zeros((480, 640), dtype=np.uint8)
    straight_x = 60.0
    line = lens.distort(np.stack([np.full(400, straight_x), np.linspace(40.0, 440.0, 400)], axis=1))
    assert np.ptp(line[:, 0]) > 3.0, "else the lens bends nothing"
    cv2.polylines(image, [np.round(line * 16).astype(np.int32)], False, 255, 2, cv2.LINE_AA, shift=4)
    found = lens.undistort_image(image)
    rows = range(60, 420, 20)
    centres = [float(np.average(np.arange(640), weights=found[row].astype(float) + 1e-9)) for row in rows]
    assert np.abs(np.array(centres) - straight_x).max() < 1.0


@BOTH
def test_a_image_survives_the_way_there_and_back(lens):
    u, v = np.meshgrid(np.arange(640), np.arange(480))
    image = (128 + 60 * np.sin(u / 25.0) * np.cos(v / 30.0)).astype(np.uint8)
    again = lens.distort_image(lens.undistort_image(image))
    assert np.abs(again.astype(int) - image)[20:-20, 20:-20].mean() < 2.0
    mask = np.zeros((480, 640), dtype=np.uint8)
    mask[100:300, 200:400] = 3
    assert set(np.unique(lens.distort_image(mask, exact=True))) == {0, 3}


@BOTH
def test_what_the_lens_does_not_show_is_known(lens):
    outside = np.abs(lens.distort(grid()) - [319.5, 239.5]).max(axis=-1) > [[340.0]]
    assert lens.covered.mean() > 0.5
    assert not lens.covered[::40, ::40][outside].any()
    middle = lens.undistort(np.array([[100.0, 100.0], [540.0, 380.0]])).round().astype(int)
    assert lens.covered[middle[:, 1], middle[:, 0]].all()


def test_boxes_hold_what_was_in_them():
    boxes = np.array([[20.0, 30.0, 200.0, 400.0], [0.0, 0.0, 0.0, 0.0]])
    straight = BARREL.undistort_boxes(boxes)
    u, v = np.meshgrid(np.linspace(20.0, 200.0, 30), np.linspace(30.0, 400.0, 30))
    inside = BARREL.undistort(np.stack([u, v], axis=-1)).reshape(-1, 2)
    assert (inside >= straight[0, :2] - 0.5).all() and (inside <= straight[0, 2:] + 0.5).all()
    assert not straight[1].any(), "who is not there has no box"


def test_a_pinhole_shows_no_more_than_it_can():
    # Half the world: pixels at the corners look sideways.
    wide = Lens("fisheye", np.zeros(4), matrix(200.0), 640, 480)
    assert wide.undistorted_intrinsics[0, 0] == pytest.approx(WIDEST_FOCAL * 640)


def test_resized_bends_alike():
    small = BARREL.resized(320, 240)
    np.testing.assert_allclose(
        small.distort((grid() + 0.5) / 2.0 - 0.5), (BARREL.distort(grid()) + 0.5) / 2.0 - 0.5, atol=1e-6
    )


def test_a_camera_file_carries_its_lens(tmp_path):
    pose = pose_over_floor(normal_from_angles(0.3, 0.0), 2.0)
    camera = Camera(BARREL.undistorted_intrinsics, 640, 480, pose, BARREL)
    write_camera(camera, tmp_path / "camera.json")
    again = read_camera(tmp_path / "camera.json", 640, 480)
    np.testing.assert_allclose(again.intrinsics, camera.intrinsics)
    assert again.lens is not None and again.lens.model == "opencv"
    np.testing.assert_allclose(again.lens.coefficients, BARREL.coefficients)
    half = read_lens(tmp_path / "camera.json", 320, 240)
    assert half is not None and half.width_px == 320
    write_camera(camera, tmp_path / "camera.json", with_pose=False)
    assert np.array_equal(read_camera(tmp_path / "camera.json", 640, 480).T_world_camera, np.eye(4))


@pytest.mark.parametrize(
    ("distortion", "problem"),
    [
        ([0.1, 0.0, 0.0, 0.0], "'distortion' is [0.1, 0.0, 0.0, 0.0]"),
        ({"model": "kannala", "coefficients": [0.1] * 4}, "'distortion' is {'model': 'kannala'"),
        ({"model": "fisheye", "coefficients": [0.1] * 5}, "has shape (5,), expected 4 numbers"),
        ({"model": "opencv", "coefficients": [0.1, float("nan"), 0, 0]}, "holds a number that is not finite"),
        ({"model": "opencv", "coefficients": "none"}, "is not a list of numbers"),
    ],
)
def test_a_bad_lens_is_named(tmp_path, distortion, problem):
    content = {"intrinsics": matrix(500.0).tolist(), "width_px": 640, "height_px": 480, "distortion": distortion}
    (tmp_path / "camera.json").write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        read_camera(tmp_path / "camera.json", 640, 480)
    assert problem in str(caught.value)
    with pytest.raises(InputError):
        read_lens(tmp_path / "camera.json", 640, 480)


def test_no_lens_where_none_is_named(tmp_path):
    assert read_lens(tmp_path / "camera.json", 640, 480) is None
    (tmp_path / "camera.json").write_text("{")
    assert read_lens(tmp_path / "camera.json", 640, 480) is None
    (tmp_path / "camera.json").write_text(json.dumps({"intrinsics": matrix(500.0).tolist()}))
    assert read_lens(tmp_path / "camera.json", 640, 480) is None
    zeros = {"model": "opencv", "coefficients": [0, 0, 0, 0]}
    (tmp_path / "camera.json").write_text(json.dumps({"intrinsics": matrix(500.0).tolist(), "distortion": zeros}))
    assert read_lens(tmp_path / "camera.json", 640, 480) is None
