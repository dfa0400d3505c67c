"""camera.json: what is right is read as it is, what another program means otherwise is refused by value."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import InputError
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.camera_file import moved_from, read_camera, write_camera
from models.geometry.lens import has_lens, read_lens
from models.geometry.transforms import invert, yaw

SHARED = Path(__file__).parents[4] / "shared" / "inputs" / "camera"
K = [[532.0, 0, 319.5], [0, 532.0, 239.5], [0, 0, 1]]
POSE = pose_over_floor(normal_from_angles(np.radians(20.0), np.radians(2.0)), 2.0)


@pytest.fixture
def read(tmp_path):
    """Read a camera file of some content, for a clip of 640x480."""

    def reader(content: object, **more) -> Camera:
        (tmp_path / "camera.json").write_text(content if isinstance(content, str) else json.dumps(content))
        return read_camera(tmp_path / "camera.json", 640, 480, **more)

    return reader


def file(**more) -> dict:
    return {"intrinsics": K, "width_px": 640, "height_px": 480} | more


def posed(pose: np.ndarray) -> dict:
    return file(T_world_camera=pose.tolist())


def test_round_trip_is_exact(tmp_path):
    camera = Camera(intrinsics_from_focal(600.0, 640, 480), 640, 480, POSE)
    write_camera(camera, tmp_path / "camera.json")
    back = read_camera(tmp_path / "camera.json", 640, 480)
    assert np.array_equal(back.T_world_camera, camera.T_world_camera)
    assert np.array_equal(back.intrinsics, camera.intrinsics)
    assert moved_from(tmp_path / "camera.json") == ""


def test_a_file_for_another_size_of_the_same_aspect_is_scaled(read):
    camera = read({"intrinsics": [[1064, 0, 639.5], [0, 1064, 479.5], [0, 0, 1]], "width_px": 1280, "height_px": 960})
    np.testing.assert_allclose(camera.intrinsics[:2, :2], np.diag([532.0, 532.0]))
    np.testing.assert_allclose(camera.intrinsics[:2, 2], [319.5, 239.5])


def test_a_file_for_stored_pixels_that_are_not_square_is_scaled_by_each_side(read):
    stored = {"intrinsics": [[266.0, 0, 159.5], [0, 532.0, 239.5], [0, 0, 1]], "width_px": 320, "height_px": 480}
    camera = read(stored, coded_px=(320, 480))
    np.testing.assert_allclose(camera.intrinsics[:2, :2], np.diag([532.0, 532.0]))
    with pytest.raises(InputError, match="is for images of 320x480, and the clip's are 640x480, of another aspect"):
        read(stored)


def test_without_a_pose_or_with_the_identity_the_pose_is_to_be_found(read):
    assert np.array_equal(read(file()).T_world_camera, np.eye(4))
    assert np.array_equal(read(posed(np.eye(4))).T_world_camera, np.eye(4))


@pytest.mark.parametrize("x", [0.0, 40.0])
def test_a_pose_in_a_site_s_frame_is_brought_into_the_room_s_own(read, tmp_path, x):
    site = np.eye(4)
    site[:3, :3], site[:2, 3] = yaw(1.2), (x, -3.0)
    np.testing.assert_allclose(read(posed(site @ POSE)).T_world_camera, POSE, atol=1e-12)
    assert moved_from(tmp_path / "camera.json").startswith(f"camera.json places the camera at x {x:.2f}, y -3.00 m")


def test_a_pose_of_few_digits_is_made_a_rotation(read, tmp_path):
    rounded = np.round(POSE, 2)
    camera = read(posed(rounded))
    rotation = camera.T_world_camera[:3, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(camera.T_world_camera, rounded, atol=0.02)
    assert moved_from(tmp_path / "camera.json") == ""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is not readable JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "has no key 'intrinsics'"),
        (file(intrinsics=[[1, 2], [3, 4]]), "'intrinsics' has shape (2, 2), expected (3, 3)"),
        (file(intrinsics=None), "'intrinsics' has shape (), expected (3, 3)"),
        (
            '{"intrinsics": [[NaN, 0, 1], [0, 1, 1], [0, 0, 1]]}',
            "'intrinsics' holds a number that is not finite (NaN or infinity)",
        ),
        (file(intrinsics=[["a", 0, 1], [0, 1, 1], [0, 0, 1]]), "'intrinsics' is not a 3x3 list of numbers"),
        (file(distortion=[0.1]), "'distortion' is [0.1]"),
        (file(distortion={"model": ["opencv"]}), "'distortion' is {'model': ['opencv']}"),
        (file(width_px=0), "width_px and height_px are (0, 480), expected positive whole numbers"),
        (file(width_px="640"), "width_px and height_px are ('640', 480), expected positive whole numbers"),
        (file(width_px=True), "width_px and height_px are (True, 480), expected positive whole numbers"),
        (file(width_px=1920, height_px=1080), "is for images of 1920x1080, and the clip's are 640x480, of another"),
        (file(intrinsics=np.transpose(K).tolist()), "'intrinsics' is transposed: its last row is [319.5, 239.5, 1.0]"),
        (file(intrinsics=np.zeros((3, 3)).tolist()), "'intrinsics' ends in the row [0.0, 0.0, 0.0], expected 0 0 1"),
        (file(intrinsics=[*K[:2], [0, 0, 2]]), "'intrinsics' ends in the row [0.0, 0.0, 2.0], expected 0 0 1"),
        (file(intrinsics=[[0, 0, 319.5], [0, 0, 239.5], [0, 0, 1]]), "'intrinsics' has the focal lengths 0 and 0"),
        (file(intrinsics=[[-532, 0, 319.5], *K[1:]]), "'intrinsics' has the focal lengths -532 and 532, expected"),
        (
            file(intrinsics=[[0.83, 0, 0.5], [0, 1.1, 0.5], [0, 0, 1]]),
            "'intrinsics' has focal lengths 0.83, 1.1 and principal point 0.5, 0.5: shares of the image; multiply them",
        ),
        (file(intrinsics=[[532, 30, 319.5], *K[1:]]), "'intrinsics' has the skew 30, expected 0"),
        (
            file(width_px=1920, height_px=1440),
            "point at 319.5, 239.5, expected in the middle half of 1920x1440 (it is the middle of 640x480)",
        ),
        (file(intrinsics=[[90, 0, 319.5], *K[1:]]), "'intrinsics' has fx 90, expected 192 to 1920 for 640x480"),
        (file(intrinsics=[K[0], [0, 2532, 239.5], K[2]]), "'intrinsics' has fy 2532, expected 192 to 1920 for 640x480"),
        (
            file(intrinsics=[[207, 0, 319.5], *K[1:]]),
            "'intrinsics' has the focal lengths 207 and 532 for images of 640x480, expected nearly the same",
        ),
        (file(T_world_camera=K), "'T_world_camera' has shape (3, 3), expected (4, 4)"),
        (posed(POSE.T), "'T_world_camera' ends in the row [0.0, 0.0, 2.0, 1.0], expected 0 0 0 1"),
        (
            posed(np.diag([2, 2, 2, 1.0]) @ POSE),
            "the rotation of 'T_world_camera' has columns of the lengths 2, 2, 2, expected 1: it is scaled",
        ),
        (posed(np.diag([1, -1, 1, 1.0]) @ POSE), "the rotation of 'T_world_camera' is mirrored"),
        (
            posed(POSE @ np.array([[1, 0.3, 0, 0], [0, np.sqrt(1 - 0.09), 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])),
            "the rotation of 'T_world_camera' is skewed: its columns are not at right angles",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_by_value(read, content, problem):
    with pytest.raises(InputError) as caught:
        read(content)
    assert problem in str(caught.value) and "\n" not in str(caught.value)


def at(z: float) -> np.ndarray:
    pose = POSE.copy()
    pose[2, 3] = z
    return pose


@pytest.mark.parametrize(
    ("pose", "problem"),
    [
        (at(-2.0), "'T_world_camera' places the camera 2.00 m under the floor"),
        (at(0.1), "'T_world_camera' places the camera 0.1 m above the floor, expected 0.3 to 6"),
        (at(2000.0), "places the camera 2000 m above the floor, expected 0.3 to 6: it seems to be in millimetres"),
        (invert(POSE), "its inverse would be plausible, so it seems to be T_camera_world; write its inverse"),
        (POSE @ np.diag([1, -1, -1, 1.0]), "'T_world_camera' turns the image upside down: its second column"),
        (pose_over_floor(normal_from_angles(-0.8, 0.0), 2.0), "'T_world_camera' lets the camera look up"),
    ],
    ids=["under", "low", "millimetres", "inverse", "opengl", "up"],
)
def test_a_pose_that_no_camera_of_a_room_has_is_refused(read, pose, problem):
    with pytest.raises(InputError) as caught:
        read(posed(pose))
    assert problem in str(caught.value)


@pytest.mark.parametrize("path", sorted(SHARED.glob("*.json")), ids=lambda path: path.stem)
def test_inputs_of_others_are_refused(path):
    problems = {
        "Tflip": "places the camera 2.00 m under the floor",
        "colmajor": "is transposed",
        "othersize": "is for images of 1920x1080, and the clip's are 640x480",
        "zeroK": "ends in the row [0.0, 0.0, 0.0]",
    }
    with pytest.raises(InputError) as caught:
        read_camera(path, 640, 480)
    assert problems[path.stem] in str(caught.value)


def test_a_lens_needs_intrinsics_that_can_be_meant(tmp_path):
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(file(intrinsics=np.zeros((3, 3)).tolist())))
    assert read_lens(path, 640, 480) is None and not has_lens(path), "there is none, and read_camera tells of the rest"
    lens = {"model": "opencv", "coefficients": [-0.3, 0.1, 0.0, 0.0]}
    path.write_text(json.dumps(file(intrinsics=np.zeros((3, 3)).tolist(), distortion=lens)))
    assert has_lens(path)
    with pytest.raises(InputError, match="'intrinsics' ends in the row"):
        read_lens(path, 640, 480)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=5),
    st.builds(list),
    st.builds(dict),
    st.builds(lambda x: [[x, 0, 1], [0, x, 1], [0, 0, 1]], st.floats()),
)


@given(st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_spoiled_file_is_refused_or_gives_a_plausible_camera(tmp_path, data):
    content = copy.deepcopy(posed(POSE)) | {"distortion": {"model": "fisheye", "coefficients": [-0.02, 0.01, 0.0, 0.0]}}
    for _ in range(data.draw(st.integers(1, 3))):
        part = content
        while True:
            keys = sorted(part) if isinstance(part, dict) else list(range(len(part)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if not isinstance(part[key], dict | list) or data.draw(st.booleans()):
                part[key] = data.draw(VALUES)
                break
            part = part[key]
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(content))
    try:
        read_lens(path, 640, 480)
        has_lens(path)
        camera = read_camera(path, 640, 480)
        moved_from(path)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert np.isfinite(camera.intrinsics).all() and 100.0 < camera.focal_px < 2000.0
    if not np.array_equal(camera.T_world_camera, np.eye(4)):
        assert 0.3 <= camera.height_m <= 6.0
