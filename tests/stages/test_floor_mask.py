"""The floor of a drawn room, exactly known: two coverings, and walls of about the colour of one of them."""

import numpy as np
import pytest

from models.errors import Rejected
from models.geometry.camera import Camera, normal_from_angles, pose_over_floor
from models.room.floor_growth import slope
from stages.floor_mask import FloorMaskConfig, run

WALK = [(x, y) for x in np.arange(3.0, 5.4, 0.15) for y in (-0.6, 0.0, 0.7)]


@pytest.fixture(scope="module")
def grow(drawn_room, standing):
    camera, plate, depth, _ = drawn_room

    def grown(depth: np.ndarray = depth):
        return run(FloorMaskConfig(), plate, depth, camera, [standing(camera, WALK)], [], np.random.default_rng(0))

    return grown


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_the_floor_is_grown_over_both_coverings_and_stops_at_the_walls(drawn_room, grow):
    mask = grow()
    assert iou(mask.floor, drawn_room[3]) > 0.9
    # Feet stand within 10 cm of the edge of the hull.
    assert 0.0 < mask.known_share < 0.6 and 2.25 * 1.3 < mask.area_m2 < 2.6 * 1.7
    np.testing.assert_array_equal(mask.floor, grow().floor)


def test_the_depth_counts_by_its_slope_alone(drawn_room, grow):
    """At another scale the same; where it rises towards the camera it is passed over."""
    camera, _, depth, floor = drawn_room
    np.testing.assert_array_equal(grow(depth * 3.0).floor, grow().floor)
    small = camera.resized(160, 120)
    shrunk, known = depth[::4, ::4], floor[::4, ::4]
    level = slope(shrunk, small, known)
    assert level is not None and level[known].mean() > 0.9 and level[~known].mean() < 0.2
    assert slope(1.0 / shrunk, small, known) is None
    assert iou(grow(1.0 / depth).floor, floor) > 0.8


def test_who_came_to_lie_there_is_evidence_too(drawn_room):
    camera, plate, depth, floor = drawn_room
    lies = np.zeros((5, 24, 3)) + (3.0, 0.0, 0.1)
    lies[..., 0] += np.linspace(0.0, 1.7, 24)
    lies[..., 1] += 2.0 * np.linspace(0.0, 1.0, 24) ** 2
    lies[0, :, 2] = 0.9
    people = [(lies, np.ones((5, 24), dtype=bool))]
    mask = run(FloorMaskConfig(), plate, depth, camera, [], people, np.random.default_rng(0))
    assert iou(mask.floor, floor) > 0.8


def test_too_little_evidence_is_said(drawn_room, standing):
    camera, plate, depth, _ = drawn_room
    config, rng = FloorMaskConfig(), np.random.default_rng(0)
    with pytest.raises(Rejected, match="nobody was seen to stand upright or to lie"):
        run(config, plate, depth, camera, [], [], rng)
    with pytest.raises(Rejected, match=r"people were seen on \d pixels of floor, too few to tell it by"):
        run(config, plate, depth, camera, [standing(camera, [(9.0, 0.0), (9.0, 0.1)])], [], rng)
    spot = standing(camera, [(3.0, 0.0), (3.1, 0.1), (3.0, 0.1)])
    with pytest.raises(Rejected, match=r"people were seen on 0\.\d\d m² of floor, 0\.3 are needed"):
        run(config, plate, depth, camera, [spot], [], rng)
    down = Camera(camera.intrinsics, 640, 480, pose_over_floor(normal_from_angles(0.9, 0.0), 2.5))
    walked = [(x, y) for x in np.arange(0.9, 2.4, 0.1) for y in (-0.3, 0.0, 0.3)]
    with pytest.raises(Rejected, match="the camera sees no horizon"):
        run(config, plate, depth, down, [standing(down, walked)], [], rng)
