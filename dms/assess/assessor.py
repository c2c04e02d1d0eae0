"""One observation after the other, into one judgement each."""

from __future__ import annotations

from dms.assess.attention import Attention
from dms.assess.availability import Availability
from dms.assess.baseline import Baseline
from dms.assess.driving import Driving
from dms.assess.drowsiness import Drowsiness
from dms.assess.reading import Reading, read
from dms.assess.temporal import ROUNDING_S, Tick
from dms.assess.verdict import name_state
from dms.config.assess import AssessConfig
from dms.records import Assessment, DriverState, Observation, Signal, UnknownCause


class Assessor:
    """Judges the driver from observations in the order they were captured. Reads nothing but them."""

    def __init__(self, config: AssessConfig) -> None:
        """Start with an unknown driver."""
        self._config = config
        self._baseline = Baseline(config)
        self._last_s: float | None = None
        self._calibrating_since_s: float | None = None
        self._start_timers()

    @property
    def stale_after_s(self) -> float:
        """The age in seconds beyond which a result tells nothing any more."""
        return self._config.availability.stale_after_s

    def update(self, observation: Observation) -> Assessment:
        """Take the next observation; one from before the last (a clock set back) starts all timers anew."""
        tick = self._tick(observation.captured_s)
        reading = read(observation, self._config)
        self._driving.update(tick, observation.context)
        self._drowsiness.update(tick, reading)
        closed = self._drowsiness.closed
        self._attention.update(tick, reading, closed)
        self._availability.update(tick, reading)
        self._baseline.learn(tick, reading, closed)
        if self._availability.no_face_s >= self._config.baseline.new_driver_after_s:
            self._expect_new_driver()
        return self._judge(observation, reading)

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
        state = name_state(signals, self._config.verdict)
        causes = self._availability.causes()
        if calibrating.value:
            causes = (*causes, UnknownCause.CALIBRATING)
            if (
                state is DriverState.ATTENTIVE
            ):  # the population's measures can warn, but not give the all-clear
                state = DriverState.UNKNOWN
        if state is DriverState.UNKNOWN and not causes:
            causes = (self._availability.latest_cause,)
        return Assessment(
            captured_s=now_s,
            state=state,
            unknown_causes=causes,
            signals=signals,
            calibration=self._baseline.learned_share,
            gaze_source=self._attention.gaze_source,
            context=observation.context,
            age_s=observation.age_s,
            level=observation.level,
        )

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
        if baseline.head.usable and (baseline.eyes_usable or not reading.eyes_readable):
            self._calibrating_since_s = None
            return Signal(0.0)
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
        self._attention = Attention(config.road, config.activity, config.availability, self._baseline)

    def _expect_new_driver(self) -> None:
        """Nobody was seen for long: whoever comes next is learned from the start."""
        if self._baseline.learned_share > 0:
            self._baseline = Baseline(self._config)
            self._judge_anew()
