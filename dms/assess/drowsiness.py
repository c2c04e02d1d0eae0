"""Whether the eyes are closed, for how long, how often, and whether the driver yawns.

Two engines see the lids: `eyes` as an openness, put in relation to this driver's open eye, and `fatigue` as a
probability of closure. Per eye the mean of both opennesses counts, or the eyes engine alone where the other
has no fresh word. So closure (below 0.3) needs both to lean that way, and one engine that is sure of an open
eye prevents it: squints and laughter, which `fatigue` tells from closure, raise no alarm. Once closed, one
engine alone cannot open the eyes either (above 0.5): a sleeper stays asleep through one engine's flicker.

The driver's eyes are closed only if every visible eye is, hence the more open eye speaks for the driver.
Lids lowered while the head hangs far down, or just before it goes down, may just look down, and the engines
cannot tell: such a closure does not count (the eyes-off-road rule, which sees the head, takes it), but one
that has run for a while goes on, because heads sink in sleep. The gaze engine is not asked: its word is worth
nothing while the lids are low.
"""

from __future__ import annotations

from dms.assess.baseline import Baseline, OpenLevel
from dms.assess.reading import Reading
from dms.assess.temporal import EventWindow, Hysteresis, Tick, Timer, TimeWindow
from dms.config.assess import AvailabilityConfig, EyesConfig
from dms.records import Eye, Signal

_MINUTE_S = 60.0
_YAWN_WINDOW_S = 600.0


class Drowsiness:
    """Folds readings into the signals of closure, PERCLOS, blinks and yawns."""

    def __init__(self, eyes: EyesConfig, availability: AvailabilityConfig, baseline: Baseline) -> None:
        """Take the limits and the driver's baseline, which is read, not written."""
        self._baseline = baseline
        self._sink_after_s = eyes.sink_after_s
        self._lids = Hysteresis(on_above=1 - eyes.closed_below, off_below=1 - eyes.open_above)
        self._closure = Timer(eyes.flicker_s, availability.no_face_after_s, availability.forget_after_s)
        self._closures = ClosureCount(eyes)
        self._perclos = Perclos(eyes)
        self._yawns = Yawns(eyes, availability)
        self._openness: float | None = None
        self.closed: bool | None = None

    def update(self, tick: Tick, reading: Reading) -> None:
        """Take one reading."""
        self._openness = self._driver_openness(reading)
        self.closed = self._is_closed(reading)
        openness = None if self.closed is None else self._openness
        self._closure.update(tick, self.closed)
        if self._closure.ended_s is not None:
            self._closures.add(tick.now_s, self._closure.ended_s)
        self._closures.expire(tick.now_s)
        self._perclos.update(tick, openness)
        self._yawns.update(tick, reading)

    def signals(self) -> dict[str, Signal]:
        """All signals of this question."""
        closure = self._closure.signal()
        # while the eyes cannot be read every share stands still, and a share that stands still is unknown
        known = closure.value is not None
        usable_60_s = self._perclos.usable_60_s if known else None
        return {
            "openness": Signal(self._openness),
            "closure_s": closure,
            "mean_closure_s": Signal(self._closures.mean_s if known else None),
            "blinks_per_min": Signal(self._closures.blinks_per_min(usable_60_s)),
            "perclos_60s": Signal(self._perclos.share_60s if known else None),
            "perclos_180s": Signal(self._perclos.share_180s if known else None),
            "yawn_s": self._yawns.signal(),
            "yawns_10min": Signal(float(self._yawns.count)),
        }

    def _driver_openness(self, reading: Reading) -> float | None:
        right = _openness(reading.right, self._baseline.right, reading.closed_right)
        left = _openness(reading.left, self._baseline.left, reading.closed_left)
        if right is None or left is None:
            return right if left is None else left
        return max(right, left)

    def _is_closed(self, reading: Reading) -> bool | None:
        if self._openness is None:
            return None
        closed = self._lids.update(1 - self._openness)
        begun = self._closure.onset_s is not None and self._closure.seconds >= self._sink_after_s
        if closed and not begun and self._baseline.head_is_down(reading):
            return None
        return closed


def _openness(eye: Eye | None, level: OpenLevel, closed_probability: float | None) -> float | None:
    """Relative openness of one eye by both engines, 0 to 1."""
    if eye is None:
        return None
    relative = level.relative(eye.openness)
    return relative if closed_probability is None else (relative + 1 - closed_probability) / 2


