import json
import math

import numpy as np
import pytest

from dms.records import HealthState
from dms.sinks import system_payload, values
from tests.unit.sinks import samples

ORIGIN = system_payload.Origin(
    "dms 1.2.3", {"face": "fp32 ab", "eyes": "fp32 cd"}, cheapest={"eyes": "cpu.int8 ef"}
)
EPOCH_S = 1_800_000_000.0


def test_a_record_begins_with_what_made_it():
    assert system_payload.run(ORIGIN, EPOCH_S, 11.5) == {
        "schema": "dms.run/1",
        "ts": "2027-01-15T08:00:11.500Z",
        "software": "dms 1.2.3",
        "engines": {"face": "fp32 ab", "eyes": "fp32 cd"},
        "cheapest": {"eyes": "cpu.int8 ef"},
    }


def test_the_status_names_both_forms_of_an_engine():
    engines = system_payload.status(True, "connected", None, ORIGIN)["engines"]
    assert engines == {"face": "fp32 ab", "eyes": "fp32 cd; from level 2 on cpu.int8 ef"}


def test_metrics_are_exactly_this():
    assert system_payload.metrics(samples.vitals(), {"events_waiting": 1, "events_dropped": 2}, EPOCH_S) == {
        "schema": "dms.metrics/1",
        "ts": "2027-01-15T08:00:15.000Z",
        "captured_s": 15.0,
        "frames": 450,
        "dropped": 3,
        "fps": 30.0,
        "latency_ms": {"p50": 12.3, "p95": 25.6},
        "stages_ms": {"face": {"p50": 1.0, "p95": 2.0}},
        "rss_mb": 200.0,
        "undelivered": {"events_waiting": 1, "events_dropped": 2},
        "drops": {"newer": 2, "late": 1, "level": 0, "failed": 0},
        "waited_ms": {"p95": 3.4},
        "cpu_share": 0.061,
        "level": 1,
        "device": {
            "temperatures_c": {"cpu-thermal": 71.3, "gpu-thermal": 68.0, "cv0-thermal": None},
            "hottest_c": 71.3,
            "trip_c": 99.0,
            "throttled_by": [],
            "over_current": 2,
            "board_w": 11.23,
            "cpu_load": 0.457,
            "gpu_load": None,
            "pressure": 0.012,
        },
        "sinks": {"mqtt": {"events_waiting": 1.0, "event_ack_p95_s": 0.0123}},
    }


def test_a_window_without_a_frame_has_no_latency():
    document = system_payload.metrics(samples.no_frame_vitals(), {}, None)
    assert document["latency_ms"] == {"p50": None, "p95": None}
    assert document["waited_ms"] == {"p95": None}
    assert (document["fps"], document["stages_ms"]) == (0.0, {})


def test_a_device_that_cannot_be_read_is_unknown_and_never_cool():
    known = system_payload.metrics(samples.vitals(), {}, None)["device"]
    unknown = system_payload.metrics(samples.vitals(device=None), {}, None)["device"]
    assert unknown == {**dict.fromkeys(known), "temperatures_c": {}}


def test_control_tells_level_cause_and_whether_it_is_held():
    assert system_payload.control(samples.control(held=True), EPOCH_S) == {
        "schema": "dms.control/1",
        "ts": "2027-01-15T08:00:14.000Z",
        "captured_s": 14.0,
        "level": 2,
        "title": "the cheapest engines that passed the gate",
        "previous": 1,
        "cause": "temperature",
        "detail": "hottest zone 88.0 C; clocks fall at 99 C",
        "held": True,
    }


def test_a_system_that_has_ended_works_at_no_level_since_its_end():
    document = system_payload.control_ended(samples.control(captured_s=14.0, held=True), 20.0, EPOCH_S)
    assert document.keys() == system_payload.control(samples.control(), None).keys()
    assert (document["level"], document["title"], document["previous"]) == (None, None, 2)
    assert (document["cause"], document["held"]) == ("ended", False)
    assert (document["captured_s"], document["ts"]) == (20.0, "2027-01-15T08:00:20.000Z")


def test_a_system_that_has_ended_is_in_no_health():
    assert system_payload.health_ended(20.0, EPOCH_S) == {
        "schema": "dms.health/1",
        "ts": "2027-01-15T08:00:20.000Z",
        "captured_s": 20.0,
        "state": None,
        "causes": [{"cause": "ended", "detail": "The run ended."}],
    }


def test_an_end_before_the_first_judgement_has_no_time():
    for document in (
        system_payload.control_ended(samples.control(), math.nan, EPOCH_S),
        system_payload.health_ended(math.nan, EPOCH_S),
    ):
        assert (document["captured_s"], document["ts"]) == (None, None)


def test_health_tells_its_state_and_every_cause():
    causes = {"source_lost": "/dev/video0: no frame", "engine_eyes": "NaN"}
    assert system_payload.health(samples.health(state=HealthState.FAULT, **causes), None) == {
        "schema": "dms.health/1",
        "ts": None,
        "captured_s": 1.0,
        "state": "fault",
        "causes": [
            {"cause": "source_lost", "detail": "/dev/video0: no frame"},
            {"cause": "engine_eyes", "detail": "NaN"},
        ],
    }


def test_good_health_has_no_causes():
    document = system_payload.health(samples.good_health(), None)
    assert (document["state"], document["causes"]) == ("ok", [])


def test_a_status_says_who_it_is_of():
    assert system_payload.status(False, "closed", None, ORIGIN) == {
        "schema": "dms.status/1",
        "ts": None,
        "status": "offline",
        "reason": "closed",
        "software": "dms 1.2.3",
        "engines": {"face": "fp32 ab", "eyes": "fp32 cd; from level 2 on cpu.int8 ef"},
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), 1e300])
def test_no_number_breaks_the_json(value):
    _, vitals, health, control = samples.nonsense(value)
    documents = [
        system_payload.metrics(vitals, {}, EPOCH_S),
        system_payload.health(health, EPOCH_S),
        system_payload.control(control, EPOCH_S),
    ]
    for document in documents:
        text = values.encode(document)
        assert "NaN" not in text
        assert "Infinity" not in text
        assert "\n" not in text
        assert json.loads(text.encode("ascii")).keys() == document.keys()
