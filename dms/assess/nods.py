"""Nods of a driver who falls asleep: the head sinks with the lids low, and jerks up.

Drowsy nods go 12 to 20 degrees down, normal ones 2 to 8; low lids tell them from a look at the gauges. The
weakest of all cues (72.5 % against 93 % of PERCLOS in Bergasa 2006, acted): it corroborates, no more.
"""

from __future__ import annotations

from dms.assess.baseline import Baseline
from dms.assess.openness import Openness
from dms.assess.reading import Reading
from dms.assess.sampling import SampleRate
from dms.assess.temporal import EventWindow, Tick
from dms.config.assess import EyesConfig
from dms.records import Signal

_WINDOW_S = 600.0
_LEAST_FPS = 15.0
_LIDS_FIRST_S = 0.25
"""The lids are low, longer than a blink, before the head sinks; in a look down both go together."""
_JERK_S = 0.6
"""From the depth of the nod to the head held up again."""
_LONGEST_S = 5.0
"""A head that stays down longer does not nod."""


class Nods:
    """Folds head pitch and lids into the number of nods of the last ten minutes."""

    def __init__(self, eyes: EyesConfig, baseline: Baseline, rate: SampleRate) -> None:
        """Take the limits, the driver's baseline, which is read, not written, and the rate of readings."""
        self._depth_deg = eyes.nod_deg
        self._up_deg = eyes.nod_deg / 2
        self._low_below = eyes.open_above
        self._baseline = baseline
        self._rate = rate
        self._window = EventWindow(_WINDOW_S)
        self._low_since_s: float | None = None
        self._sinking_since_s: float | None = None
        self._deep_s: float | None = None

    def update(self, tick: Tick, reading: Reading, openness: Openness | None) -> None:
        """Take one reading and the openness made of it."""
        self._window.expire(tick.now_s)
        ahead = self._baseline.forward.head
        if reading.head is None or not ahead.usable or not tick.joined:
            self._low_since_s = self._sinking_since_s = self._deep_s = None
            return
        sunk_deg = ahead.pitch_deg - reading.head.pitch_deg
        if sunk_deg >= self._up_deg:
            self._sink(tick.now_s, sunk_deg)
        else:
            self._rise(tick.now_s)
            self._note_lids(tick.now_s, openness)

    @property
    def count(self) -> int:
        """Nods in the window."""
        return len(self._window)

    def signals(self) -> dict[str, Signal]:
        """Nods of ten minutes; unknown below 15 frames a second."""
        known = self._rate.at_least(_LEAST_FPS)
        return {"nods_10min": Signal(float(self.count) if known else None)}

    def _note_lids(self, now_s: float, openness: Openness | None) -> None:
        """Keep since when the lids have been low with the head up."""
        if openness is None or openness.value >= self._low_below:
            self._low_since_s = None
        elif self._low_since_s is None:
            self._low_since_s = now_s

    def _sink(self, now_s: float, sunk_deg: float) -> None:
        first = self._low_since_s is not None and now_s - self._low_since_s >= _LIDS_FIRST_S
        if self._sinking_since_s is None and first:
            self._sinking_since_s = now_s
        self._low_since_s = None
        if self._sinking_since_s is not None and sunk_deg >= self._depth_deg:
            self._deep_s = now_s

    def _rise(self, now_s: float) -> None:
        since_s, deep_s = self._sinking_since_s, self._deep_s
        if since_s is not None and deep_s is not None:
            nodded = now_s - deep_s <= _JERK_S and now_s - since_s <= _LONGEST_S
            if nodded and self._rate.at_least(_LEAST_FPS):
                self._window.add(now_s)
        self._sinking_since_s = self._deep_s = None
