"""What a whole run came to: a sink that folds judgements into one summary a person understands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dms.metrics import Metrics
from dms.records import Alert, Control, DriverState, Judgement, Message, Phase

UNJUDGED = (DriverState.UNKNOWN.value, DriverState.FAULT.value)
"""States in which the driver is not judged."""
MAX_GAP_S = 1.0
"""A longer pause before a frame counts as no time: nobody judged it."""
MAX_BLIND_S = 2.0
"""The same before a moment judged without a frame. A camera that has shown none yet gives such a moment every
second and a little more, and that time is unknown."""
LATENCY_WINDOW_S = 600.0
"""Latencies are told over the last ten minutes, so that a long run keeps a bounded memory."""
MAX_ALERTS = 1000
"""Alerts kept one by one, so that a service that runs for months keeps a bounded memory."""


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert over its whole life. `types` are the steps it escalated through, in order."""

    id: str
    types: tuple[str, ...]
    severity: str
    onset_s: float
    detected_s: float
    ended_s: float
    cause: str
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Latency:
    """Median and 95th percentile, milliseconds; None where nothing was timed."""

    p50_ms: float | None
    p95_ms: float | None

    @classmethod
    def of(cls, p50_s: float | None, p95_s: float | None) -> Latency:
        """From seconds."""
        return cls(_ms(p50_s), _ms(p95_s))

    def __str__(self) -> str:
        """For a person."""
        if self.p50_ms is None or self.p95_ms is None:
            return "latency unknown"
        return f"latency p50 {self.p50_ms:.2f} ms, p95 {self.p95_ms:.2f} ms"


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts, rates and alerts of one run.

    `availability` is the share of judged time in which the driver's state was known; `unknown_s` the seconds
    each cause took away, `level_s` those at each level of the controller, where one was told. `drops` counts
    frames never judged by reason, `dropped` all of them. `fps` is frames over the wall time of the run.
    `alert_count` counts all alerts, `alerts` holds the last of them. `interrupted` tells that the run was
    stopped before its source ended.
    """

    frames: int
    dropped: int
    drops: dict[str, int]
    recorded_s: float
    wall_s: float
    fps: float
    latency: Latency
    stages: dict[str, Latency]
    rss_mb: float
    face_share: float
    availability: float
    state_s: dict[str, float]
    unknown_s: dict[str, float]
    level_s: dict[str, float]
    alert_count: int
    alerts: tuple[AlertRecord, ...]
    interrupted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"schema": "dms.summary/1", **asdict(self)}

    def __str__(self) -> str:
        """A short report for a person."""
        lines = [
            "stopped before the end: this is a part of the recording" if self.interrupted else "",
            f"{self.frames} frames in {self.recorded_s:.1f} s of driving, {self.dropped} dropped; "
            f"judged at {self.fps:.0f} fps, {self.latency}, {self.rss_mb:.0f} MB",
            self._given_up(),
            *self._known(),
            f"{self.alert_count} alert{'' if self.alert_count == 1 else 's'}" + (":" if self.alerts else ""),
            *self._told(),
        ]
        return "\n".join(line for line in lines if line)

    def _told(self) -> Iterator[str]:
        """The alerts, a line each; where they are of several profiles, with that."""
        several = len({alert.profile for alert in self.alerts}) > 1
        for a in self.alerts:
            yield (
                f"  {a.onset_s:7.2f} s  {' > '.join(a.types):<44} {a.severity:<9} "
                f"{a.ended_s - a.onset_s:5.1f} s  {a.cause}" + (f" ({a.profile})" if several else "")
            )

    def _given_up(self) -> str:
        """Why frames were dropped, and how long the controller gave something up; empty where neither was."""
        drops = ", ".join(f"{reason} {count}" for reason, count in self.drops.items() if count)
        levels = ", ".join(f"{level} {seconds:.1f} s" for level, seconds in sorted(self.level_s.items()))
        parts = [
            f"dropped: {drops}" if drops else "",
            f"at level {levels}" if self.level_s.keys() - {"0"} else "",
        ]
        return "; ".join(part for part in parts if part)

    def _known(self) -> Iterator[str]:
        """How much of the driver is known, and why not more."""
        unknown = _seconds(self.unknown_s)
        if not (self.frames and self.recorded_s):
            yield "nothing was judged" + (f": {unknown}" if unknown else "")
            return
        yield f"driver state known {self.availability:.1%} of the time ({_seconds(self.state_s)})"
        yield f"not judged or partly judged: {unknown}" if unknown else "never in doubt"


class StateTime:
    """How long the driver was in which state. Time belongs to the state at its end.

    `judged_s` is the part of `recorded_s` whose state was known; `steps` are moments that came in time,
    `gaps` those that came too late to count.
    """

    def __init__(self) -> None:
        self.last_s: float | None = None
        self.recorded_s = 0.0
        self.judged_s = 0.0
        self.state_s: dict[str, float] = {}
        self.steps = self.gaps = 0

    def take(self, now_s: float, state: str, blind: bool) -> float:
        """Count a moment, `blind` where it was judged without a frame.

        Returns:
            The seconds before it; 0.0 where they are no time: the first moment, a gap, a clock set back.
        """
        elapsed_s = now_s - self.last_s if self.last_s is not None else 0.0
        self.last_s = now_s
        longest_s = MAX_BLIND_S if blind else MAX_GAP_S
        self.gaps += elapsed_s > longest_s
        if not 0 < elapsed_s <= longest_s:
            return 0.0
        self.steps += 1
        self.recorded_s += elapsed_s
        self.judged_s += 0.0 if state in UNJUDGED else elapsed_s
        _add(self.state_s, state, elapsed_s)
        return elapsed_s


class SummarySink:
    """Folds judgements and levels; `summary()` tells what came of them."""

    name = "summary"

    def __init__(self) -> None:
        self._time = StateTime()
        self._frames = 0
        self._faces = 0
        self._unknown_s: dict[str, float] = {}
        self._level: int | None = None
        self._level_s: dict[str, float] = {}
        self._alerts: dict[str, AlertRecord] = {}
        self._alert_count = 0
        self._metrics = Metrics(LATENCY_WINDOW_S)

    def publish(self, message: Message) -> None:
        """Take a judgement or a level; other messages are ignored."""
        if isinstance(message, Control):
            self._level = message.level
        if not isinstance(message, Judgement):
            return
        for alert in message.alerts:
            self._count_alert(alert)
        self._count_time(message)
        if message.observation.frame_id >= 0:
            self._count_frame(message)

    def fault(self) -> str | None:
        """Never at fault."""
        return None

    def figures(self) -> Mapping[str, float]:
        """Nothing to tell."""
        return {}

    def close(self) -> None:
        """Nothing to release."""

    def summary(self, drops: Mapping[str, int], wall_s: float, *, interrupted: bool = False) -> Summary:
        """What came of the run that dropped so many frames, by reason, and took `wall_s` seconds."""
        vitals = self._metrics.vitals(self._time.last_s or 0.0, {})
        return Summary(
            frames=self._frames,
            dropped=sum(drops.values()),
            drops=dict(drops),
            recorded_s=self._time.recorded_s,
            wall_s=wall_s,
            fps=self._frames / wall_s if wall_s > 0 else 0.0,
            latency=Latency.of(vitals.latency_p50_s, vitals.latency_p95_s),
            stages={
                name: Latency.of(p50_s, vitals.stage_p95_s[name])
                for name, p50_s in vitals.stage_p50_s.items()
            },
            rss_mb=vitals.rss_bytes / 1e6,
            face_share=self._faces / self._frames if self._frames else 0.0,
            availability=self._time.judged_s / self._time.recorded_s if self._time.recorded_s else 0.0,
            state_s=dict(self._time.state_s),
            unknown_s=dict(self._unknown_s),
            level_s=dict(self._level_s),
            alert_count=self._alert_count,
            alerts=tuple(self._alerts.values()),
            interrupted=interrupted,
        )

    def _count_alert(self, alert: Alert) -> None:
        self._alert_count += alert.id not in self._alerts
        self._alerts[alert.id] = _merge(self._alerts.get(alert.id), alert)
        if len(self._alerts) > MAX_ALERTS:
            del self._alerts[next(iter(self._alerts))]

    def _count_time(self, judgement: Judgement) -> None:
        seen = judgement.observation
        elapsed_s = self._time.take(seen.captured_s, judgement.assessment.state.value, seen.frame_id < 0)
        if not elapsed_s:
            return
        for cause in judgement.assessment.unknown_causes:
            _add(self._unknown_s, cause.value, elapsed_s)
        if self._level is not None:
            _add(self._level_s, str(self._level), elapsed_s)

    def _count_frame(self, judgement: Judgement) -> None:
        self._frames += 1
        self._faces += judgement.observation.eyes is not None
        stage_s = judgement.stage_s
        self._metrics.frame(judgement.observation.captured_s, sum(stage_s.values()), stage_s)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def _seconds(totals: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in totals.items())


def _add(totals: dict[str, float], name: str, seconds: float) -> None:
    totals[name] = totals.get(name, 0.0) + seconds


def _merge(record: AlertRecord | None, alert: Alert) -> AlertRecord:
    types = record.types if record else ()
    if alert.type not in types:
        types = (*types, alert.type)
    return AlertRecord(
        id=alert.id,
        types=types,
        severity=alert.severity.value,
        onset_s=record.onset_s if record else alert.onset_s,
        detected_s=record.detected_s if record else alert.detected_s,
        ended_s=alert.captured_s,
        cause=record.cause if record and alert.phase is Phase.END else alert.cause,
        profile=alert.profile,
    )
