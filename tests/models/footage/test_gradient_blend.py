"""Medians are numpy's, and a picture is got back from its own differences."""

import numpy as np

from models.footage.gradient_blend import blend, colour_median, integrate, masked_median


def test_masked_median_equals_numpy():
    rng = np.random.default_rng(0)
    values, hidden = rng.random((7, 50)).astype(np.float32), rng.random((7, 50)) < 0.5
    expected = [np.median(v[~h]) if (~h).any() else 0.0 for v, h in zip(values.T, hidden.T, strict=True)]
    np.testing.assert_allclose(masked_median(values, hidden), expected, rtol=1e-6)


def test_a_picture_comes_of_its_differences():
    picture = np.random.default_rng(0).uniform(0, 255, (30, 40, 3)).astype(np.float32)
    right, down = np.diff(picture, axis=1), np.diff(picture, axis=0)
    np.testing.assert_allclose(integrate(picture, right, down), picture, atol=1e-3)
    # Of colours that are off by a step only the level at large is taken.
    stepped = picture + np.where(np.arange(40) < 20, 0.0, 20.0)[None, :, None].astype(np.float32)
    assert np.abs(np.diff(integrate(stepped, right, down), axis=1) - right).max() < 2.0


def test_where_all_samples_vote_it_is_the_median():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (5, 20, 30, 3)).astype(np.uint8)
    gains, votes = np.linspace(0.9, 1.1, 15).reshape(5, 3), np.ones((5, 20, 30), dtype=bool)
    dark = np.zeros((20, 30), dtype=bool)
    expected = np.median(frames * gains[:, None, None], axis=0)
    np.testing.assert_allclose(blend(frames, gains, votes, votes, dark), expected, rtol=1e-5)
    np.testing.assert_allclose(colour_median(frames, gains, votes), expected, rtol=1e-5)
