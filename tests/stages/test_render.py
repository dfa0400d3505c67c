from dataclasses import replace

import cv2
import numpy as np
import pytest

from models.body.model import BodyShape, load_body, relaxed_pose
from models.body.tracks import standing_pelvis_height
from models.geometry.camera import Camera, image_projection, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.geometry.lens import Lens
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, invert
from models.types import BodyLook, Motion, PersonTrack, Room, Scene
from stages.render import RenderConfig, floor_depth, light_direction, room_light, run

WIDTH, HEIGHT = 160, 120


@pytest.fixture(scope="module")
def body():
    return load_body()


def room_with(wall_m=None, occlusion=True, brightness=150):
    """A grey room whose floor reaches 8 m, or behind a wall that stands `wall_m` away and hides everything beyond
    it."""
    pose = pose_over_floor(normal_from_angles(np.radians(15), 0.0), 1.6)
    camera = Camera(intrinsics_from_focal(140.0, WIDTH, HEIGHT), WIDTH, HEIGHT, pose)
    plate = np.full((HEIGHT, WIDTH, 3), brightness, np.uint8)
    plate[:30, :50] = 250  # a window, upper left
    depth = np.full((HEIGHT, WIDTH), 8.0)
    grid = np.zeros((2, 2, 2))
    room = Room(
        "r",
        camera,
        plate,
        depth,
        np.full((HEIGHT, WIDTH), -1),
        1.0,
        0.0,
        np.ones((2, 2), bool),
        grid.astype(int),
        grid,
        np.zeros(3),
        0.1,
        (),
        0.0,
        occlusion,
        "ok",
    )
    floor = floor_depth(room)
    depth[:] = np.where((floor > 0) & (floor < 8.0), floor, 8.0)
    if wall_m:
        depth[:] = np.minimum(depth, wall_m)
    return room


def scene_with(body, room, x=4.0, y=0.0, frames=2):
    betas = body.betas_from_shape(BodyShape(age_years=70.0, sex=0.5, stature_m=1.7, build=0.5)).astype(np.float64)
    from models.body.tracks import rest_root

    pelvis = np.array([x, y, standing_pelvis_height(body, betas)])
    orient = axis_angle_from_matrix(R_ZUP_YUP)
    track = PersonTrack(
        "person_0",
        "resident",
        betas,
        np.tile(orient, (frames, 1)),
        np.tile(relaxed_pose().astype(np.float64), (frames, 1)),
        np.tile(pelvis - rest_root(body, betas), (frames, 1)),
        np.ones(frames, bool),
        np.ones(frames),
    )
    motion = Motion(np.arange(frames) / 15, (track,), np.full((1, frames), 8), "test")
    return Scene(room, motion, (BodyLook(3, 70.0),), light_direction(room))


def test_a_standing_person_is_where_the_camera_says(body):
    room = room_with()
    rendered = run(RenderConfig(noise=0.0), scene_with(body, room), body, np.random.default_rng(0))
    x0, y0, x1, y1 = rendered.boxes_px[0, 0]
    foot, crown = room.camera.project(np.array([[4.0, 0.0, 0.0], [4.0, 0.0, 1.7]]))
    assert y1 == pytest.approx(foot[1], abs=4) and y0 == pytest.approx(crown[1], abs=3)
    assert (x0 + x1) / 2 == pytest.approx(foot[0], abs=3)
    assert rendered.visibility[0, 0] == pytest.approx(1.0, abs=0.02)
    # Facing +x, away from the camera: the left shoulder (+y) is on the left of the picture.
    assert rendered.keypoints_px[0, 0, 5, 0] < rendered.keypoints_px[0, 0, 6, 0]
    assert (rendered.keypoints_visible[0, 0, [5, 6, 11, 12, 15, 16]] == 2).all() and rendered.keypoints_visible[
        0, 0, 0
    ] == 1


def test_the_plate_is_untouched_away_from_the_body_and_its_shadow(body):
    room = room_with()
    rendered = run(RenderConfig(noise=0.0), scene_with(body, room), body, np.random.default_rng(0))
    np.testing.assert_array_equal(rendered.frames[0][:40, 120:], room.plate[:40, 120:])
    x0, _, x1, y1 = rendered.boxes_px[0, 0].astype(int)
    below = rendered.frames[0][y1 : y1 + 4, x0:x1].astype(int).mean()
    assert below < 145  # the floor at the feet is darker than the plate's 150


