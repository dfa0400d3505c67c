"""Times go forwards whatever the source says, and what was done about it is said."""

import numpy as np
import pytest

from models.footage.frame_clock import FrameClock


def run(times: list[float | None], period_s: float = 0.1) -> tuple[FrameClock, list[float | None]]:
    clock = FrameClock(period_s)
    return clock, [clock.forward(time) for time in times]


def test_a_sound_clock_is_kept_to_the_last_bit():
    times = [3.7 + i / 30 for i in range(20)]
    clock, out = run(times)
    assert out == [time - times[0] for time in times] and clock.notes() == []


def test_a_clock_that_starts_again_goes_on_one_frame_period_later():
    clock, out = run([5.0, 5.1, 5.2, 5.3, 5.4, 5.5, 5.0, 5.1, 5.2, 0.0, 0.1])
    np.testing.assert_allclose(np.array(out, float), np.arange(11) * 0.1)
    assert clock.dropped == 0
    assert clock.notes() == [
        "the clock starts again 2 times, first after frame 5 at 0.500 s: it is continued by one frame period"
    ]


def test_frames_out_of_order_and_doubles_are_left_out_and_counted():
    clock, out = run([0.0, 0.1, 0.3, 0.2, 0.3, 0.4])
    assert out[3] is None and out[4] is None and out[5] == pytest.approx(0.4)
    assert clock.notes() == ["2 frame(s) whose time does not go forwards are left out"]


def test_frames_without_a_time_follow_the_one_before():
    clock, out = run([None, None, 7.0, 7.2, None, 7.6], period_s=0.25)
    np.testing.assert_allclose(np.array(out, float), [0.0, 0.25, 0.5, 0.7, 0.95, 1.1])
    assert clock.notes() == ["3 frame(s) without a time follow one frame period after the frame before"]


def test_long_pauses_are_said():
    clock, out = run([0.0, 0.1, 100.0])
    assert out == [0.0, 0.1, 100.0] and clock.notes() == ["no frame for 100 s after frame 1"]
