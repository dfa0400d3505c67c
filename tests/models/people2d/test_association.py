"""Chains of detections: motion carries a track past another; a moment's claim; one person, one detection."""

import numpy as np

from models.people2d.association import associate
from models.people2d.pose2d import Pose2D
from models.people2d.pose_nms import PoseNmsConfig
from models.people2d.tracklets import velocity_px_s

CONFIG = PoseNmsConfig()
SHAPE = np.stack([np.tile([-15.0, 15.0, 0.0], 6)[:17], np.linspace(0.0, 160.0, 17)], axis=-1)


def figure(x: float, score: float = 0.8) -> Pose2D:
    return Pose2D(SHAPE + [x, 40.0], np.full(17, score), 0)


def chains(paths: list[list[float | None]], fps: float = 10.0, looks: list[np.ndarray] | None = None):
    """Detections of each path in order, chained; paths are told by their starting place."""
    frames = []
    for t in range(len(paths[0])):
        here = [(k, path[t]) for k, path in enumerate(paths) if path[t] is not None]
        poses = [figure(x) for _, x in here]
        frames.append((t / fps, poses, [None if looks is None else looks[k] for k, _ in here]))
    return associate(frames, 1.0, CONFIG)


def test_two_who_pass_each_other_walk_on():
    a = [20.0 + 12.0 * t for t in range(30)]
    b = [371.0 - 12.0 * t for t in range(30)]
    tracks = chains([a, b])
    assert len(tracks) == 2
    for track, path in zip(sorted(tracks, key=lambda k: k.poses[0].keypoints_px[0, 0]), (a, b), strict=True):
        assert [track.poses[t].keypoints_px[2, 0] for t in sorted(track.poses)] == [
            path[t] for t in sorted(track.poses)
        ]
        assert len(track.poses) >= 28  # the frame in which they coincide holds one person


def test_who_is_hidden_is_found_again_where_they_walked_to():
    a = [20.0 + 10.0 * t if not 10 <= t < 18 else None for t in range(30)]
    b = [150.0] * 30
    tracks = chains([a, b])
    assert sorted(len(track.poses) for track in tracks) == [22, 30]


def test_a_second_detection_of_one_person_begins_no_track():
    path = [20.0 + 5.0 * t for t in range(12)]
    tracks = chains([path, [None] * 4 + [x + 2.0 for x in path[4:]]])
    assert len(tracks) == 1 and len(tracks[0].poses) == 12


def test_looks_decide_where_place_does_not():
    red, blue = np.eye(2)
    # Both hidden for a moment in which they turned round: by place each comes back as the other.
    a = [100.0 + 8.0 * t if t < 6 else None if t < 9 else 148.0 - 8.0 * (t - 6) for t in range(14)]
    b = [196.0 - 8.0 * t if t < 6 else None if t < 9 else 156.0 + 8.0 * (t - 6) for t in range(14)]
    tracks = chains([a, b], looks=[red, blue])
    assert len(tracks) == 2
    for track in tracks:
        assert np.array_equal(track.appearances.mean, track.appearances.latest) and len(track.poses) == 11


def test_velocity_of_a_known_walk_is_not_moved_by_a_swinging_limb():
    poses = [figure(20.0 + 3.0 * t) for t in range(10)]
    for t, pose in enumerate(poses):
        pose.keypoints_px[9:11, 0] += 20.0 * np.sin(t)
    (track,) = associate([(t / 20.0, [pose], [None]) for t, pose in enumerate(poses)], 1.0, CONFIG)
    times = np.arange(10) / 20.0
    expected = 60.0 * 0.45 / 0.55  # shrunk by how short the appearance was
    assert np.allclose(velocity_px_s(track, times), [expected, 0.0], atol=1.0)
    assert np.allclose(velocity_px_s(track, times, at_start=True), [expected, 0.0], atol=1.0)


def test_nothing_seen():
    assert associate([(0.0, [], []), (0.1, [], [])], 1.0, CONFIG) == []
