"""Tracklets: how alike two poses and two appearances are, and which pieces are stitched to one person."""

import numpy as np

from models.people2d.pose2d import Pose2D
from models.people2d.tracklets import Tracklet, appearance_distance, distance, stitch_tracklets, torso_appearance


def figure(x: float, y: float, size: float = 100.0, score: float = 0.8) -> Pose2D:
    """An upright person with the head at (x, y)."""
    xs = np.array([0, 1, -1, 2, -2, 10, -10, 14, -14, 15, -15, 7, -7, 7, -7, 7, -7]) / 100.0
    ys = np.array([0, -1, -1, 0, 0, 15, 15, 32, 32, 48, 48, 50, 50, 75, 75, 100, 100]) / 100.0
    return Pose2D(np.stack([x + size * xs, y + size * ys], axis=-1), np.full(17, score), 0)


def piece(first: int, last: int, x: float, look: np.ndarray | None = None) -> Tracklet:
    track = Tracklet({t: figure(x, 50.0) for t in range(first, last + 1)})
    if look is not None:
        track.appearances.add(look)
    return track


def test_distance_is_a_share_of_the_person():
    assert distance(figure(0, 0), figure(0, 0)) == 0.0
    near, large = distance(figure(0, 0), figure(10, 0)), distance(figure(0, 0, 200.0), figure(20, 0, 200.0))
    assert np.isclose(near, large) and 0.05 < near < 0.15


def test_appearances_distinguish_shirts():
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


def test_first_and_last_frames_follow_what_is_added_and_taken_away():
    track = Tracklet({5: figure(0.0, 0.0)})
    for frame in (9, 3, 7):
        track.poses[frame] = figure(1.0, 0.0)
    assert (track.first, track.last) == (3, 9)
    del track.poses[9], track.poses[3]
    assert (track.first, track.last) == (5, 7)


def test_mean_appearance_is_that_of_all():
    looks = np.random.default_rng(0).random((50, 600))
    track = piece(0, 3, 50.0)
    for look in looks:
        track.appearances.add(look)
    assert np.array_equal(track.appearances.mean, np.mean(list(looks), axis=0))
    assert np.array_equal(track.appearances.latest, looks[-1]) and track.appearances.count == 50
