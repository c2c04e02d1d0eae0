"""Measures of time by the clock, for what gaps between frames prove rather than interrupt."""

from __future__ import annotations

from dms.assess.signals import NOTHING
from dms.assess.temporal import LowPass, Tick
from dms.records import Signal

LEAST_RATE_HZ = 5.0
"""A closure of a second needs several looks: the floor of closures and yawns (10 a second for PERCLOS)."""
_SLACK = 1.05
"""Five a second that jitter are no overload."""
_MEMORY_S = 1.0
"""Time constant of the mean interval between frames: one late frame is no overload."""


class Since:
    """Since when something has held. While it is unknown (None) nothing changes."""

    def __init__(self) -> None:
        """Start with what does not hold."""
        self.since_s: float | None = None
        self.seconds = 0.0

    def signal(self) -> Signal:
        """Seconds and onset; 0 while it does not hold."""
        return NOTHING if self.since_s is None else Signal(self.seconds, self.since_s)

    def update(self, now_s: float, state: bool | None, since_s: float | None = None) -> None:
        """Take what is so now, and has been since `since_s` where that is known."""
        if state is False:
            self.since_s, self.seconds = None, 0.0
        elif state:
            if self.since_s is None:
                self.since_s = now_s if since_s is None else since_s
            self.seconds = now_s - self.since_s


class Pace:
    """Whether frames are judged too seldom, though they come."""

    def __init__(self) -> None:
        """Start before the first frame."""
        self._interval = LowPass(_MEMORY_S)
        self._frame_s: float | None = None

    def too_slow(self, tick: Tick, lost: bool) -> bool | None:
        """Take the next moment; None while that cannot be told, as no frame came."""
        if lost:
            return None
        last_s, self._frame_s = self._frame_s, tick.now_s
        if last_s is None or tick.now_s <= last_s:
            return None
        elapsed_s = min(tick.now_s - last_s, _MEMORY_S)  # a single gap is a loss, told as such
        return self._interval.update(elapsed_s, elapsed_s) > _SLACK / LEAST_RATE_HZ
