"""A track on another clock: the same where the clocks meet, between its neighbours elsewhere."""

import numpy as np

from models.animation.gait_curves import procedural_walking
from models.body.model import load_body
from models.body.resample import resample_track
from models.body.tracks import track_joints
from models.types import take


def test_a_track_on_a_finer_clock_passes_through_its_own_frames():
    body = load_body()
    walk = procedural_walking(body, np.zeros(10), 2.0, 15.0, np.random.default_rng(0))
    track, times = walk.people[0], walk.timestamps_s
    fine = resample_track(track, times, np.linspace(0.0, times[-1], 2 * len(times) - 1))
    joints, finer = track_joints(body, track), track_joints(body, fine)
    np.testing.assert_allclose(finer[::2], joints, atol=1e-5)
    np.testing.assert_allclose(finer[1::2, 0], (joints[1:, 0] + joints[:-1, 0]) / 2.0, atol=1e-5)
    assert np.linalg.norm(finer[1::2] - (joints[1:] + joints[:-1]) / 2.0, axis=-1).max() < 0.03


def test_what_was_not_seen_is_not_seen_between():
    body = load_body()
    walk = procedural_walking(body, np.zeros(10), 1.0, 10.0, np.random.default_rng(0))
    seen = np.arange(10) < 5
    track = take(walk.people[0], np.arange(10))
    track = type(track)(**(vars(track) | {"visible": seen, "confidence": seen * 1.0}))
    fine = resample_track(track, walk.timestamps_s, np.array([0.0, 0.41, 0.44, 0.46, 0.9]))
    assert fine.visible.tolist() == [True, True, True, False, False]
    np.testing.assert_allclose(fine.confidence, [1.0, 0.9, 0.6, 0.4, 0.0], atol=1e-6)
