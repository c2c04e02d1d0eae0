"""Glances off the road: how long, how many, and how much time in all.

Gaze is noisy from frame to frame, glances must be timed to the frame. So a low-pass filter decides *whether*
the driver looks away, and the unfiltered samples since when and until when: a look away that the filter does
not yet confirm is undecided, and is counted to what it turns out to be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from dms.assess.signals import NOTHING, UNKNOWN
from dms.assess.temporal import ROUNDING_S, EventWindow, LowPass, Tick, Timer, TimeWindow
from dms.config.assess import RoadConfig
from dms.config.cabin import GAUGES, MIRRORS
from dms.records import Direction, Signal

MINUTE_S = 60.0
FREE_ZONES = MIRRORS | GAUGES


class Look(Enum):
    """Where the driver looks."""

    ROAD = "road"
    AWAY = "away"
    UNDECIDED = "undecided"


class Smoothed:
    """A direction behind the low-pass filter."""

    def __init__(self, smoothing_s: float) -> None:
        """Take the filter's time constant."""
        self._yaw = LowPass(smoothing_s)
        self._pitch = LowPass(smoothing_s)

    def update(self, elapsed_s: float, direction: Direction | None) -> Direction | None:
        """Take the next sample, None if unknown; return the filtered one with the error of the sample."""
        if direction is None:
            self._yaw.skip(elapsed_s)
            self._pitch.skip(elapsed_s)
            return None
        yaw_deg = self._yaw.update(elapsed_s, direction.yaw_deg)
        pitch_deg = self._pitch.update(elapsed_s, direction.pitch_deg)
        return Direction(yaw_deg, pitch_deg, direction.sigma_deg)

    def restart(self) -> None:
        """Forget what came before the next sample."""
        self._yaw.skip(math.inf)
        self._pitch.skip(math.inf)


class BlinkBridge:
    """Lets a look away go on through blinks: undecided while the lids are down, no longer than a blink."""

    def __init__(self, blink_max_s: float) -> None:
        """Take how long a blink may last."""
        self._blink_max_s = blink_max_s
        self._away_s: float | None = None  # when a look was last seen away that nothing else has followed

    def bridge(self, now_s: float, look: Look | None, closed: bool | None) -> Look | None:
        """Take a look, and whether the eyes are closed; return the look to be timed."""
        if look is Look.AWAY:
            self._away_s = now_s
        elif closed and self._away_s is not None and now_s - self._away_s <= self._blink_max_s:
            return Look.UNDECIDED
        elif look is not Look.UNDECIDED:
            self._away_s = None
        return look


class LookTimer:
    """Times what a look away begins and a look at the road ends, from the first sample of it."""

    def __init__(self, timer: Timer) -> None:
        """Take the timer to run."""
        self.timer = timer
        self._since_s: float | None = None  # when the run of samples off the road began, confirmed or not

    def update(self, tick: Tick, look: Look | None) -> None:
        """Take the present look, None if unknown."""
        if look is None or look is Look.ROAD:
            self._since_s = None
            self.timer.update(tick, None if look is None else False)
            return
        if self._since_s is None or not tick.joined:
            self._since_s = tick.now_s
        if look is Look.AWAY:
            self.timer.update(tick, True, since_s=self._since_s)
        elif not tick.joined:
            self.timer.update(tick, None)
        # an undecided look waits: it is timed, from its beginning, once it is decided


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time on the road, or away from it on one zone (None = which is not known)."""

    start_s: float
    end_s: float
    look: Look
    zone: str | None

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end_s - self.start_s


class Course:
    """Turns looks into stretches of settled time.

    An interval belongs to the look at its beginning; an undecided stretch to the look that follows it.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._look: Look | None = None
        self._zone: str | None = None
        self._settled_to_s = 0.0

    def update(self, tick: Tick, look: Look | None, zone: str | None) -> Stretch | None:
        """Take the present look and its zone; return the stretch that this settles, if any."""
        settled = None
        if look is not None and self._look is not None and tick.joined:
            if self._look is not Look.UNDECIDED:
                settled = Stretch(self._settled_to_s, tick.now_s, self._look, self._zone)
            elif look is Look.UNDECIDED:
                return None
            else:
                settled = Stretch(self._settled_to_s, tick.now_s, look, zone)
        self._settled_to_s, self._look, self._zone = tick.now_s, look, zone
        return settled


