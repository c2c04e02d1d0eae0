"""Yawns, the hand before the mouth or not. They corroborate drowsiness and prove nothing.

Yawns last 3.5 to 6 s, those of drivers 4.0 s with a deviation of 2.3 s, and 44 to 67 % are covered by a hand;
no number of them per hour is a validated limit. Talk, song and laughter open the mouth again and again: then
only a mouth open for as long as yawns last counts.
"""

from __future__ import annotations

from dms.assess.reading import Reading
from dms.assess.temporal import ROUNDING_S, EventWindow, Hysteresis, Tick, Timer
from dms.config.assess import AvailabilityConfig, EyesConfig
from dms.records import Signal

_WINDOW_S = 600.0
_TALK_WINDOW_S = 6.0
_TALK_OPENINGS = 3
"""Three short openings within six seconds are speech: people speak about four syllables a second."""
_COVERED_WEIGHT = 0.5
"""A hand may also hide a cough."""
_COVERED_LONGEST_S = 12.0
"""A hand that stays longer rests there."""


class Yawns:
    """The present yawn, and how many there were."""

    def __init__(self, eyes: EyesConfig, availability: AvailabilityConfig) -> None:
        """Take the limits."""
        self._min_s = eyes.yawn_min_s
        self._mouth = Hysteresis(on_above=eyes.yawn_above, off_below=eyes.yawn_below)
        self._talk = Talk(eyes)
        self._cover = Cover(eyes)
        self._timer = Timer(eyes.flicker_s, availability.no_face_after_s, availability.forget_after_s)
        self._window = EventWindow(_WINDOW_S)
        self._counted_onset_s: float | None = None

    def update(self, tick: Tick, reading: Reading) -> None:
        """Take one reading."""
        if reading.yawn is None:
            self._timer.update(tick, None)
        else:
            self._take(tick, reading, reading.yawn)
        self._count(tick.now_s)
        self._window.expire(tick.now_s)

    def signals(self) -> dict[str, Signal]:
        """The present yawn, and the count of ten minutes in which a covered one counts half."""
        count = max(0.0, self._window.total)
        return {"yawn_s": self._timer.signal(), "yawns_10min": Signal(count)}

    @property
    def count(self) -> float:
        """Yawns in the window, covered ones counted half."""
        return self._window.total

    def _count(self, now_s: float) -> None:
        """Count the present yawn once it is long enough, or its cover is."""
        onset_s = self._timer.onset_s
        if onset_s is None or onset_s == self._counted_onset_s:
            return
        if self._cover.yawn or self._timer.seconds >= self._min_s - ROUNDING_S:
            self._window.add(now_s, _COVERED_WEIGHT if self._cover.yawn else 1.0)
            self._counted_onset_s = onset_s

    def _take(self, tick: Tick, reading: Reading, probability: float) -> None:
        open_ = self._mouth.update(probability)
        run_s = self._talk.update(tick, open_)
        covered = self._cover.update(tick, reading, open_)
        if open_ and not self._talk.undecided(run_s):
            self._timer.update(tick, True, since_s=self._talk.since_s)
        elif self._cover.yawn and not open_:
            self._timer.update(tick, True, since_s=self._cover.since_s)
        elif open_ or covered:
            self._timer.update(tick, None)  # it may be a yawn: neither counted nor ended
        else:
            self._timer.update(tick, False)


class Talk:
    """Whether the mouth opens again and again, and since when it is open now."""

    def __init__(self, eyes: EyesConfig) -> None:
        """Take the limits."""
        self._short_s = eyes.yawn_min_s
        self._yawn_s = eyes.yawn_talking_s
        self._openings = EventWindow(_TALK_WINDOW_S)
        self._talking = False
        self.since_s: float | None = None

    def update(self, tick: Tick, open_: bool) -> float:
        """Take whether the mouth is open; returns for how long it has been."""
        if not tick.joined:
            self.since_s = None
        if not open_:
            if self.since_s is not None and tick.now_s - self.since_s < self._short_s:
                self._openings.add(tick.now_s)
            self.since_s = None
            return 0.0
        if self.since_s is None:
            self.since_s = tick.now_s
            self._openings.expire(tick.now_s)
            self._talking = len(self._openings) >= _TALK_OPENINGS
        return tick.now_s - self.since_s

    def undecided(self, open_s: float) -> bool:
        """Whether a mouth open for so long may still be talk."""
        return self._talking and open_s < self._yawn_s


class Cover:
    """A hand before a mouth that had begun to open: a yawn if it stays, or the eyes squeeze meanwhile."""

    _OPENS_ABOVE = 0.3
    _SOON_S = 1.0
    """The hand comes within this time of the mouth's opening."""

    def __init__(self, eyes: EyesConfig) -> None:
        """Take the limits."""
        self._covered_above = eyes.mouth_covered_above
        self._squint_above = eyes.squint_above
        self._least_s = eyes.yawn_min_s
        self._long_s = eyes.yawn_covered_s
        self._opening_s: float | None = None
        self._opened_s: float | None = None
        self._squinted = False
        self.since_s: float | None = None
        self.yawn = False

    def update(self, tick: Tick, reading: Reading, open_: bool) -> bool:
        """Take one reading; returns whether a hand hides the mouth."""
        covered = reading.mouth_covered is not None and reading.mouth_covered > self._covered_above
        if not covered or self._eats(reading):
            self._note_opening(tick, open_ or (reading.yawn or 0.0) > self._OPENS_ABOVE)
            self.since_s, self.yawn, self._squinted = None, False, False
            return False
        if (
            self.since_s is None
            and self._opened_s is not None
            and tick.now_s - self._opened_s <= self._SOON_S
        ):
            self.since_s = self._opening_s
        self._squinted |= reading.squint is not None and reading.squint > self._squint_above
        if self.since_s is not None:
            self._decide(tick.now_s - self.since_s)
        return True

    def _eats(self, reading: Reading) -> bool:
        """Whether the hand brings food, drink or smoke: such a mouth opens, and is covered, all the time."""
        return max(reading.eating or 0.0, reading.smoking or 0.0) > self._covered_above

    def _note_opening(self, tick: Tick, opening: bool) -> None:
        """Keep when the mouth last began to open, and when it was last seen so."""
        if not opening:
            if self._opened_s is not None and tick.now_s - self._opened_s > self._SOON_S:
                self._opening_s = self._opened_s = None
            return
        if self._opening_s is None:
            self._opening_s = tick.now_s
        self._opened_s = tick.now_s

    def _decide(self, length_s: float) -> None:
        least_s = self._least_s if self._squinted else self._long_s
        self.yawn = least_s - ROUNDING_S <= length_s <= _COVERED_LONGEST_S
        if length_s > _COVERED_LONGEST_S:
            self._opening_s = self._opened_s = None
