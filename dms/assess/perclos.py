"""PERCLOS P80: the share of the seen time with the lids at least 80 % closed, blinks left out.

Defined by Wierwille 1994 (DOT HS 808 247) and Dinges & Grace 1998 (FHWA-MCRT-98-006). Two windows, because
one minute alone flips many verdicts of three minutes. It takes 10 frames a second to be exact, and 5 to be
at all.
"""

from __future__ import annotations

from dms.assess.sampling import SampleRate
from dms.assess.signals import UNKNOWN
from dms.assess.temporal import Tick, TimeWindow
from dms.config.assess import EyesConfig
from dms.records import Signal

WINDOWS_S = (60.0, 180.0)
_LEAST_FPS = 5.0
EXACT_FPS = 10.0
"""Below this the share is uncertain: fast blinks pass for slow ones."""


class Perclos:
    """Folds the driver's openness into the two shares.

    Unseen time is in neither numerator nor denominator. A closure counts, from its beginning, once it is too
    long for a blink.
    """

    def __init__(self, eyes: EyesConfig, rate: SampleRate) -> None:
        """Take the limits, and how often the lids are seen."""
        self._closed_below = eyes.perclos_closed_below
        self._exclude_below_s = eyes.perclos_exclude_below_s
        self._usable_share = eyes.perclos_usable_share
        self._rate = rate
        self._usable = {window_s: TimeWindow(window_s) for window_s in WINDOWS_S}
        self._closed = {window_s: TimeWindow(window_s) for window_s in WINDOWS_S}
        self._windows = (*self._usable.values(), *self._closed.values())
        self._seen = False
        self._run_onset_s: float | None = None
        self._counted_to_s = 0.0

    def update(self, tick: Tick, openness: float | None) -> None:
        """Take the driver's relative openness, or None where it was not seen."""
        joined = self._seen and openness is not None and tick.joined
        self._seen = openness is not None
        if joined:
            for window in self._usable.values():
                window.add(tick.last_s, tick.now_s)
            self._count_closed(tick.now_s)
        low = openness is not None and openness < self._closed_below
        if not low:
            self._run_onset_s = None
        elif self._run_onset_s is None or not joined:
            self._run_onset_s = self._counted_to_s = tick.now_s
        for window in self._windows:
            window.expire(tick.now_s)

    def signal(self, window_s: float) -> Signal:
        """The share of one window, unknown until half of it was seen."""
        usable_s = self._usable[window_s].seconds
        if usable_s < self._usable_share * window_s or not self._rate.at_least(_LEAST_FPS):
            return UNKNOWN
        return Signal(min(1.0, max(0.0, self._closed[window_s].seconds / usable_s)))

    @property
    def usable_60_s(self) -> float | None:
        """Seconds of the last 60 with eyes seen, None if too few to speak of."""
        seconds = self._usable[60.0].seconds
        return seconds if seconds >= self._usable_share * 60.0 else None

    @property
    def usable_share(self) -> float:
        """How much of the longer window was seen, 0 to 1."""
        return min(1.0, self._usable[WINDOWS_S[1]].seconds / WINDOWS_S[1])

    def _count_closed(self, now_s: float) -> None:
        """Count the run of lowered lids that reached up to now, if it is no blink."""
        if self._run_onset_s is None or now_s - self._run_onset_s < self._exclude_below_s:
            return
        for window in self._closed.values():
            window.add(self._counted_to_s, now_s)
        self._counted_to_s = now_s
