"""Whether the eyes are closed, and for how long: the channel of microsleep, sleep and unresponsiveness.

Euro NCAP (Driver Engagement v1.1, 1.3.3 to 1.3.5) tells them apart by the length of one closure: 1 to 2 s, 3
s and 6 s. Where the limits lie is a profile's matter.
"""

from __future__ import annotations

import math

from dms.assess.baseline import Baseline
from dms.assess.openness import Openness, gaze_is_down
from dms.assess.reading import Reading
from dms.assess.sampling import SampleRate
from dms.assess.temporal import Tick, Timer
from dms.config.assess import AvailabilityConfig, EyesConfig
from dms.records import Signal

_ONE_FRAME = 1.5
"""One misread frame lasts this many mean intervals at most; two in a row last longer."""


class Closure:
    """The present closure of both eyes, with hysteresis: below 0.3 they close, above 0.5 they open.

    Once closed, neither one engine nor one frame alone can open the eyes: a sleeper stays asleep through
    their flicker. Lids lowered while the head hangs far down, or just before it goes down, may just look
    down, and the engines cannot tell: such a closure does not count (the eyes-off-road rule, which sees the
    head, takes it), but one that has run for a while goes on, because heads sink in sleep.
    """

    def __init__(
        self, eyes: EyesConfig, availability: AvailabilityConfig, baseline: Baseline, rate: SampleRate
    ) -> None:
        """Take the limits; the driver's baseline and how often the lids are seen are read, not written."""
        self._eyes = eyes
        self._rate = rate
        self._baseline = baseline
        self._low = False
        self._timer = Timer(eyes.flicker_s, availability.no_face_after_s, availability.forget_after_s)
        self._lost = LostInClosure(eyes, availability)
        self.closed: bool | None = None

    @property
    def ended_s(self) -> float | None:
        """Length of the closure whose end the last update found, None if it found none."""
        return self._timer.ended_s

    @property
    def known(self) -> bool:
        """Whether the eyes were seen recently enough to speak of them."""
        return self._timer.known

    def update(self, tick: Tick, reading: Reading, openness: Openness | None) -> None:
        """Take one reading and the openness made of it."""
        self.closed = self._is_closed(reading, openness)
        self._timer.bridge_s = max(self._eyes.flicker_s, _ONE_FRAME * (self._rate.interval_s or 0.0))
        self._timer.update(tick, self.closed)
        self._lost.update(tick, reading, self._timer.seconds)

    def signals(self) -> dict[str, Signal]:
        """How long the eyes have been closed, and since when the face is lost with closed eyes."""
        return {"closure_s": self._timer.signal(), "closure_lost_s": self._lost.signal()}

    def _is_closed(self, reading: Reading, openness: Openness | None) -> bool | None:
        if openness is None:
            return None
        self._low = self._is_low(reading, openness.value)
        begun = self._timer.onset_s is not None and self._timer.seconds >= self._eyes.sink_after_s
        if not self._low or begun:
            return self._low
        if self._baseline.head_is_down(reading):
            return None
        return not gaze_is_down(reading, openness, self._baseline, self._eyes)

    def _is_low(self, reading: Reading, openness: float) -> bool:
        if self._low:
            return openness <= self._eyes.open_above
        squints = reading.squint is not None and reading.squint > self._eyes.squint_above
        return openness < self._eyes.closed_below * (0.5 if squints else 1.0)


class LostInClosure:
    """Since when the face has been gone that was lost in the middle of a closure too long for a blink.

    The timer of the closure stands still meanwhile: what was not seen is not counted. Slumping out of the
    picture asleep must not look better than sleeping in it, hence this path of its own. Only eyes that are
    read again end it: neither a covered lens nor a face with hidden eyes tells that he has woken.
    """

    def __init__(self, eyes: EyesConfig, availability: AvailabilityConfig) -> None:
        """Take the limits."""
        self._begun_s = eyes.blink_max_s
        self._timer = Timer(eyes.flicker_s, availability.no_face_after_s, forget_after_s=math.inf)
        self._in_closure: bool | None = None  # as the eyes were last read; None: never yet

    def update(self, tick: Tick, reading: Reading, closure_s: float) -> None:
        """Take one reading; `closure_s` is the closure's length, frozen while nothing is seen of it."""
        if reading.face and reading.eyes_readable and not reading.stale:
            self._timer.update(tick, False)
            self._in_closure = self._timer.onset_s is not None or closure_s > self._begun_s
        elif reading.face is False and not reading.blank:
            self._timer.update(tick, self._in_closure)
        else:
            self._timer.update(tick, None)

    def signal(self) -> Signal:
        """Seconds since the face was lost; 0 where it was not, or not in a closure, None where unknown."""
        return self._timer.signal()
