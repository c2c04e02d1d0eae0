"""Whether the driver can be judged at all, and why not.

What is wrong with the picture explains a missing face: a covered lens, darkness, glare and a frozen stream
say nothing of whether the driver is there, so `no_face_s` stands still under them. Each cause is told once it
has lasted for its time in `AvailabilityConfig`; `docs/availability.md` lists them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from dms.assess.clocks import Pace, Since
from dms.assess.picture import hides, picture_troubles
from dms.assess.place import Place
from dms.assess.reading import Reading
from dms.assess.temporal import ROUNDING_S, Tick, Timer, TimeWindow
from dms.config.assess import AvailabilityConfig
from dms.records import Signal, UnknownCause

WORD_S = 3.5
"""Engines that run when due speak 3 s apart at most: what one said, or that it failed, holds this long."""

_SIGNALS: Mapping[UnknownCause, str] = {
    UnknownCause.CAMERA_LOST: "fault_s",
    UnknownCause.ENGINE_FAILED: "fault_s",
    UnknownCause.OVERLOAD: "overload_s",
    UnknownCause.FROZEN: "frozen_s",
    UnknownCause.BLOCKED: "blocked_s",
    UnknownCause.DARK: "dark_s",
    UnknownCause.GLARE: "glare_s",
    UnknownCause.CAMERA_MOVED: "camera_moved_s",
    UnknownCause.DEFOCUSED: "defocused_s",
    UnknownCause.STALE: "stale_s",
    UnknownCause.NO_FACE: "no_face_s",
    UnknownCause.TWO_DRIVERS: "two_drivers_s",
    UnknownCause.EYES_HIDDEN: "eyes_hidden_s",
}
"""Every cause but calibrating, gravest first, and the signal that times it."""
_BY_CLOCK = (
    UnknownCause.CAMERA_LOST,
    UnknownCause.ENGINE_FAILED,
    UnknownCause.OVERLOAD,
    UnknownCause.CAMERA_MOVED,
)
"""Causes that gaps do not interrupt: timed by the clock. The others are timed by what was seen."""

_HELD_S = 0.1
"""A slow camera in a fast stream repeats each picture; one that stands for longer is not believed."""
_WINDOW_S, _MOST_S = 10.0, 5.0
"""More than half of ten seconds not judged is a loss, however often it is interrupted."""
_LOSSES = (
    UnknownCause.CAMERA_LOST,
    UnknownCause.FROZEN,
    UnknownCause.BLOCKED,
    UnknownCause.DARK,
    UnknownCause.GLARE,
    UnknownCause.STALE,
    UnknownCause.NO_FACE,
    UnknownCause.EYES_HIDDEN,
)
"""Causes that may come and go faster than their timers tell."""


class Availability:
    """Folds readings into how long each thing that keeps the driver from being judged has lasted."""

    def __init__(self, config: AvailabilityConfig) -> None:
        """Take the limits."""
        self._config = config
        self._after_s = _times(config)
        self._clocks = {cause: Since() for cause in _BY_CLOCK}
        self._timers = {cause: self._timer() for cause in _SIGNALS if cause not in _BY_CLOCK}
        # one new picture proves that the stream goes on
        self._timers[UnknownCause.FROZEN] = Timer(0.0, config.no_face_after_s, config.forget_after_s)
        self._strange_view = self._timer()
        self._partly_stale = self._timer()
        self._losses = {cause: TimeWindow(_WINDOW_S) for cause in _LOSSES}
        self._pace = Pace()
        self._place = Place()
        self._rival = False
        self._rival_s = self._fault_s = -math.inf
        self._present: tuple[UnknownCause, ...] = ()
        self._lacking = Since()
        self._driver_s: float | None = None
        self.gone_s = 0.0
        """How long the driver had not been seen before the present look, whatever the cause."""
        self.camera_moved = False
        """Whether it has just come out that the camera looks elsewhere."""
        self._latest = UnknownCause.STALE

    def update(self, tick: Tick, reading: Reading) -> Reading:
        """Take one reading; return what of it may be believed: nothing, of a stream that stands still."""
        self._note_faults(tick, reading)
        self._clocks[UnknownCause.OVERLOAD].update(tick.now_s, self._pace.too_slow(tick, reading.lost))
        frozen = self._timers[UnknownCause.FROZEN]
        frozen.update(tick, reading.repeated)
        stands_still = bool(reading.repeated) and frozen.seconds >= _HELD_S - ROUNDING_S
        believed = reading.unseen() if stands_still else reading
        self._note_driver(tick, believed)
        if not self._place.holds(tick, believed.box):
            believed = believed.nobody()
        holds = picture_troubles(believed, self._config)
        self._note_moved(tick, holds.pop(UnknownCause.CAMERA_MOVED))
        holds.update(self._driver(tick, believed, hides(holds)))
        for cause, holding in holds.items():
            self._timers[cause].update(tick, holding)
        holds[UnknownCause.FROZEN] = stands_still
        self._present = tuple([cause for cause, holding in holds.items() if holding])
        self._partly_stale.update(tick, believed.partly_stale)
        self._note_lacking(tick, believed)
        self._note_unjudged(tick, believed)
        return believed

    def expect_new_driver(self) -> None:
        """Whoever comes next may sit elsewhere."""
        self._place = Place()

    @property
    def no_face_s(self) -> float:
        """Seconds without a face."""
        return self._timers[UnknownCause.NO_FACE].seconds

    def signals(self) -> dict[str, Signal]:
        """All signals of this question but those that hang on the baseline."""
        signals = {_SIGNALS[cause]: timer.signal() for cause, timer in self._timers.items()}
        signals.update({_SIGNALS[cause]: clock.signal() for cause, clock in self._clocks.items()})
        lost, failed = self._clocks[UnknownCause.CAMERA_LOST], self._clocks[UnknownCause.ENGINE_FAILED]
        signals["fault_s"] = (failed if failed.seconds > lost.seconds else lost).signal()
        for cause, onset_s in self._interrupted().items():
            name, seconds = _SIGNALS[cause], self._seconds(cause)
            if seconds < _MOST_S:
                signals[name] = Signal(_MOST_S, onset_s)
        return signals

    def causes(self) -> dict[UnknownCause, float]:
        """What keeps the driver, or a part of his state, from being judged now, and since when.

        Gravest first; each has lasted for its time in the config.
        """
        since_s = {
            cause: self._timers[cause].onset_s
            for cause in self._present
            if self._timers[cause].seconds >= self._limit(cause)
        }
        for cause, clock in self._clocks.items():
            if clock.since_s is not None and clock.seconds >= self._limit(cause):
                since_s[cause] = clock.since_s
        for cause, begun_s in self._interrupted().items():
            onset_s = since_s.get(cause)
            since_s[cause] = begun_s if onset_s is None else min(onset_s, begun_s)
        # phones not looked for, by a low level for one, are a cause and no signal: the driver is watched on
        if self._partly_stale.seconds >= self._limit(UnknownCause.STALE):
            since_s.setdefault(UnknownCause.STALE, self._partly_stale.onset_s)
        if not since_s:
            return {}
        return {cause: told_s for cause in _SIGNALS if (told_s := since_s.get(cause)) is not None}

    @property
    def lacking_s(self) -> float:
        """Seconds since the driver's face and eyes were last seen, whatever kept them from it."""
        return self._lacking.seconds

    def latest_cause(self, now_s: float) -> dict[UnknownCause, float]:
        """What was missing last, however short: for a verdict that must name a cause."""
        since_s = self._lacking.since_s
        return {self._latest: now_s if since_s is None else since_s}

    def _interrupted(self) -> dict[UnknownCause, float]:
        """What holds now after many losses, and since when: being seen for a moment does not undo them."""
        return {
            cause: window.onset_s
            for cause, window in self._losses.items()
            if window.seconds > _MOST_S and window.onset_s is not None and self._holds(cause)
        }

    def _holds(self, cause: UnknownCause) -> bool:
        holding = cause is UnknownCause.CAMERA_LOST or cause in self._present
        return holding and self._seconds(cause) >= self._config.no_face_after_s - ROUNDING_S

    def _seconds(self, cause: UnknownCause) -> float:
        clock = self._clocks.get(cause)
        return self._timers[cause].seconds if clock is None else clock.seconds

    def _limit(self, cause: UnknownCause) -> float:
        return self._after_s[cause] - ROUNDING_S

    def _timer(self) -> Timer:
        # a flicker of the contrary does not end the trouble: a face found in one frame out of ten is no face
        config = self._config
        return Timer(config.no_face_after_s, config.no_face_after_s, config.forget_after_s)

    def _note_faults(self, tick: Tick, reading: Reading) -> None:
        if reading.faults:
            self._fault_s = tick.now_s
        held = tick.now_s - self._fault_s <= WORD_S
        failing = True if reading.faults else (None if held else False)
        self._clocks[UnknownCause.ENGINE_FAILED].update(tick.now_s, failing)
        self._clocks[UnknownCause.CAMERA_LOST].update(tick.now_s, reading.lost, tick.last_s)

    def _note_driver(self, tick: Tick, reading: Reading) -> None:
        self.gone_s = 0.0 if self._driver_s is None else tick.now_s - self._driver_s
        if reading.face:
            self._driver_s = tick.now_s

    def _note_moved(self, tick: Tick, strange: bool | None) -> None:
        """From a strange view that lasts, until the view is a known one again."""
        view, moved = self._strange_view, self._clocks[UnknownCause.CAMERA_MOVED]
        view.update(tick, strange)
        known_s = moved.since_s
        if view.seconds >= self._limit(UnknownCause.CAMERA_MOVED):
            moved.update(tick.now_s, True, view.onset_s)
        else:
            moved.update(tick.now_s, False if strange is False else None)
        self.camera_moved = known_s is None and moved.since_s is not None
        if self.camera_moved:
            self.expect_new_driver()

    def _driver(self, tick: Tick, reading: Reading, hidden: bool) -> dict[UnknownCause, bool | None]:
        """What of the driver is missing; None where it cannot be told."""
        seen = bool(reading.face) and not reading.stale
        if reading.rival is not None:
            self._rival, self._rival_s = reading.rival >= self._config.rival_share, tick.now_s
        rival_known = bool(reading.face) and tick.now_s - self._rival_s <= WORD_S
        waits = reading.stale and not (reading.lost or reading.faults or reading.repeated)
        return {
            UnknownCause.NO_FACE: None if reading.face is None or hidden else not reading.face,
            UnknownCause.EYES_HIDDEN: not reading.eyes_readable if seen else None,
            UnknownCause.STALE: waits,
            UnknownCause.TWO_DRIVERS: self._rival if rival_known else None,
        }

    def _note_lacking(self, tick: Tick, reading: Reading) -> None:
        lacks = _missing(reading)
        self._latest = lacks or self._latest
        self._lacking.update(tick.now_s, lacks is not None, tick.last_s)  # unseen between the frames, too

    def _note_unjudged(self, tick: Tick, reading: Reading) -> None:
        """Count what was lost for how long; a head turned aside is a look away, not eyes that are lost."""
        for cause, window in self._losses.items():
            if cause in self._present and not (reading.turned and cause is UnknownCause.EYES_HIDDEN):
                window.add(tick.last_s, tick.now_s)
            window.expire(tick.now_s)
        if reading.lost:
            self._losses[UnknownCause.CAMERA_LOST].add(tick.last_s, tick.now_s)
        elif not tick.joined:  # no frame came to say more
            self._losses[UnknownCause.STALE].add(tick.last_s, tick.now_s)


