"""Blinks and longer closures of the last minute: how many, how long.

Minute by minute the mean length of closures tells drowsiness best (AUC 0.82 to 0.83 against 0.68 of the
closed share, Wilkinson 2013); drowsy blinks last above 0.5 s (Johns 2003). The rate of blinks tells nothing
of it (Friedrichs & Yang 2010) and is for display. Lengths depend on the frame rate: at 10 frames a second
half of all blinks are missed, so they are unknown below 15, and lengths from different rates are never put
together.
"""

from __future__ import annotations

import statistics
from collections import deque

from dms.assess.sampling import SampleRate
from dms.assess.temporal import ROUNDING_S
from dms.config.assess import EyesConfig

_MINUTE_S = 60.0
_BLINK_FPS = 15.0
_CLOSURE_FPS = 10.0
_BLINKS_LEAST = 10
"""A median of fewer blinks says nothing (single ones are off by a fifth even at 30 frames a second)."""
_OTHER_RATE = 1.5
"""Rates further apart than this factor are not compared."""


class Blinks:
    """Folds ended closures into the statistics of the last minute."""

    def __init__(self, eyes: EyesConfig, rate: SampleRate) -> None:
        """Take the limits, and how often the lids are seen."""
        self._blink_max_s = eyes.blink_max_s
        self._least = eyes.mean_closure_least
        self._rate = rate
        self._measured_at_s: float | None = None
        self._closures: deque[tuple[float, float]] = deque()
        self.mean_s: float | None = None
        self.blink_s: float | None = None
        self.long_share: float | None = None
        self._blinks = 0
        self.restarts = 0
        """How often another frame rate made all lengths incomparable with those before."""

    def update(self, now_s: float, ended_s: float | None) -> None:
        """Take the length of a closure that has just ended, None if none has."""
        changed = self._forget_other_rate()
        if ended_s is not None:
            self._closures.append((now_s, ended_s))
            changed = True
        while self._closures and self._closures[0][0] <= now_s - _MINUTE_S:
            self._closures.popleft()
            changed = True
        if changed:
            self._measure()

    def per_min(self, usable_s: float | None) -> float | None:
        """Blinks per minute of the `usable_s` seconds the eyes were seen; unknown where that is."""
        if not usable_s or not self._rate.at_least(_BLINK_FPS):
            return None
        return self._blinks * _MINUTE_S / usable_s

    def known(self, value: float | None, *, fps: float = _CLOSURE_FPS) -> float | None:
        """A statistic where the lids are seen often enough for it, else None."""
        return value if self._rate.at_least(fps) else None

    @property
    def median_s(self) -> float | None:
        """Median length of the blinks; unknown from too few or below 15 frames a second."""
        return self.known(self.blink_s, fps=_BLINK_FPS)

    def _measure(self) -> None:
        lengths_s = [length_s for _, length_s in self._closures]
        # a length is known to half an interval: what may be a blink at another rate is one at this
        longest_s = self._blink_max_s + (self._rate.interval_s or 0.0) / 2 + ROUNDING_S
        blinks_s = [length_s for length_s in lengths_s if length_s <= longest_s]
        enough = len(lengths_s) >= self._least
        self._blinks = len(blinks_s)
        self.mean_s = sum(lengths_s) / len(lengths_s) if enough else None
        self.long_share = 1 - len(blinks_s) / len(lengths_s) if enough else None
        self.blink_s = statistics.median(blinks_s) if len(blinks_s) >= _BLINKS_LEAST else None

    def _forget_other_rate(self) -> bool:
        interval_s = self._rate.interval_s
        if interval_s is None:
            return False
        if self._measured_at_s is None:
            self._measured_at_s = interval_s
        if 1 / _OTHER_RATE <= interval_s / self._measured_at_s <= _OTHER_RATE:
            return False
        self._measured_at_s = interval_s
        self._closures.clear()
        self.restarts += 1
        return True


class OwnClosure:
    """How long this driver's closures are when awake: the mean of the drive's first, frozen then.

    Between people the length of blinks differs more than it grows with sleepiness (Ingre 2006), so each is
    measured against himself. A mean above `_LONGEST_S` is taken for that: who starts tired is no norm.
    """

    _LEAST = 40
    """About three minutes of blinking."""
    _LONGEST_S = 0.35

    def __init__(self) -> None:
        """Start knowing nothing."""
        self._restarts = 0
        self._count = 0
        self._total_s = 0.0

    def learn(self, blinks: Blinks, ended_s: float | None) -> None:
        """Take the length of a closure that has just ended, None if none has."""
        if blinks.restarts != self._restarts:
            self._restarts, self._count, self._total_s = blinks.restarts, 0, 0.0
        if ended_s is not None and self._count < self._LEAST:
            self._count += 1
            self._total_s += ended_s

    def ratio(self, mean_s: float | None) -> float | None:
        """A mean closure over this driver's own; None until both are known."""
        if mean_s is None or self._count < self._LEAST:
            return None
        return mean_s / min(self._LONGEST_S, max(1e-3, self._total_s / self._count))
