"""Crops, appearances and the stitching of tracklets."""

import numpy as np
import pytest

from models.people2d.crop_tracker import Tracker
from models.people2d.pose2d import Crop, Pose2D
from models.people2d.tracklets import Tracklet, appearance_distance, distance, stitch_tracklets, torso_appearance


def figure(x: float, y: float, size: float = 100.0, score: float = 0.8) -> Pose2D:
    """An upright person with the head at (x, y)."""
    xs = np.array([0, 1, -1, 2, -2, 10, -10, 14, -14, 15, -15, 7, -7, 7, -7, 7, -7]) / 100.0
    ys = np.array([0, -1, -1, 0, 0, 15, 15, 32, 32, 48, 48, 50, 50, 75, 75, 100, 100]) / 100.0
    return Pose2D(np.stack([x + size * xs, y + size * ys], axis=-1), np.full(17, score), 0)


def piece(first: int, last: int, x: float, look: np.ndarray | None = None) -> Tracklet:
    track = Tracklet({t: figure(x, 50.0) for t in range(first, last + 1)})
    if look is not None:
        track.appearances.append(look)
    return track


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_crop_turns_clockwise_about_its_centre(turn):
    affine = Crop((50.0, 40.0), 20.0, turn).image_from_unit()
    assert np.allclose(affine @ [0.5, 0.5, 1.0], [50.0, 40.0])
    up = affine @ [0.5, 0.0, 1.0] - [50.0, 40.0]
    assert np.allclose(up, [(0, -10), (10, 0), (0, 10), (-10, 0)][turn])


def test_distance_is_a_share_of_the_person():
    assert distance(figure(0, 0), figure(0, 0)) == 0.0
    near, large = distance(figure(0, 0), figure(10, 0)), distance(figure(0, 0, 200.0), figure(20, 0, 200.0))
    assert np.isclose(near, large) and 0.05 < near < 0.15


def test_looks_tell_shirts_apart():
    def dressed(colour):
        image = np.full((200, 200, 3), 90, np.uint8)
        image[60:120, 80:120] = colour
        return torso_appearance(image, figure(100.0, 50.0))

    red, red_again, blue = dressed((200, 30, 30)), dressed((205, 28, 34)), dressed((20, 40, 200))
    assert appearance_distance(red, red_again) < 0.3
    assert appearance_distance(red, blue) > 0.7
    assert torso_appearance(np.zeros((200, 200, 3), np.uint8), figure(-500.0, -500.0)) is None


def test_tracklets_are_stitched_by_appearance_after_a_long_absence_and_never_at_the_same_time():
    a, b = np.eye(600)[3], np.eye(600)[70]
    times = np.arange(100) / 10.0
    groups = stitch_tracklets([piece(0, 20, 50.0, a), piece(60, 80, 400.0, a), piece(60, 90, 50.0, b)], times)
    spans = sorted([(t.first, t.last) for t in group] for group in groups)
    assert spans == [[(0, 20), (60, 80)], [(60, 90)]]
    assert len(stitch_tracklets([piece(0, 20, 50.0, a), piece(10, 30, 400.0, a)], times)) == 2


def test_tracklets_are_stitched_by_place_across_a_short_gap_only_if_alike():
    a, b, c = np.eye(600)[3], np.eye(600)[70], (2.0 * np.eye(600)[3] + np.eye(600)[9]) / np.sqrt(5.0)
    times = np.arange(100) / 10.0
    assert len(stitch_tracklets([piece(0, 20, 50.0, a), piece(24, 40, 55.0, c)], times)) == 1
    assert len(stitch_tracklets([piece(0, 20, 50.0, a), piece(24, 40, 55.0, b)], times)) == 2
    assert len(stitch_tracklets([piece(0, 20, 50.0, a), piece(24, 40, 500.0)], times)) == 2


def test_a_person_found_again_while_still_followed_is_one_person():
    look = np.eye(600)[3]
    times = np.arange(100) / 10.0
    groups = stitch_tracklets([piece(0, 20, 50.0, look), piece(19, 40, 52.0, look)], times)
    assert len(groups) == 1
    assert sorted(frame for track in groups[0] for frame in track.poses) == list(range(41))


class Credulous:
    """Takes a mark on the wall for a doubtful person for a while: in the frames whose number is painted 5 to 19."""

    def __call__(self, rgb, crop):
        place = np.array([160.0, 100.0])
        seen = 5 <= rgb[0, 0, 2] < 20 and np.abs(place - np.array(crop.centre_px)).max() < crop.side_px / 2
        return figure(160.0, 50.0, score=0.4) if seen else Pose2D(np.zeros((17, 2)), np.full(17, 0.05), 0)

    def zoom(self, rgb, crop, sure=0.5, turns=()):
        return self(rgb, crop)


@pytest.mark.parametrize("drawn", [False, True])
def test_who_looks_the_same_when_gone_is_part_of_the_room(drawn):
    wall = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)

    def frames():
        for t in range(50):
            image = wall.copy()
            if drawn and 5 <= t < 20:
                image[50:150, 145:175] = 128
            image[0, 0, 2] = t
            yield t / 10.0, image

    tracks = Tracker(Credulous(), 2, 0.2, 0.5, 0.27).run(frames())
    assert len(tracks) == (1 if drawn else 0)


class PaintedPeople:
    """Finds the bright dot nearest the crop's centre: a network whose answers are known exactly."""

    def __call__(self, rgb, crop):
        dots = np.argwhere(rgb[..., 0] == 255)[:, ::-1]
        inside = [d for d in dots if np.abs(d - np.array(crop.centre_px)).max() < crop.side_px / 2]
        if not inside:
            return Pose2D(figure(*crop.centre_px).keypoints_px, np.full(17, 0.05), 0)
        nearest = min(inside, key=lambda d: np.linalg.norm(d - np.array(crop.centre_px)))
        return figure(float(nearest[0]), float(nearest[1]) - 50.0)

    def zoom(self, rgb, crop, sure=0.5, turns=()):
        return self(rgb, crop)


def film(paths: list[list[tuple[int, int] | None]]):
    for t in range(len(paths[0])):
        image = np.zeros((240, 320, 3), np.uint8)
        for path in paths:
            if path[t] is not None:
                image[path[t][1], path[t][0]] = 255
        yield t / 10.0, image


def test_two_people_keep_their_tracks():
    walker = [(40 + 6 * t, 120) for t in range(30)]
    sitter = [(260, 150)] * 30
    tracks = Tracker(PaintedPeople(), 4, 0.5, 1.0, 0.27).run(film([walker, sitter]))
    assert len(tracks) == 2
    for path in (walker, sitter):
        found = [t for t in tracks if abs(t.poses[5].keypoints_px[0, 0] - path[5][0]) < 1]
        assert len(found) == 1
        # Until they come close to each other.
        assert all(abs(found[0].poses[t].keypoints_px[0, 0] - path[t][0]) < 1 for t in range(25))


def test_late_find_is_followed_back_and_leaving_ends_the_track():
    path = [None] * 3 + [(100 + 2 * t, 120) for t in range(12)] + [None] * 25
    tracks = Tracker(PaintedPeople(), 2, 1.0, 0.8, 0.27).run(film([path]))
    assert len(tracks) == 1
    assert (tracks[0].first, tracks[0].last) == (3, 14)
