from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dms.records import (
    Alert,
    Assessment,
    Control,
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
    total = sink.summary({"newer": 2}, wall_s=2.0)
    assert total.recorded_s == pytest.approx(1.1)  # the pause before 9 s is no time
    assert total.availability == pytest.approx(0.6 / 1.1)
    assert total.unknown_s == {"no_face": pytest.approx(0.5)}
    assert (total.frames, total.dropped, total.fps) == (5, 2, 2.5)
    assert total.latency.p50_ms == pytest.approx(3.0)
    assert total.stages["eyes"].p95_ms == pytest.approx(2.0)


def test_a_fault_is_no_available_time() -> None:
    sink = SummarySink()
    for i, state in enumerate(("attentive", "attentive", "fault", "unknown", "attentive")):
        sink.publish(judgement(i, i * 0.5, DriverState(state)))
    assert sink.summary({}, wall_s=2.0).availability == pytest.approx(0.5)


def test_an_escalating_alert_is_one_alert() -> None:
    sink = SummarySink()
    steps = [
        alert(Phase.START, "fatigue.microsleep", Severity.URGENT, 2.5, "Eyes closed."),
        alert(Phase.UPDATE, "fatigue.sleep", Severity.EMERGENCY, 4.0, "Asleep."),
        alert(Phase.END, "fatigue.sleep", Severity.EMERGENCY, 6.0, "Over."),
    ]
    for i, step in enumerate(steps):
        sink.publish(judgement(i, step.captured_s, DriverState.ASLEEP, step))
    [record] = sink.summary({}, 1.0).alerts
    assert record.types == ("fatigue.microsleep", "fatigue.sleep")
    assert (record.onset_s, record.detected_s, record.ended_s) == (1.0, 2.5, 6.0)
    assert (record.severity, record.cause) == ("emergency", "Asleep.")


def test_the_summary_is_plain_json_and_readable_text() -> None:
    sink = SummarySink()
    sink.publish(judgement(0, 0.0, DriverState.ATTENTIVE))
    total = sink.summary({}, 1.0)
    assert json.loads(json.dumps(total.to_dict()))["schema"] == "dms.summary/1"
    assert "0 alerts" in str(total)


def test_nothing_seen_is_nothing_available() -> None:
    total = SummarySink().summary({}, 0.0)
    assert (total.frames, total.availability, total.fps, total.face_share) == (0, 0.0, 0.0, 0.0)
    assert "nothing was judged\n" in str(total)
    assert "never in doubt" not in str(total)


def test_latency_is_unknown_where_nothing_was_timed() -> None:
    total = SummarySink().summary({}, 1.0)
    assert total.to_dict()["latency"] == {"p50_ms": None, "p95_ms": None}
    assert "latency unknown" in str(total)


def test_a_camera_that_never_showed_a_frame_is_unknown_all_the_time() -> None:
    sink = SummarySink()
    for i in range(11):
        sink.publish(judgement(-1, i * 1.05, DriverState.UNKNOWN))
    total = sink.summary({}, 11.0)
    assert total.unknown_s == {"no_face": pytest.approx(10.5)}
    assert (total.frames, total.recorded_s, total.availability) == (0, pytest.approx(10.5), 0.0)
    assert "nothing was judged: no_face 10.5 s\n" in str(total)


def test_a_camera_that_is_lost_for_a_while_is_unknown_for_that_while() -> None:
    sink = SummarySink()
    for i in range(3):
        sink.publish(judgement(i, i * 1.0, DriverState.ATTENTIVE))
    for i in range(3):
        sink.publish(judgement(-1, 3.1 + i * 1.1, DriverState.UNKNOWN))
    assert sink.summary({}, 1.0).state_s == {"attentive": 2.0, "unknown": pytest.approx(3.3)}


def at_levels(*levels: int) -> SummarySink:
    sink = SummarySink()
    sink.publish(judgement(0, 0.0, DriverState.ATTENTIVE))
    previous = 0
    for i, level in enumerate(levels):
        sink.publish(Control(i * 0.5, level, previous, "temperature", ""))
        sink.publish(judgement(i + 1, (i + 1) * 0.5, DriverState.ATTENTIVE))
        previous = level
    return sink


def test_reasons_of_drops_and_seconds_of_levels_are_one_line() -> None:
    total = at_levels(0, 3, 4, 4).summary({"newer": 3, "late": 0, "level": 235}, 2.0)
    assert (total.dropped, total.level_s) == (238, {"0": 0.5, "3": 0.5, "4": 1.0})
    assert "\ndropped: newer 3, level 235; at level 0 0.5 s, 3 0.5 s, 4 1.0 s\n" in str(total)
    told = json.loads(json.dumps(total.to_dict()))
    assert (told["dropped"], told["drops"]) == (238, {"newer": 3, "late": 0, "level": 235})
    assert told["level_s"]["4"] == 1.0


def test_a_run_that_gave_nothing_up_has_no_such_line() -> None:
    total = at_levels(0, 0).summary({"newer": 0, "late": 0, "level": 0}, 1.0)
    assert total.level_s == {"0": 1.0}
    assert len(str(total).splitlines()) == 4
    assert "at level" not in str(total)


def test_time_without_a_told_level_counts_for_none() -> None:
    sink = SummarySink()
    for i in range(3):
        sink.publish(judgement(i, i * 0.5, DriverState.ATTENTIVE))
    assert sink.summary({}, 1.0).level_s == {}


def test_a_long_run_keeps_the_last_alerts_and_counts_all() -> None:
    sink = SummarySink()
    for i in range(MAX_ALERTS + 5):
        one = alert(Phase.START, "fatigue.yawn", Severity.CAUTION, 2.5, "Yawning.")
        sink.publish(judgement(i, i * 0.1, DriverState.ATTENTIVE, replace(one, id=f"a-{i}")))
    total = sink.summary({}, 1.0)
    assert total.alert_count == MAX_ALERTS + 5
    assert [total.alerts[0].id, len(total.alerts)] == ["a-5", MAX_ALERTS]


def test_a_run_that_was_stopped_says_so() -> None:
    total = SummarySink().summary({}, 1.0, interrupted=True)
    assert total.to_dict()["interrupted"] is True
    assert str(total).startswith("stopped before the end")


def test_alerts_of_several_profiles_name_theirs() -> None:
    sink = SummarySink()
    one = alert(Phase.START, "fatigue.microsleep", Severity.URGENT, 2.5, "Eyes closed.")
    sink.publish(judgement(0, 2.5, DriverState.ASLEEP, one))
    assert "(test)" not in str(sink.summary({}, 1.0))
    sink.publish(judgement(1, 2.6, DriverState.ASLEEP, replace(one, id="b-1", profile="attend")))
    told = str(sink.summary({}, 1.0))
    assert "Eyes closed. (test)" in told
    assert "Eyes closed. (attend)" in told
