"""What is told, as plain JSON values: pure, versioned, without a clock, a picture or an identity.

Every document names its `schema`. Numbers are rounded; NaN and infinity become null, which reads as unknown.
`epoch_offset_s` is what must be added to the source's clock to get Unix time; None where nobody knows
(recordings), and then every `ts` is null.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace

from dms import __version__
from dms.control.levels import LEVELS
from dms.records import (
    Alert,
    Assessment,
    Context,
    Control,
    DeviceReading,
    Direction,
    Distraction,
    Eyes,
    Face,
    Fatigue,
    Health,
    HealthState,
    Judgement,
    Vitals,
)
from dms.sinks.values import Document, ms, number, utc

Value = float | str | None

ENDED, ENDED_DETAIL = "ended", "The run ended."

_UNREAD = DeviceReading(math.nan)
_CHEAPEST_FROM = next(level.number for level in LEVELS if level.cheapest)


@dataclass(frozen=True, slots=True)
class Origin:
    """What the messages come from: the version of the software and of each engine, with its precision.

    `cheapest` names the engines that run in the place of those of the same name at levels that ask for it.
    """

    software: str = f"dms {__version__}"
    engines: Mapping[str, str] = field(default_factory=dict)
    cheapest: Mapping[str, str] = field(default_factory=dict)

    def in_force(self, level: int) -> dict[str, str]:
        """The engines that run at a level of the controller."""
        return {**self.engines, **self.cheapest} if LEVELS[level].cheapest else dict(self.engines)

    @property
    def all_forms(self) -> dict[str, str]:
        """Each engine, and where there are two forms which one runs at which level."""
        return {
            name: f"{engine}; from level {_CHEAPEST_FROM} on {self.cheapest[name]}"
            if name in self.cheapest
            else engine
            for name, engine in self.engines.items()
        }


def event_topic(alert_type: str) -> str:
    """`fatigue.microsleep` as `event/fatigue/microsleep`; what no topic may hold becomes `_`."""
    return "event/" + "/".join(re.sub(r"[^A-Za-z0-9_-]", "_", part) for part in alert_type.split("."))


def status(online: bool, reason: str, ts: str | None, origin: Origin) -> Document:
    """`dms.status/1`: whether the system is there. `ts` is None in a last will, written beforehand."""
    return {
        "schema": "dms.status/1",
        "ts": ts,
        "status": "online" if online else "offline",
        "reason": reason,
        "software": origin.software,
        "engines": origin.all_forms,
    }


def run(origin: Origin, epoch_offset_s: float | None, begun_s: float) -> Document:
    """`dms.run/1`: the first line of a record: what made those that follow."""
    return {
        "schema": "dms.run/1",
        "ts": utc(begun_s, epoch_offset_s),
        "software": origin.software,
        "engines": dict(origin.engines),
        "cheapest": dict(origin.cheapest),
    }


def state(judgement: Judgement, active: Iterable[Alert], seq: int, epoch_offset_s: float | None) -> Document:
    """`dms.state/1`: the verdict and what it rests on; `active` are the alerts not ended yet."""
    seen, verdict = judgement.observation, judgement.assessment
    return {
        "schema": "dms.state/1",
        "ts": utc(verdict.captured_s, epoch_offset_s),
        "captured_s": number(verdict.captured_s, 4),
        "seq": seq,
        **_verdict(verdict),
        "kss": _kss(verdict),
        "vehicle": _vehicle(verdict.context),
        "alerts": [
            {
                "id": a.id,
                "type": a.type,
                "severity": a.severity.value,
                "t_acknowledged": number(a.acknowledged_s),
            }
            for a in active
        ],
        "signals": _signals(verdict),
        "eyes": _eyes(seen.eyes),
        "head": _direction(seen.eyes.head) if seen.eyes else None,
        "gaze": _direction(seen.eyes.gaze) if seen.eyes else None,
        "fatigue": _probabilities(seen.fatigue, seen.captured_s),
        "distraction": _probabilities(seen.distraction, seen.captured_s),
        "faults": sorted(judgement.faults),
    }


def event(
    alert: Alert, assessment: Assessment, seq: int, epoch_offset_s: float | None, origin: Origin
) -> Document:
    """`dms.event/1`: one phase of one alert, with all that a log needs to explain it."""
    return {
        "schema": "dms.event/1",
        "ts": utc(alert.captured_s, epoch_offset_s),
        "ts_onset": utc(alert.onset_s, epoch_offset_s),
        "seq": seq,
        **_alert(alert),
        **_verdict(assessment),
        **_grounds(assessment),
        "vehicle": _vehicle(assessment.context),
        "signals": _signals(assessment),
        "software": origin.software,
        "engines": origin.in_force(assessment.level),
    }


def control(decided: Control, epoch_offset_s: float | None) -> Document:
    """`dms.control/1`: at which level of the ladder the system works, and why."""
    return {
        "schema": "dms.control/1",
        "ts": utc(decided.captured_s, epoch_offset_s),
        "captured_s": number(decided.captured_s, 4),
        "level": decided.level,
        "title": LEVELS[decided.level].title,
        "previous": decided.previous,
        "cause": decided.cause,
        "detail": decided.detail,
        "held": decided.held,
    }


def control_ended(last: Control, ended_s: float, epoch_offset_s: float | None) -> Document:
    """`dms.control/1` of a system that ended then: it works at no level any more."""
    ended = replace(
        last, captured_s=ended_s, previous=last.level, cause=ENDED, detail=ENDED_DETAIL, held=False
    )
    return {**control(ended, epoch_offset_s), "level": None, "title": None}


def metrics(vitals: Vitals, undelivered: Mapping[str, int], epoch_offset_s: float | None) -> Document:
    """`dms.metrics/1`: how the process fares. `undelivered` counts what the sink itself holds or lost."""
    return {
        "schema": "dms.metrics/1",
        "ts": utc(vitals.captured_s, epoch_offset_s),
        "captured_s": number(vitals.captured_s, 4),
        "frames": vitals.frames,
        "dropped": vitals.dropped,
        "fps": number(vitals.fps, 1),
        "latency_ms": {"p50": ms(vitals.latency_p50_s), "p95": ms(vitals.latency_p95_s)},
        "stages_ms": {
            name: {"p50": ms(p50_s), "p95": ms(vitals.stage_p95_s.get(name))}
            for name, p50_s in vitals.stage_p50_s.items()
        },
        "rss_mb": number(vitals.rss_bytes / 1e6, 1),
        "undelivered": dict(undelivered),
        "drops": dict(vitals.drops),
        "waited_ms": {"p95": ms(vitals.waited_p95_s)},
        "cpu_share": number(vitals.cpu_share),
        "level": vitals.level,
        "device": _device(vitals.device or _UNREAD),
        "sinks": {
            sink: {name: number(value, 4) for name, value in figures.items()}
            for sink, figures in vitals.sinks.items()
        },
    }


def health(health: Health, epoch_offset_s: float | None) -> Document:
    """`dms.health/1`: the state of the system and every cause of it."""
    return {
        "schema": "dms.health/1",
        "ts": utc(health.captured_s, epoch_offset_s),
        "captured_s": number(health.captured_s, 4),
        "state": health.state.value,
        "causes": [{"cause": cause, "detail": detail} for cause, detail in health.causes.items()],
    }


def health_ended(ended_s: float, epoch_offset_s: float | None) -> Document:
    """`dms.health/1` of a system that ended then: it is in no state any more."""
    ended = Health(ended_s, HealthState.OK, {ENDED: ENDED_DETAIL})
    return {**health(ended, epoch_offset_s), "state": None}


def frame(judgement: Judgement, epoch_offset_s: float | None) -> Document:
    """`dms.frame/1`: one line of the record. Pairs are [right, left], directions [yaw, pitch, roll] degrees.

    `frame` is null where a moment was judged without one (camera lost, end of the run).
    """
    seen, verdict = judgement.observation, judgement.assessment
    return {
        "schema": "dms.frame/1",
        "frame": seen.frame_id if seen.frame_id >= 0 else None,
        "captured_s": number(seen.captured_s, 4),
        "ts": utc(seen.captured_s, epoch_offset_s),
        **_verdict(verdict),
        **_grounds(verdict),
        "vehicle": _vehicle(verdict.context),
        "acknowledgements": [{"by": a.by, "id": a.alert_id} for a in verdict.context.acknowledgements],
        **_face_fields(seen.face),
        **_eye_fields(seen.eyes),
        "fatigue": _probabilities(seen.fatigue, seen.captured_s),
        "distraction": _probabilities(seen.distraction, seen.captured_s),
        "signals": _signals(verdict),
        "alerts": [_alert(a) for a in judgement.alerts],
        "stage_ms": {name: ms(seconds) for name, seconds in judgement.stage_s.items()},
        "faults": dict(judgement.faults),
    }


def _device(reading: DeviceReading) -> Document:
    """What was read of the device; what was not is null, and `temperatures_c` empty."""
    return {
        "temperatures_c": {zone: number(c, 1) for zone, c in reading.temperatures_c.items()},
        "hottest_c": number(reading.hottest_c, 1),
        "trip_c": number(reading.trip_c, 1),
        "throttled_by": None if reading.throttled_by is None else list(reading.throttled_by),
        "over_current": reading.over_current,
        "board_w": number(reading.board_w, 2),
        "cpu_load": number(reading.cpu_load),
        "gpu_load": number(reading.gpu_load),
        "pressure": number(reading.pressure),
    }


def _verdict(assessment: Assessment) -> Document:
    return {
        "valid": assessment.state.value not in ("unknown", "fault"),
        "state": assessment.state.value,
        "t_state": number(assessment.state_since_s),
        "unknown_causes": [c.value for c in assessment.unknown_causes],
        "t_unknown": {c.value: number(since_s) for c, since_s in assessment.unknown_since_s.items()},
        "confidence": number(assessment.confidence),
        "zone": assessment.zone,
        "calibration": number(assessment.calibration),
        "learned": _numbers(assessment.learned),
        "gaze_source": assessment.gaze_source,
    }


def _grounds(assessment: Assessment) -> Document:
    """What the judgement was measured against, how sure the engines were, and how fresh the frame."""
    return {
        "baseline": _numbers(assessment.baseline),
        "uncertainty": _numbers(assessment.uncertainty),
        "onsets": {
            name: number(signal.onset_s)
            for name, signal in assessment.signals.items()
            if signal.onset_s is not None
        },
        "frame_age_ms": ms(assessment.age_s),
        "level": assessment.level,
    }


def _kss(assessment: Assessment) -> Document | None:
    """The estimated band of the Karolinska Sleepiness Scale, never without its confidence."""
    band = {end: assessment.signals.get(f"kss_{end}") for end in ("low", "high", "confidence")}
    if any(signal is None or signal.value is None for signal in band.values()):
        return None
    return {end: number(signal.value) for end, signal in band.items() if signal}


def _vehicle(context: Context) -> Document:
    """What the vehicle told of itself; `valid` tells whether the speed could be trusted."""
    vehicle = context.vehicle
    return {
        "speed": {
            "kmh": number(vehicle.speed_kmh, 1),
            "valid": vehicle.speed_kmh is not None,
            "source": vehicle.speed_source,
            "age_s": number(vehicle.speed_age_s),
            "configured": context.configured,
        },
        "reversing": vehicle.reversing,
        "gear": vehicle.gear,
        "turn": vehicle.turn.value if vehicle.turn else None,
        "steering_deg": number(vehicle.steering_deg, 1),
        "driver_side": vehicle.driver_side,
        "faults": dict(vehicle.faults),
    }


def _alert(alert: Alert) -> Document:
    return {
        "id": alert.id,
        "type": alert.type,
        "phase": alert.phase.value,
        "severity": alert.severity.value,
        "t_onset": number(alert.onset_s),
        "t_detect": number(alert.detected_s),
        "duration_s": number(alert.duration_s),
        "cause": alert.cause,
        "evidence": {name: _evidence(value) for name, value in alert.evidence.items()},
        "profile": alert.profile,
        "profile_version": alert.profile_version,
        "profile_hash": alert.profile_hash,
        "t_acknowledged": number(alert.acknowledged_s),
    }


def _numbers(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: number(value) for name, value in values.items()}


def _signals(assessment: Assessment) -> dict[str, float | None]:
    return {name: number(signal.value) for name, signal in assessment.signals.items()}


def _face_fields(face: Face | None) -> Document:
    if face is None:
        return {"face": None, "face_score": None}
    box = face.box
    return {
        "face": [number(v, 1) for v in (box.x1, box.y1, box.x2, box.y2)],
        "face_score": number(face.score),
    }


def _eye_fields(eyes: Eyes | None) -> Document:
    if eyes is None:
        return {"openness": None, "visibility": None, "head": None, "gaze": None}
    return {
        "openness": [number(eyes.right.openness), number(eyes.left.openness)],
        "visibility": [number(eyes.right.visibility), number(eyes.left.visibility)],
        "head": [number(v, 1) for v in (eyes.head.yaw_deg, eyes.head.pitch_deg, eyes.head.roll_deg)],
        "gaze": [number(v, 1) for v in (eyes.gaze.yaw_deg, eyes.gaze.pitch_deg)],
    }


def _eyes(eyes: Eyes | None) -> Document | None:
    if eyes is None:
        return None
    return {
        side: {"openness": number(eye.openness), "visibility": number(eye.visibility)}
        for side, eye in (("right", eyes.right), ("left", eyes.left))
    }


def _direction(direction: Direction) -> Document:
    return {f.name: number(getattr(direction, f.name), 1) for f in fields(direction)}


def _probabilities(seen: Fatigue | Distraction | None, now_s: float) -> Document | None:
    """The engine's outputs by name, and how old they are: its stage may not have been due on this frame."""
    if seen is None:
        return None
    values = {f.name: number(getattr(seen, f.name)) for f in fields(seen) if f.name != "captured_s"}
    return {**values, "age_s": number(now_s - seen.captured_s)}


def _evidence(value: Value) -> Value:
    return value if isinstance(value, str) else number(value)
