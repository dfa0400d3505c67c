"""Crops, appearances and the stitching of tracklets."""

import numpy as np
import pytest

from models.people2d.crop_tracker import Tracker
from models.people2d.pose2d import Pose2D


def figure(x: float, y: float, size: float = 100.0, score: float = 0.8) -> Pose2D:
    """An upright person with the head at (x, y)."""
    xs = np.array([0, 1, -1, 2, -2, 10, -10, 14, -14, 15, -15, 7, -7, 7, -7, 7, -7]) / 100.0
    ys = np.array([0, -1, -1, 0, 0, 15, 15, 32, 32, 48, 48, 50, 50, 75, 75, 100, 100]) / 100.0
    return Pose2D(np.stack([x + size * xs, y + size * ys], axis=-1), np.full(17, score), 0)


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


def test_people_beyond_those_followed_are_counted_and_change_nothing():
    paths = [[(50, 60)] * 30, [(160, 100)] * 30, [None] * 10 + [(270, 150)] * 20]
    alone, crowded = (Tracker(PaintedPeople(), 2, 0.5, 1.0, 0.27) for _ in range(2))
    expected, found = alone.run(film(paths[:2])), crowded.run(film(paths))
    assert len(found) == 2 and alone.unfollowed_s == []
    assert [sorted(track.poses) for track in found] == [sorted(track.poses) for track in expected]
    assert crowded.unfollowed_s[0] == pytest.approx(1.0, abs=0.5) and len(crowded.unfollowed_s) == 4