def test_what_is_behind_a_wall_is_hidden_unless_the_depth_is_not_trusted(body):
    behind = run(RenderConfig(), scene_with(body, room_with(wall_m=3.0)), body, np.random.default_rng(0))
    assert behind.visibility[0, 0] == 0.0 and (behind.masks == 0).all() and (behind.boxes_px == 0).all()
    assert (behind.keypoints_visible[0, 0] == 1).all()
    before = run(RenderConfig(), scene_with(body, room_with(wall_m=5.0)), body, np.random.default_rng(0))
    assert before.visibility[0, 0] > 0.95
    untrusted = run(
        RenderConfig(), scene_with(body, room_with(wall_m=3.0, occlusion=False)), body, np.random.default_rng(0)
    )
    assert untrusted.visibility[0, 0] > 0.95


def test_a_wall_guessed_a_little_too_near_hides_nobody(body):
    """The body stands at 4 m; a wall at 3.8 m lies within the tolerance that the depth is given."""
    near = scene_with(body, room_with(wall_m=3.8))
    assert run(RenderConfig(), near, body, np.random.default_rng(0)).visibility[0, 0] > 0.95
    assert run(RenderConfig(depth_tolerance=0.0), near, body, np.random.default_rng(0)).visibility[0, 0] < 0.5


def test_half_out_of_the_picture_is_half_visible(body):
    rendered = run(RenderConfig(), scene_with(body, room_with(), y=2.3), body, np.random.default_rng(0))
    assert 0.1 < rendered.visibility[0, 0] < 0.9
    assert (rendered.keypoints_visible[0, 0] == 0).any()


def test_same_generator_same_bytes_and_noise_differs(body):
    scene = scene_with(body, room_with())
    one, two = (run(RenderConfig(), scene, body, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.frames, two.frames)
    other = run(RenderConfig(), scene, body, np.random.default_rng(6))
    assert (one.frames != other.frames).any() and (one.masks == other.masks).all()


def test_light_comes_from_the_window_and_is_as_bright_as_the_room():
    room = room_with()
    direction = light_direction(room)
    assert np.linalg.norm(direction) == pytest.approx(1.0) and direction[2] < -0.8
    assert direction[1] < 0  # the window is on the left (+y), so light travels to the right
    dark, bright = room_with(brightness=60), room_with(brightness=200)
    assert room_light(dark, direction).intensity < room_light(bright, direction).intensity


def test_a_bent_room_gives_bent_clips_whose_keypoints_opencv_finds(body):
    lens = Lens("opencv", np.array([-0.25, 0.05, 0.0, 0.0]), intrinsics_from_focal(150.0, WIDTH, HEIGHT), WIDTH, HEIGHT)
    straight = room_with()
    camera = replace(straight.camera, intrinsics=lens.undistorted_intrinsics, lens=lens)
    room = replace(straight, camera=camera)
    rendered = run(RenderConfig(noise=0.0), scene_with(body, room, y=0.6), body, np.random.default_rng(0))
    T_camera_world = invert(camera.T_world_camera)
    joints = rendered.joints_world[0, 0]
    seen = image_projection(camera)
    pixels, _ = cv2.projectPoints(
        joints, T_camera_world[:3, :3], T_camera_world[:3, 3], seen["intrinsics"], seen["distortion"]
    )
    # The joints of the knees lie inside the legs, the hips' inside the trunk: their pixels show the person.
    for joint in (1, 2, 4, 5):
        column, row = pixels[joint, 0].round().astype(int)
        assert rendered.masks[0, row, column] == 1
    knees = rendered.keypoints_px[0, 0, [13, 14]]
    assert np.abs(knees - pixels[[4, 5], 0]).max() < 4.0
    flat = run(
        RenderConfig(noise=0.0),
        scene_with(body, replace(room, camera=replace(camera, lens=None)), y=0.6),
        body,
        np.random.default_rng(0),
    )
    assert np.abs(flat.keypoints_px[0, 0, [13, 14]] - knees).max() > 2.0, "else the lens bends nothing"
    np.testing.assert_allclose(lens.undistort(knees), flat.keypoints_px[0, 0, [13, 14]], atol=1e-6)