def _missing(reading: Reading) -> UnknownCause | None:
    """What this one reading lacks, the gravest first."""
    if reading.stale:
        return UnknownCause.STALE
    if not reading.face:
        return UnknownCause.BLOCKED if reading.blank else UnknownCause.NO_FACE
    return None if reading.eyes_readable else UnknownCause.EYES_HIDDEN


def _times(config: AvailabilityConfig) -> dict[UnknownCause, float]:
    """After how many seconds each cause is told."""
    return {
        UnknownCause.CAMERA_LOST: config.fault_after_s,
        UnknownCause.ENGINE_FAILED: config.fault_after_s,
        UnknownCause.OVERLOAD: config.overload_after_s,
        UnknownCause.FROZEN: config.frozen_after_s,
        UnknownCause.BLOCKED: config.blocked_after_s,
        UnknownCause.DARK: config.blocked_after_s,
        UnknownCause.GLARE: config.blocked_after_s,
        UnknownCause.CAMERA_MOVED: config.moved_after_s,
        UnknownCause.DEFOCUSED: config.defocused_after_s,
        UnknownCause.STALE: config.no_face_after_s,
        UnknownCause.NO_FACE: config.no_face_after_s,
        UnknownCause.TWO_DRIVERS: config.two_drivers_after_s,
        UnknownCause.EYES_HIDDEN: config.eyes_hidden_after_s,
    }