class Glance:
    """The present glance off the road, those of the last minute, and the seconds of it that are free.

    The first `free_s` on mirrors or gauges, which driving needs, are free: with Euro NCAP's 3 s elsewhere
    that makes the 4 s it allows there. They are free again after as long on the road as empties the cumulated
    time: short looks back do not make a row of glances free. A zone that cannot be told is none of them.
    """

    def __init__(self, road: RoadConfig, unknown_after_s: float, forget_after_s: float) -> None:
        """Take the limits in seconds."""
        self._road = road
        self._look = LookTimer(Timer(road.gap_tolerance_s, unknown_after_s, forget_after_s))
        self._recent = EventWindow(MINUTE_S)
        self._onset_s: float | None = None
        self._freed_s = 0.0  # of the present glance
        self._left_s = road.free_s
        self._on_road_s = 0.0

    @property
    def ended_s(self) -> float | None:
        """Length of the glance that the last update saw ended, None if it saw none."""
        return self._look.timer.ended_s

    @property
    def known(self) -> bool:
        """Whether it was seen recently enough where the driver looks."""
        return self._look.timer.known

    def update(self, tick: Tick, look: Look | None, settled: Stretch | None) -> None:
        """Take the present look and the stretch it settles."""
        self._look.update(tick, look)
        self._recent.expire(tick.now_s)
        if self.ended_s is not None:
            self._recent.add(tick.now_s, self.ended_s)
        if self._look.timer.onset_s != self._onset_s:
            self._onset_s, self._freed_s = self._look.timer.onset_s, 0.0
        if settled is not None:
            self._free(settled)

    def _free(self, settled: Stretch) -> None:
        if settled.look is Look.ROAD:
            self._on_road_s += settled.seconds
            if self._on_road_s >= self._road.vats_reset_s - ROUNDING_S:
                self._left_s = self._road.free_s
            return
        self._on_road_s = 0.0
        if settled.zone in FREE_ZONES:
            free_s = min(settled.seconds, self._left_s)
            self._left_s -= free_s
            self._freed_s += free_s

    def signals(self) -> dict[str, Signal]:
        """All signals of single glances."""
        glance, count = self._look.timer.signal(), len(self._recent)
        counted = glance.value is not None
        return {
            "glance_s": glance,
            "off_road_s": self._off_road(glance) if glance.value else glance,
            "glances_60s": Signal(float(count)) if counted else UNKNOWN,
            "mean_glance_s": Signal(self._recent.total / count) if counted and count else UNKNOWN,
        }

    def _off_road(self, glance: Signal) -> Signal:
        return Signal(max(0.0, (glance.value or 0.0) - self._freed_s), glance.onset_s)


class Vats:
    """Visual attention time sharing: seconds off the road in a window that a long look at it empties."""

    def __init__(self, road: RoadConfig) -> None:
        """Take window and reset time."""
        self._reset_s = road.vats_reset_s
        self._window = TimeWindow(road.vats_window_s)
        self._on_road_s = 0.0

    def signal(self) -> Signal:
        """Seconds off the road that count, since the oldest of them."""
        onset_s = self._window.onset_s
        return NOTHING if onset_s is None else Signal(self._window.seconds, onset_s)

    def update(self, tick: Tick, settled: Stretch | None) -> None:
        """Take the stretch settled now, if any."""
        self._window.expire(tick.now_s)
        if settled is None:
            return
        if settled.look is Look.AWAY:
            self._window.add(settled.start_s, settled.end_s)
            self._on_road_s = 0.0
            return
        self._on_road_s += settled.seconds
        if self._on_road_s >= self._reset_s - ROUNDING_S:
            self._window.clear()
