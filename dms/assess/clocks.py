"""Measures of time by the clock, for what gaps between frames prove rather than interrupt."""

from __future__ import annotations

from dms.assess.signals import NOTHING
from dms.assess.temporal import EventWindow, LowPass, Tick
from dms.records import Signal

LEAST_RATE_HZ = 5.0
"""A closure of a second needs several looks: the floor of closures and yawns (10 a second for PERCLOS)."""
_SLACK = 1.05
"""Five a second that jitter are no overload."""
_MEMORY_S = 1.0
"""Time constant of the mean interval between frames: one late frame is no overload."""

_STEPS_WINDOW_S, _STEPS_LEAST = 10.0, 3
"""One step back in a while is a clock put right; so many in ten seconds are a clock not to be trusted."""


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


class StepsBack:
    """Whether the stamps go back again and again."""

    def __init__(self) -> None:
        """Start before the first stamp."""
        self._stamp_s: float | None = None
        self._run_s = 0.0
        self._steps = EventWindow(_STEPS_WINDOW_S)
        self._many = Since()

    def update(self, stamp_s: float) -> None:
        """Take the next stamp, finite."""
        step_s = 0.0 if self._stamp_s is None else stamp_s - self._stamp_s
        self._stamp_s = stamp_s
        self._run_s += max(0.0, step_s)
        if step_s < 0.0:
            self._steps.add(self._run_s)
        self._steps.expire(self._run_s)
        since_s = self._many.since_s
        if since_s is not None and since_s > stamp_s:  # by a clock that is not in force any more
            self._many.since_s = stamp_s
        self._many.update(stamp_s, len(self._steps) >= _STEPS_LEAST)

    def signal(self) -> Signal:
        """Seconds since it does, and onset; 0 while it does not."""
        return self._many.signal()
