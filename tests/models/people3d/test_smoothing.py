"""Curves of least change of velocity: steady ones stay, noise shrinks, frames without trust are bridged."""

import numpy as np

from models.geometry.transforms import matrix_from_axis_angle
from models.people3d.smoothing import SmoothnessWeights, smooth_curves, stretches

TIMES = np.cumsum(np.random.default_rng(0).uniform(0.03, 0.07, 30))
LEVERS = np.array([0.3])
WEIGHTS = SmoothnessWeights(weight=1.0, spread_m=0.03, acceleration=8.0)


def steady() -> tuple[np.ndarray, np.ndarray]:
    """A straight line at constant speed, and a spin at constant angular velocity, by true time."""
    spin = matrix_from_axis_angle(TIMES[:, None] * np.array([0.2, 1.4, -0.5]))
    return (TIMES[:, None] * np.array([1.0, -0.4, 0.1]))[None], spin[None]


def test_constant_velocity_stays():
    places, rotations = steady()
    x, smoothed = smooth_curves(places, rotations, LEVERS, TIMES, np.ones(30), WEIGHTS)
    np.testing.assert_allclose(x, places, atol=1e-9)
    np.testing.assert_allclose(smoothed, rotations, atol=1e-7)


def test_noise_shrinks_and_a_frame_without_trust_is_bridged():
    places, rotations = steady()
    trust = np.ones(30)
    trust[12] = 0.0
    noisy = places + np.random.default_rng(1).normal(0.0, 0.01, places.shape)
    noisy[0, 12] += 5.0
    x, _ = smooth_curves(noisy, rotations, LEVERS, TIMES, trust, WEIGHTS)
    others = trust > 0.0
    assert np.abs(x - places)[0, others].mean() < 0.7 * np.abs(noisy - places)[0, others].mean()
    assert np.abs(x - places)[0, 12].max() < 0.02


def test_each_curve_is_smoothed_for_itself():
    places, rotations = steady()
    noisy = np.concatenate([places, 2.0 * places]) + np.random.default_rng(2).normal(0.0, 0.01, (2, 30, 3))
    both, _ = smooth_curves(noisy, rotations, LEVERS, TIMES, np.ones(30), WEIGHTS)
    alone, _ = smooth_curves(noisy[1:], rotations, LEVERS, TIMES, np.ones(30), WEIGHTS)
    np.testing.assert_allclose(both[1:], alone, atol=1e-6)


def test_stretches_end_at_long_gaps():
    times = np.array([0.0, 0.1, 0.2, 1.5, 1.6, 1.7])
    seen = np.array([True, False, True, True, True, False])
    assert [part.tolist() for part in stretches(seen, times, 0.6)] == [[0, 1, 2], [3, 4]]
    assert stretches(np.zeros(6, bool), times, 0.6) == []
