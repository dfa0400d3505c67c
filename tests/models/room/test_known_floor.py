"""Floor that people were on: exact places, who stands on something else, mirrors, who lies."""

import numpy as np
import pytest

from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.room.known_floor import area_m2, lying_places, seen_floor, seen_joints, standing_places
from models.types import SMPL_JOINTS

WIDTH, HEIGHT = 320, 240
CAMERA = Camera(
    intrinsics_from_focal(260.0, WIDTH, HEIGHT), WIDTH, HEIGHT, pose_over_floor(normal_from_angles(0.3, 0.0), 2.0)
)


def test_feet_are_where_they_stand(standing):
    places = [(3.0, 0.5), (4.0, -0.7), (5.5, 0.0)]
    found = standing_places(CAMERA, [standing(CAMERA, places)])
    np.testing.assert_allclose(sorted(map(tuple, found)), sorted([*places, *places, *places, *places]), atol=1e-6)
    assert standing_places(CAMERA, []).shape == (0, 2)


def test_who_stands_on_a_bed_or_is_hardly_seen_tells_nothing_of_the_floor(standing):
    # From a bed 0.6 m high, seen as if on the floor, feet are farther away and the body is too tall for its place.
    assert len(standing_places(CAMERA, [standing(CAMERA, [(3.0, 0.0)], lifted=0.6)])) == 0
    assert len(standing_places(CAMERA, [standing(CAMERA, [(3.0, 0.0)], score=0.2)])) == 0


def test_who_comes_to_lie_is_on_the_floor_with_what_is_low_and_seen():
    joints = np.zeros((3, 24, 3))
    joints[:, :, 0] = np.linspace(2.0, 3.6, 24)
    joints[..., 2] = 0.12
    joints[0, :, 2] += 0.9
    joints[1, 20, 2] = 0.5
    joints[2, 0, 2] = 0.9
    seen = np.zeros((3, 24), dtype=bool)
    seen[:, [1, 2, 4, 16, 20]] = True
    found = lying_places(joints, seen)
    np.testing.assert_allclose(found, joints[1][[1, 2, 4, 16], :2])
    assert len(lying_places(joints[1:], seen[1:])) == 0, "nobody saw how it came to lie there: in a low bed, say"
    seen[0] = False
    assert len(lying_places(joints, seen)) == 0


def test_joints_that_are_keypoints_are_seen_as_they_score(standing):
    person = standing(CAMERA, [(3.0, 0.0)])
    person.scores[1, 13] = 0.1
    seen = seen_joints(person)
    assert seen[0].sum() == 13 and not (seen[1] ^ seen[0]).sum() > 1
    assert seen[0, SMPL_JOINTS.index("left_knee")] and not seen[1, SMPL_JOINTS.index("left_knee")]
    assert not seen[0, SMPL_JOINTS.index("spine2")]


def test_a_place_is_floor_once_more_than_two_feet_were_there():
    floor_xy = CAMERA.floor_points(CAMERA.pixel_grid())[..., :2]
    once = seen_floor(np.array([[3.0, 0.0]] * 2), floor_xy)
    twice = seen_floor(np.array([[3.0, 0.0], [3.02, 0.01], [3.01, 0.0]]), floor_xy)
    assert not once.any() and twice.any()
    inside = floor_xy[twice]
    assert np.linalg.norm(inside - (3.01, 0.0), axis=1).max() < 0.2
    u, v = CAMERA.project(np.array([3.0, 0.0, 0.0])).round().astype(int)
    assert twice[v, u] and not seen_floor(np.zeros((0, 2)), floor_xy).any()


def test_small_islands_are_images_in_a_mirror():
    floor_xy = CAMERA.floor_points(CAMERA.pixel_grid())[..., :2]
    walked = np.array([(x, y) for x in np.arange(2.5, 4.0, 0.05) for y in np.arange(-0.5, 0.5, 0.05)])
    mirrored = np.array([[7.0, 1.5]] * 3)
    alone, both = (
        seen_floor(walked.repeat(2, axis=0), floor_xy),
        seen_floor(np.concatenate([walked.repeat(2, axis=0), mirrored]), floor_xy),
    )
    np.testing.assert_array_equal(both, alone)
    assert seen_floor(mirrored, floor_xy).any()


def test_area_is_that_of_the_hull():
    assert area_m2(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0], [1.0, 0.5]])) == pytest.approx(2.0)
    assert area_m2(np.array([[0.0, 0.0], [1.0, 1.0]])) == 0.0 == area_m2(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]))
