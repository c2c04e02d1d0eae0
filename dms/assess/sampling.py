"""How often the lids are seen, measured from the timestamps of the readings themselves."""

from __future__ import annotations

from dms.assess.temporal import ROUNDING_S, LowPass, Tick

_MEMORY_S = 5.0
_GAP_S = 0.5
"""Lids unseen for longer were hidden: that is a gap, and no rate."""
_JITTER = 1.05
"""A camera of nominal 15 frames a second that gives 14.5 still counts as one of 15."""


class SampleRate:
    """Readings of the lids per second. Frames that did not show them do not count as readings."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._interval = LowPass(_MEMORY_S)
        self._last_s: float | None = None
        self.interval_s: float | None = None
        """Mean time between two readings; None until there were two."""

    def update(self, tick: Tick, seen: bool) -> None:
        """Take one moment at which the lids were seen, or not."""
        if not seen:
            return
        elapsed_s = 0.0 if self._last_s is None else tick.now_s - self._last_s
        if 0 < elapsed_s <= _GAP_S + ROUNDING_S:
            self.interval_s = self._interval.update(elapsed_s, elapsed_s)
        self._last_s = tick.now_s

    def at_least(self, fps: float) -> bool:
        """Whether the lids are seen this often."""
        return self.interval_s is not None and self.interval_s * fps <= _JITTER
