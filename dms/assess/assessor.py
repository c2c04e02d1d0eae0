"""One observation after the other, into one judgement each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from dms.assess.attention import Attention
from dms.assess.availability import Availability
from dms.assess.baseline import Baseline
from dms.assess.clocks import StepsBack
from dms.assess.driving import Driving
from dms.assess.drowsiness import Drowsiness
from dms.assess.reading import Reading, read
from dms.assess.signals import NOTHING, SIGNALS, UNKNOWN
from dms.assess.temporal import ROUNDING_S, Tick
from dms.assess.verdict import doubted, name_state
from dms.assess.zones import WheelSide, Zones
from dms.config.assess import AssessConfig
from dms.config.cabin import Cabin
from dms.records import Assessment, DriverState, Observation, Signal, UnknownCause

UNSEEN_S = 0.5
"""Eyes out of sight for this long: nobody is called attentive before it is seen again where he looks."""


class Assessor:
    """Judges the driver from observations in the order they were captured. Reads nothing but them."""

    def __init__(
        self, config: AssessConfig, cabin: Cabin | None = None, wheel_side: str | None = None
    ) -> None:
        """Start with an unknown driver.

        Args:
            config: the limits.
            cabin: where mirrors and displays are; without one every look off the road is like any other.
            wheel_side: `left` or `right` where it is known beforehand.
        """
        self._config = config
        self._zones = Zones(cabin)
        self._wheel = WheelSide(self._zones, wheel_side)
        self._stored: dict[str, float] = {}
        self._baseline = Baseline(config)
        self._last_s: float | None = None
        self._steps_back = StepsBack()
        self._last: Assessment | None = None
        self._calibrating_since_s: float | None = None
        self._state: DriverState | None = None
        self._state_since_s: float | None = None
        self._watched = False
        self._start_timers()

    @property
    def stale_after_s(self) -> float:
        """The age in seconds beyond which a result tells nothing any more."""
        return self._config.availability.stale_after_s

    def start_from(self, figures: Mapping[str, float]) -> None:
        """Take what `baseline_figures` told of an earlier drive in this seat, before the first observation.

        It counts for nothing until the driver's first seconds confirm it.
        """
        self._stored = dict(figures)
        self._baseline = Baseline(self._config, self._stored)
        self._judge_anew()

    def baseline_figures(self) -> dict[str, float]:
        """What is fully learned of the driver, by name, without anything that tells who he is."""
        return self._baseline.figures()

    def update(self, observation: Observation) -> Assessment:
        """Take the next observation.

        One from shortly before the last (up to `stale_after_s`) waits for the clock to catch up; one from
        long before it (a clock set back) starts all timers anew.
        """
        if not math.isfinite(observation.captured_s):
            return self._without_time(observation)
        self._steps_back.update(observation.captured_s)
        if self._last_s is not None and 0 <= self._last_s - observation.captured_s <= self.stale_after_s:
            return self._without_time(observation)
        tick = self._tick(observation.captured_s)
        reading = self._availability.update(tick, read(observation, self._config))
        self._driving.update(tick, observation.context)
        self._drowsiness.update(tick, reading)
        closed = self._drowsiness.closed
        self._wheel.tell(observation.context.vehicle.driver_side)
        self._attention.update(tick, reading, closed, self._driving.moving)
        self._baseline.learn(tick, reading, self._driving)
        vehicle = observation.context.vehicle
        self._baseline.forward.learn(tick, reading, closed, self._driving, vehicle)
        availability = self._availability
        if (
            availability.no_face_s >= self._config.baseline.new_driver_after_s
            or availability.gone_s >= self._config.availability.new_drive_after_s
        ):
            self._expect_new_driver()
        if availability.camera_moved:
            self._look_anew()
        self._last = self._judge(observation, reading)
        return self._last

    def _without_time(self, observation: Observation) -> Assessment:
        """The judgement of a moment that is no new one, by a clock that stands still or tells no time."""
        last = self._last or Assessment(0.0, DriverState.UNKNOWN, signals=dict.fromkeys(SIGNALS, UNKNOWN))
        since_s = {UnknownCause.STALE: last.captured_s, **last.unknown_since_s}
        return replace(
            last,
            state=DriverState.UNKNOWN if last.state is DriverState.ATTENTIVE else last.state,
            unknown_causes=tuple(since_s),
            unknown_since_s=since_s,
            context=observation.context,
        )

    def _judge(self, observation: Observation, reading: Reading) -> Assessment:
        now_s = observation.captured_s
        calibrating = self._calibrating(now_s, reading)
        signals = {
            **self._drowsiness.signals(),
            **self._attention.signals(),
            **self._availability.signals(),
            **self._driving.signals(),
            "calibrating": calibrating,
        }
        causes = self._availability.causes()
        steps_back = self._steps_back.signal()
        if steps_back.onset_s is not None:
            signals["stale_s"] = steps_back
            causes[UnknownCause.STALE] = steps_back.onset_s
        if calibrating.onset_s is not None:
            causes[UnknownCause.CALIBRATING] = calibrating.onset_s
        signals["unknown_s"] = _longest(causes, now_s)
        state = doubted(name_state(signals, self._config.verdict), causes, signals)
        if state is DriverState.ATTENTIVE and not self._is_watched(signals):
            state = DriverState.UNKNOWN
        if state is DriverState.UNKNOWN and not causes:
            causes = self._availability.latest_cause(now_s)
        if state is not self._state:
            self._state, self._state_since_s = state, now_s
        return Assessment(
            captured_s=now_s,
            state=state,
            unknown_causes=tuple(causes),
            signals=signals,
            calibration=self._baseline.learned_share,
            gaze_source=self._attention.gaze_source,
            confidence=self._attention.confidence,
            zone=self._attention.zone,
            unknown_since_s=causes,
            state_since_s=self._state_since_s,
            learned={
                "eyes": self._baseline.eyes_share,
                "forward": self._baseline.forward.learned_share,
                "wheel_side": self._wheel.confidence,
            },
            baseline={**self._baseline.values(), **self._baseline.forward.values()},
            uncertainty={**self._drowsiness.uncertainty(), **self._attention.uncertainty()},
            context=observation.context,
            age_s=observation.age_s,
            level=observation.level,
        )

    def _is_watched(self, signals: Mapping[str, Signal]) -> bool:
        """Whether it was seen where the driver looks since his eyes were last lost from sight."""
        if self._availability.lacking_s >= UNSEEN_S - ROUNDING_S:
            self._watched = False
        elif self._drowsiness.closed is False and signals["off_road_s"].value is not None:
            self._watched = True
        return self._watched

    def _tick(self, now_s: float) -> Tick:
        last_s = now_s if self._last_s is None else self._last_s
        self._last_s = now_s
        if now_s < last_s:
            self._start_timers()
            last_s = now_s
        elapsed_s = now_s - last_s
        joined = 0 < elapsed_s <= self._config.availability.stale_after_s + ROUNDING_S
        return Tick(now_s, last_s, elapsed_s, joined)

    def _calibrating(self, now_s: float, reading: Reading) -> Signal:
        """Whether what the driver is judged by now is still the population's measure, not his own."""
        baseline = self._baseline
        known = baseline.forward.head.usable and not self._attention.in_doubt
        if known and (baseline.eyes_usable or not reading.eyes_readable):
            self._calibrating_since_s = None
            return NOTHING
        if self._calibrating_since_s is None:
            self._calibrating_since_s = now_s
        return Signal(1.0, self._calibrating_since_s)

    def _start_timers(self) -> None:
        self._judge_anew()
        self._availability = Availability(self._config.availability)
        self._driving = Driving()

    def _judge_anew(self) -> None:
        config = self._config
        self._drowsiness = Drowsiness(config.eyes, config.availability, self._baseline)
        self._attention = Attention(config, self._baseline, self._zones, self._wheel)

    def _expect_new_driver(self) -> None:
        """Nobody was seen for long: whoever comes next is learned from the start."""
        self._availability.expect_new_driver()
        if self._baseline.learned_share > 0:
            self._baseline = Baseline(self._config, self._stored)
            self._judge_anew()

    def _look_anew(self) -> None:
        """The camera looks elsewhere: no direction that was learned holds, the lids are what they were."""
        self._baseline.forget_forward()
        self._attention = Attention(self._config, self._baseline, self._zones, self._wheel)


def _longest(causes: Mapping[UnknownCause, float], now_s: float) -> Signal:
    """How long the driver has not been fully judged."""
    since_s = min(causes.values(), default=None)
    return NOTHING if since_s is None else Signal(now_s - since_s, since_s)
