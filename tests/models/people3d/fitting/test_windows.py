"""Fits of long motions: windows that cover everything, crossfade without a seam, at any time that is asked for."""

import itertools
import tracemalloc

import numpy as np

from models.geometry.transforms import matrix_from_axis_angle, yaw
from models.people3d.fitting.fit import Fit
from models.people3d.fitting.windows import crossfade, fit_at, windows


def test_windows_cover_everything_and_joining_keeps_a_motion():
    cut = windows(100, 30, 6)
    assert cut[0].start == 0 and cut[-1].stop == 100
    assert all(w.stop - w.start <= 30 for w in cut)
    assert all(after.start < before.stop for before, after in itertools.pairwise(cut))
    rng = np.random.default_rng(0)
    orient = matrix_from_axis_angle(rng.normal(size=(100, 3)))
    whole = Fit(
        np.zeros(10, np.float32), np.zeros(3), orient, rng.normal(size=(100, 69)), rng.normal(size=(100, 3)), 1.0
    )
    parts = [
        (w.start, Fit(whole.betas, whole.latent, orient[w], whole.body_pose[w], whole.transl[w], 1.0)) for w in cut
    ]
    again = crossfade(parts, 100)
    assert np.allclose(again.global_orient, orient) and np.allclose(again.body_pose, whole.body_pose)
    assert np.allclose(again.transl, whole.transl)


def test_memory_for_motion_at_other_times_grows_with_the_clip_and_no_faster():
    """Ten minutes at 18 frames a second; frames by frames they would be 8 GB."""
    times = np.arange(10800) / 18.0
    turning = np.stack([yaw(angle) for angle in 0.3 * times])
    fit = Fit(np.zeros(10), np.zeros(3), turning, np.zeros((10800, 69)), np.zeros((10800, 3)), 1.0)
    tracemalloc.start()
    later = fit_at(fit, times, times[:-1] + 1.0 / 36.0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.allclose(later.global_orient[5000], yaw(0.3 * (times[5000] + 1.0 / 36.0)))
    assert most < 100e6
