from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dms.records import (
    Alert,
    Assessment,
    DriverState,
    Judgement,
    Observation,
    Phase,
    Severity,
    UnknownCause,
)
from dms.summary import MAX_ALERTS, SummarySink


def judgement(frame_id: int, captured_s: float, state: DriverState, *alerts: Alert) -> Judgement:
    causes = (UnknownCause.NO_FACE,) if state is DriverState.UNKNOWN else ()
    verdict = Assessment(captured_s, state, causes)
    return Judgement(Observation(captured_s, frame_id), verdict, alerts, {"eyes": 0.002, "judge": 0.001})


def alert(phase: Phase, kind: str, severity: Severity, captured_s: float, cause: str) -> Alert:
    return Alert("a-1", kind, phase, severity, 1.0, 2.5, captured_s, cause, {}, "test")


def test_time_and_availability_are_measured_in_seconds_not_frames() -> None:
    sink = SummarySink()
    times = [(0.0, "attentive"), (0.5, "attentive"), (1.0, "unknown"), (1.1, "attentive"), (9.0, "attentive")]
    for i, (captured_s, state) in enumerate(times):
        sink.publish(judgement(i, captured_s, DriverState(state)))
    total = sink.summary(dropped=2, wall_s=2.0)
    assert total.recorded_s == pytest.approx(1.1)  # the pause before 9 s is no time
    assert total.availability == pytest.approx(0.6 / 1.1)
    assert total.unknown_s == {"no_face": pytest.approx(0.5)}
    assert (total.frames, total.dropped, total.fps) == (5, 2, 2.5)
    assert total.latency.p50_ms == pytest.approx(3.0)
    assert total.stages["eyes"].p95_ms == pytest.approx(2.0)


def test_an_escalating_alert_is_one_alert() -> None:
    sink = SummarySink()
    steps = [
        alert(Phase.START, "fatigue.microsleep", Severity.URGENT, 2.5, "Eyes closed."),
        alert(Phase.UPDATE, "fatigue.sleep", Severity.EMERGENCY, 4.0, "Asleep."),
        alert(Phase.END, "fatigue.sleep", Severity.EMERGENCY, 6.0, "Over."),
    ]
    for i, step in enumerate(steps):
        sink.publish(judgement(i, step.captured_s, DriverState.ASLEEP, step))
    [record] = sink.summary(0, 1.0).alerts
    assert record.types == ("fatigue.microsleep", "fatigue.sleep")
    assert (record.onset_s, record.detected_s, record.ended_s) == (1.0, 2.5, 6.0)
    assert (record.severity, record.cause) == ("emergency", "Asleep.")


def test_the_summary_is_plain_json_and_readable_text() -> None:
    sink = SummarySink()
    sink.publish(judgement(0, 0.0, DriverState.ATTENTIVE))
    total = sink.summary(0, 1.0)
    assert json.loads(json.dumps(total.to_dict()))["schema"] == "dms.summary/1"
    assert "0 alerts" in str(total)


def test_nothing_seen_is_nothing_available() -> None:
    total = SummarySink().summary(0, 0.0)
    assert (total.frames, total.availability, total.fps, total.face_share) == (0, 0.0, 0.0, 0.0)


def test_a_long_run_keeps_the_last_alerts_and_counts_all() -> None:
    sink = SummarySink()
    for i in range(MAX_ALERTS + 5):
        one = alert(Phase.START, "fatigue.yawn", Severity.INFO, 2.5, "Yawning.")
        sink.publish(judgement(i, i * 0.1, DriverState.ATTENTIVE, replace(one, id=f"a-{i}")))
    total = sink.summary(0, 1.0)
    assert total.alert_count == MAX_ALERTS + 5
    assert [total.alerts[0].id, len(total.alerts)] == ["a-5", MAX_ALERTS]


def test_a_run_that_was_stopped_says_so() -> None:
    total = SummarySink().summary(0, 1.0, interrupted=True)
    assert total.to_dict()["interrupted"] is True
    assert str(total).startswith("stopped before the end")
