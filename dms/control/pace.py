"""How fast the level may change: dwell, changes a minute, and longer waits after a relapse. Pure."""

from __future__ import annotations

import math
from collections import deque

from dms.config import ControlConfig

RELAPSE_S = 300.0
"""A step up this soon after a step down was a relapse: the next step down waits twice as long as the last."""
MOST_CAUTION = 16
"""How many times `down_after_s` that wait becomes at most: eight minutes by default."""
MINUTE_S = 60.0
LONGEST_TICK_S = 5.0
"""Time between two updates counts for no more than this, or than two periods: a jump of the clock proves
nothing about a device that nobody watched meanwhile."""


class Clock:
    """Seconds that were watched, from any clock: one that jumps ahead or runs back."""

    def __init__(self, every_s: float) -> None:
        self._most_s = max(LONGEST_TICK_S, 2 * every_s)
        self._last_s: float | None = None
        self._watched_s = 0.0

    def update(self, now_s: float) -> float:
        """The seconds watched up to `now_s`."""
        if math.isfinite(now_s):
            if self._last_s is not None:
                self._watched_s += min(max(0.0, now_s - self._last_s), self._most_s)
            self._last_s = now_s
        return self._watched_s


class Lasting:
    """How long a condition has held without a break."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    def update(self, now_s: float, holds: bool) -> float:
        """Seconds up to `now_s`; minus infinity while it does not hold."""
        if not holds:
            self._since_s = None
            return -math.inf
        if self._since_s is None:
            self._since_s = now_s
        return now_s - self._since_s


class Pace:
    """When the next step may be taken.

    Steps up that protect the device are not counted out: from any level at most four can follow each other,
    so that a minute never sees more than `changes_per_min` changes and four.
    """

    def __init__(self, config: ControlConfig) -> None:
        self._config = config
        self.wait_s = config.down_after_s
        """How long all must be calm before the next step down."""
        self._caution = 1
        self.held = False
        """Whether a step up was refused because of too many changes, until there may be one again. A step
        down that waits for that is no hold: waiting is its nature."""
        self._changed_s: deque[float] = deque()
        self._rose_s = self._fell_s = -math.inf

    def update(self, now_s: float) -> None:
        """Forget changes older than a minute."""
        while self._changed_s and now_s - self._changed_s[0] >= MINUTE_S:
            self._changed_s.popleft()
        self.held = self.held and self._is_full()

    def may_rise(self, now_s: float, *, urgent: bool) -> bool:
        """Whether a step up may be taken now."""
        if now_s - self._rose_s < self._config.up_after_s:
            return False
        self.held = self._is_full() and not urgent
        return not self.held

    def may_fall(self, calm_s: float) -> bool:
        """Whether a step down may be taken after so long a calm."""
        return calm_s >= self.wait_s and not self._is_full()

    def rose(self, now_s: float) -> None:
        """A step up was taken."""
        if now_s - max(self._rose_s, self._fell_s) > RELAPSE_S:
            self._caution = 1
        elif self._fell_s > self._rose_s:  # the next steps of the same rise are no relapses of their own
            self._caution = min(2 * self._caution, MOST_CAUTION)
        self.wait_s = self._caution * self._config.down_after_s
        self._rose_s = now_s
        self._changed_s.append(now_s)

    def fell(self, now_s: float) -> None:
        """A step down was taken."""
        self._fell_s = now_s
        self.wait_s = self._config.down_after_s  # the relapse cost its wait; what follows may go on
        self._changed_s.append(now_s)

    def _is_full(self) -> bool:
        return len(self._changed_s) >= self._config.changes_per_min
