"""What is told of the driver, as plain JSON values: pure, versioned, without a clock, picture or identity.

The rules for numbers and times are those of `system_payload`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields

from dms.records import (
    Alert,
    Assessment,
    Context,
    Direction,
    Distraction,
    Eyes,
    Face,
    Fatigue,
    Judgement,
)
from dms.sinks.system_payload import Origin
from dms.sinks.values import Document, ms, number, utc

Value = float | str | None


def event_topic(alert_type: str) -> str:
    """`fatigue.microsleep` as `event/fatigue/microsleep`; what no topic may hold becomes `_`."""
    return "event/" + "/".join(re.sub(r"[^A-Za-z0-9_-]", "_", part) for part in alert_type.split("."))


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