class ClosureCount:
    """Blinks and the mean length of closures over the last minute."""

    def __init__(self, eyes: EyesConfig) -> None:
        """Take the limits."""
        self._blink_max_s = eyes.blink_max_s
        self._least = eyes.mean_closure_least
        self._closures = EventWindow(_MINUTE_S)
        self._blinks = EventWindow(_MINUTE_S)

    def add(self, now_s: float, length_s: float) -> None:
        """Note a closure that has just ended."""
        self._closures.add(now_s, length_s)
        if length_s <= self._blink_max_s:
            self._blinks.add(now_s)

    def expire(self, now_s: float) -> None:
        """Let go of what is older than a minute."""
        self._closures.expire(now_s)
        self._blinks.expire(now_s)

    @property
    def mean_s(self) -> float | None:
        """Mean length of a closure; unknown from too few."""
        count = len(self._closures)
        return self._closures.total / count if count >= self._least else None

    def blinks_per_min(self, usable_s: float | None) -> float | None:
        """Blinks per minute of the `usable_s` seconds the eyes were seen; unknown where that is."""
        return len(self._blinks) * _MINUTE_S / usable_s if usable_s else None


class Perclos:
    """PERCLOS P80: share of the seen time with the lids at least 80 % closed, blinks left out.

    Unseen time is in neither numerator nor denominator. A closure counts, from its beginning, once it is too
    long for a blink.
    """

    def __init__(self, eyes: EyesConfig) -> None:
        """Take the limits."""
        self._closed_below = eyes.perclos_closed_below
        self._exclude_below_s = eyes.perclos_exclude_below_s
        self._usable_share = eyes.perclos_usable_share
        self._usable = {window_s: TimeWindow(window_s) for window_s in (60.0, 180.0)}
        self._closed = {window_s: TimeWindow(window_s) for window_s in (60.0, 180.0)}
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

    @property
    def share_60s(self) -> float | None:
        """PERCLOS of the last 60 s, unknown until half of it was seen."""
        return self._share(60.0)

    @property
    def share_180s(self) -> float | None:
        """PERCLOS of the last 180 s, unknown until half of it was seen."""
        return self._share(180.0)

    @property
    def usable_60_s(self) -> float | None:
        """Seconds of the last 60 with eyes seen, None if too few to speak of."""
        seconds = self._usable[60.0].seconds
        return seconds if seconds >= self._usable_share * 60.0 else None

    def _count_closed(self, now_s: float) -> None:
        """Count the run of lowered lids that reached up to now, if it is no blink."""
        if self._run_onset_s is None or now_s - self._run_onset_s < self._exclude_below_s:
            return
        for window in self._closed.values():
            window.add(self._counted_to_s, now_s)
        self._counted_to_s = now_s

    def _share(self, window_s: float) -> float | None:
        usable_s = self._usable[window_s].seconds
        if usable_s < self._usable_share * window_s:
            return None
        return min(1.0, max(0.0, self._closed[window_s].seconds / usable_s))


class Yawns:
    """The present yawn and how many there were. A covered mouth may hide one: unknown, not none."""

    def __init__(self, eyes: EyesConfig, availability: AvailabilityConfig) -> None:
        """Take the limits."""
        self._min_s = eyes.yawn_min_s
        self._covered_above = eyes.mouth_covered_above
        self._mouth = Hysteresis(on_above=eyes.yawn_above, off_below=eyes.yawn_below)
        self._timer = Timer(eyes.flicker_s, availability.no_face_after_s, availability.forget_after_s)
        self._window = EventWindow(_YAWN_WINDOW_S)
        self._counted_onset_s: float | None = None

    def update(self, tick: Tick, reading: Reading) -> None:
        """Take one reading."""
        self._timer.update(tick, self._yawning(reading))
        onset_s = self._timer.onset_s
        if self._timer.seconds >= self._min_s and onset_s != self._counted_onset_s:
            self._window.add(tick.now_s)
            self._counted_onset_s = onset_s
        self._window.expire(tick.now_s)

    def signal(self) -> Signal:
        """The present yawn."""
        return self._timer.signal()

    @property
    def count(self) -> int:
        """Yawns in the window."""
        return len(self._window)

    def _yawning(self, reading: Reading) -> bool | None:
        if reading.yawn is None:
            return None
        yawning = self._mouth.update(reading.yawn)
        covered = reading.mouth_covered is not None and reading.mouth_covered > self._covered_above
        return None if covered and not yawning else yawning
