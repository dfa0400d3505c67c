"""The clock of a source of frames: whatever the source says, times go forwards, and what was done about it is said."""

from collections import deque

import numpy as np

RESTART_PERIODS = 4.0
"""A step back of more frame periods is a clock that starts again; a smaller one is a frame out of order."""
PAUSE_S = 60.0
"""Steps forward that are longer are said: a recorder that pauses, or a clock that was set."""
FASTEST_HZ = 240.0
"""Frames a second of the fastest cameras; a clock that gives more counts something else."""


class FrameClock:
    """Turns the times that a source gives to its frames, in the order they are shown, into times that go forwards.

    A clock that starts again (segments of a recorder joined) goes on one frame period after the last frame; so does a
    frame without a time. A frame that is as late as the one before, or a little earlier, is left out.
    """

    def __init__(self, period_s: float):
        """`period_s` is the source's own idea of its frame period, used until two frames have shown it."""
        self.dropped = 0
        self.untimed = 0
        self.restarts: list[tuple[int, float]] = []
        self._pause: tuple[float, int] = (0.0, 0)
        self._nominal_s = period_s
        self._steps: deque[float] = deque(maxlen=31)
        self._origin: float | None = None
        self._last: float | None = None
        self._count = 0

    def forward(self, time_s: float | None) -> float | None:
        """Return the frame's seconds since the first frame, or None where the frame is left out."""
        if time_s is None:
            self.untimed += 1
            return self._keep(0.0 if self._last is None else self._last + self._period_s())
        if self._origin is None:
            self._origin = time_s if self._last is None else time_s - self._last - self._period_s()
        time = time_s - self._origin
        if self._last is not None and time <= self._last:
            if self._last - time <= RESTART_PERIODS * self._period_s():
                self.dropped += 1
                return None
            self.restarts.append((self._count, self._last))
            time = self._last + self._period_s()
            self._origin = time_s - time
        return self._keep(time)

    def notes(self) -> list[str]:
        """Say in words what was not as the source has it."""
        said = []
        if self.restarts:
            frame, time = self.restarts[0]
            often = f"{len(self.restarts)} times, first" if len(self.restarts) > 1 else "once,"
            said.append(
                f"the clock starts again {often} after frame {frame - 1} at {time:.3f} s: it is continued by one frame "
                "period"
            )
        if self.dropped:
            said.append(f"{self.dropped} frame(s) whose time does not go forwards are left out")
        if self.untimed:
            said.append(f"{self.untimed} frame(s) without a time follow one frame period after the frame before")
        if self._pause[0] > PAUSE_S:
            said.append(f"no frame for {self._pause[0]:.0f} s after frame {self._pause[1]}")
        return said

    def _period_s(self) -> float:
        return float(np.median(self._steps)) if self._steps else self._nominal_s

    def _keep(self, time: float) -> float:
        if self._last is not None:
            step = time - self._last
            self._steps.append(step)
            self._pause = max(self._pause, (step, self._count - 1))
        self._last = time
        self._count += 1
        return time
