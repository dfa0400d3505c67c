"""Curves that ease in and out: their ends, their slopes, and what lies beyond."""

import numpy as np
import pytest

from models.geometry.easing import minimum_jerk, smoothstep


@pytest.mark.parametrize("ease", [smoothstep, minimum_jerk])
def test_it_rises_from_0_to_1_and_is_level_at_both_ends(ease):
    x = np.linspace(-0.5, 1.5, 2001)
    y = ease(x)
    np.testing.assert_array_equal(y[x <= 0.0], 0.0)
    np.testing.assert_allclose(y[x >= 1.0], 1.0, atol=1e-12)
    assert (np.diff(y) >= -1e-12).all() and y[1000] == pytest.approx(0.5, abs=1e-9)
    slope = np.gradient(y, x)
    assert abs(slope[np.isclose(x, 0.001)]).max() < 0.01 and abs(slope[np.isclose(x, 0.999)]).max() < 0.01


def test_a_smoothstep_is_the_cubic_times_its_height():
    x = np.array([0.1, 0.25, 0.8])
    np.testing.assert_allclose(smoothstep(x), 3.0 * x**2 - 2.0 * x**3)
    np.testing.assert_allclose(smoothstep(x, np.array([2.0, -1.0, 0.5])), [2.0, -1.0, 0.5] * smoothstep(x))
    assert smoothstep(0.5) == 0.5 and smoothstep(7.0) == 1.0


def test_minimum_jerk_begins_and_ends_at_rest() -> None:
    x = np.linspace(-0.5, 1.5, 2001)
    course = minimum_jerk(x)
    speed, acceleration = np.gradient(course, x), np.gradient(np.gradient(course, x), x)
    assert (course[x <= 0.0] == 0.0).all() and (course[x >= 1.0] == 1.0).all()
    assert speed.max() == pytest.approx(1.875, abs=1e-3) and abs(speed[np.abs(x) < 1e-9]).max() < 1e-3
    assert abs(acceleration[(x < 0.002) | (x > 0.998)]).max() < 0.2
