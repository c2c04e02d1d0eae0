"""Whether the driver looks at the road, for how long not, and whether he uses a phone.

Off the road is whoever turns the head out of its ellipse around the neutral pose, or the gaze out of its own.
Gaze counts while it can be trusted (an eye seen and open, its error small, its neutral learned); else the
head judges alone. Closed eyes are neither on nor off the road.

Gaze is noisy from frame to frame, glances must be timed to the frame. So a low-pass filter decides *whether*
the driver looks away, and the unfiltered samples since when and until when: a look away that the filter does
not yet confirm is undecided, and is counted to what it turns out to be.
"""

from __future__ import annotations

import math
from enum import Enum

from dms.assess.baseline import Baseline, Neutral
from dms.assess.reading import Reading
from dms.assess.temporal import ROUNDING_S, Hysteresis, LowPass, Tick, Timer, TimeWindow
from dms.config.assess import ActivityConfig, AvailabilityConfig, RoadConfig
from dms.records import Direction, Signal


class Look(Enum):
    """Where the driver looks."""

    ROAD = "road"
    AWAY = "away"
    UNDECIDED = "undecided"


class Pointer:
    """One direction against its road ellipse: the sample itself, and what is left of it after the filter."""

    def __init__(self, neutral: Neutral, smoothing_s: float) -> None:
        """Take the learned neutral direction, which is read, not written."""
        self._neutral = neutral
        self._x = LowPass(smoothing_s)
        self._y = LowPass(smoothing_s)

    def look(self, elapsed_s: float, direction: Direction | None) -> Look | None:
        """Where this direction points; None if unknown."""
        if direction is None:
            self._x.skip(elapsed_s)
            self._y.skip(elapsed_s)
            return None
        x, y = self._neutral.offset(direction)
        smooth = math.hypot(self._x.update(elapsed_s, x), self._y.update(elapsed_s, y))
        if math.hypot(x, y) <= 1.0:
            return Look.ROAD
        return Look.AWAY if smooth > 1.0 else Look.UNDECIDED


class Attention:
    """Folds readings into the signals of eyes off the road and phone use."""

    def __init__(
        self, road: RoadConfig, activity: ActivityConfig, availability: AvailabilityConfig, baseline: Baseline
    ) -> None:
        """Take the limits and the driver's baseline, which is read, not written."""
        self._baseline = baseline
        self._head = Pointer(baseline.head, road.smoothing_s)
        self._gaze = Pointer(baseline.gaze, road.smoothing_s)
        self._glance = Timer(road.gap_tolerance_s, availability.no_face_after_s, availability.forget_after_s)
        self._vats = Vats(road)
        self._away_since_s: float | None = None
        self._phone = Phone(activity, availability)
        self.gaze_source: str | None = None

    def update(self, tick: Tick, reading: Reading, closed: bool | None) -> None:
        """Take one reading of a driver whose eyes are `closed`, or not, or unknown."""
        look = self._look(tick, reading, closed)
        self._note_onset(tick, look)
        self._vats.update(tick, look)
        self._time_glance(tick, look)
        self._phone.update(tick, reading.phone)

    def signals(self) -> dict[str, Signal]:
        """All signals of this question."""
        glance = self._glance.signal()
        return {
            "off_road_s": glance,
            "off_road_30s": Signal(None) if glance.value is None else self._vats.signal(),
            "phone_s": self._phone.signal(),
        }

    def _look(self, tick: Tick, reading: Reading, closed: bool | None) -> Look | None:
        if closed:
            self.gaze_source = None
            return None
        head = self._head.look(tick.elapsed_s, reading.head)
        trusted = closed is False and self._baseline.gaze.usable
        gaze = self._gaze.look(tick.elapsed_s, reading.gaze if trusted else None)
        if gaze is not None:
            self.gaze_source = "gaze"
        else:
            self.gaze_source = None if head is None else "head"
        for verdict in (Look.AWAY, Look.UNDECIDED, Look.ROAD):
            if verdict in (head, gaze):
                return verdict
        return None

    def _time_glance(self, tick: Tick, look: Look | None) -> None:
        if look is Look.AWAY:
            self._glance.update(tick, True, since_s=self._away_since_s)
        elif look is Look.ROAD:
            self._glance.update(tick, False)
        elif look is None or not tick.joined:
            self._glance.update(tick, None)
        # an undecided look waits: it is timed, from its beginning, once it is decided

    def _note_onset(self, tick: Tick, look: Look | None) -> None:
        """Keep when the present run of samples off the road began, confirmed or not."""
        if look is None or look is Look.ROAD or not tick.joined:
            self._away_since_s = None
        if look in (Look.AWAY, Look.UNDECIDED) and self._away_since_s is None:
            self._away_since_s = tick.now_s


class Vats:
    """Visual attention time sharing: seconds off the road in the window, emptied by a long look at the road.

    An interval belongs to the look at its beginning; an undecided stretch to the look that follows it.
    """

    def __init__(self, road: RoadConfig) -> None:
        """Take window and reset time."""
        self._reset_s = road.vats_reset_s
        self._window = TimeWindow(road.vats_window_s)
        self._look: Look | None = None
        self._counted_to_s = 0.0
        self._on_road_s = 0.0

    def signal(self) -> Signal:
        """Seconds off the road that count, since the oldest of them."""
        return Signal(self._window.seconds, self._window.onset_s)

    def update(self, tick: Tick, look: Look | None) -> None:
        """Take the present look, None if unknown."""
        self._window.expire(tick.now_s)
        undecided = self._look is Look.UNDECIDED
        if look is not None and self._look is not None and tick.joined:
            if undecided and look is Look.UNDECIDED:
                return
            self._count(tick.now_s, look if undecided else self._look)
        self._counted_to_s = tick.now_s
        self._look = look

    def _count(self, now_s: float, look: Look) -> None:
        if look is Look.AWAY:
            self._window.add(self._counted_to_s, now_s)
            self._on_road_s = 0.0
            return
        self._on_road_s += now_s - self._counted_to_s
        if self._on_road_s >= self._reset_s - ROUNDING_S:
            self._window.clear()


class Phone:
    """Phone use, at the ear or in the hand.

    Single pictures of hands mislead, so a low-pass filter decides *whether*; *since when* is told by the
    samples, which do not lag.
    """

    def __init__(self, activity: ActivityConfig, availability: AvailabilityConfig) -> None:
        """Take the limits."""
        self._smooth = LowPass(activity.smoothing_s)
        self._use = Hysteresis(on_above=activity.phone_above, off_below=activity.phone_below)
        self._sample = Hysteresis(on_above=activity.phone_above, off_below=activity.phone_below)
        self._since_s: float | None = None
        self._timer = Timer(0.0, availability.no_face_after_s, availability.forget_after_s)

    def update(self, tick: Tick, probability: float | None) -> None:
        """Take the probability of a phone at the ear or in the hand, None if unknown."""
        in_use = None
        if probability is None or not tick.joined:
            self._since_s = None  # what went unseen in between is not known to have been phone use
        if probability is None:
            self._smooth.skip(tick.elapsed_s)
        else:
            in_use = self._use.update(self._smooth.update(tick.elapsed_s, probability))
            self._note_onset(tick, self._sample.update(probability))
        self._timer.update(tick, in_use, since_s=self._since_s if in_use else None)

    def _note_onset(self, tick: Tick, sample: bool) -> None:
        """Keep when the present run of samples with a phone began, confirmed or not."""
        if not sample:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = tick.now_s

    def signal(self) -> Signal:
        """The present use."""
        return self._timer.signal()
