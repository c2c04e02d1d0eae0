import json
import math
from dataclasses import replace

import numpy as np
import pytest

from dms.records import Context, DriverState, HealthState, Phase, Signal, UnknownCause, Vehicle
from dms.sinks import payload, values
from tests.unit.sinks import samples

ORIGIN = payload.Origin("dms 1.2.3", {"face": "fp32 ab", "eyes": "fp32 cd"}, cheapest={"eyes": "cpu.int8 ef"})
VERDICT = {
    "valid": True,
    "state": "attentive",
    "t_state": 10.0,
    "unknown_causes": [],
    "t_unknown": {},
    "confidence": 0.877,
    "zone": "road",
    "calibration": 0.5,
    "learned": {"eyes": 0.5, "forward": 1.0},
    "gaze_source": "gaze",
}
GROUNDS = {
    "baseline": {"eyes.right": 0.812, "forward.yaw_deg": None},
    "uncertainty": {"openness": 0.051},
    "onsets": {"perclos_60s": 3.0},
    "frame_age_ms": 12.35,
    "level": 2,
}
VEHICLE = {
    "speed": {"kmh": 87.3, "valid": True, "source": "can", "age_s": 0.04, "configured": True},
    "reversing": None,
    "gear": None,
    "turn": "left",
    "steering_deg": None,
    "driver_side": "left",
    "faults": {},
}
PROFILE = {
    "profile": "euroncap_2026",
    "profile_version": 3,
    "profile_hash": "0123abcd",
    "t_acknowledged": None,
}
EPOCH_S = 1_800_000_000.0


def test_state_is_exactly_this():
    active = [samples.alert()]
    document = payload.state(samples.judgement(), active, seq=7, epoch_offset_s=EPOCH_S)
    assert document == {
        "schema": "dms.state/1",
        "ts": "2027-01-15T08:00:11.500Z",
        "captured_s": 11.5,
        "seq": 7,
        **VERDICT,
        "kss": None,
        "vehicle": VEHICLE,
        "alerts": [{"id": "s-1", "type": "fatigue.microsleep", "severity": "urgent", "t_acknowledged": None}],
        "signals": {"perclos_60s": 0.123, "off_road_s": None},
        "eyes": {
            "right": {"openness": 0.9, "visibility": 0.99},
            "left": {"openness": 0.8, "visibility": 0.98},
        },
        "head": {"yaw_deg": 3.2, "pitch_deg": -4.6, "sigma_deg": 1.0, "roll_deg": 0.0},
        "gaze": {"yaw_deg": -1.2, "pitch_deg": 5.7, "sigma_deg": 2.0, "roll_deg": 0.0},
        "fatigue": {
            "closed_right": 0.01,
            "closed_left": 0.02,
            "yawn": 0.03,
            "mouth_covered": 0.04,
            "squint": 0.05,
            "age_s": 0.0,
        },
        "distraction": {
            "phone_at_ear": 0.1,
            "phone_in_hand": 0.2,
            "eating_drinking": 0.0,
            "smoking": 0.0,
            "hand_on_face": 0.0,
            "none": 0.7,
            "age_s": 0.1,
        },
        "faults": [],
    }


def test_an_unknown_state_is_not_valid_and_says_why():
    document = payload.state(samples.blind(), [], seq=1, epoch_offset_s=None)
    assert (document["valid"], document["state"]) == (False, "unknown")
    assert document["unknown_causes"] == ["no_face"]
    assert document["faults"] == ["eyes"]
    assert [document[k] for k in ("ts", "eyes", "head", "gaze", "fatigue", "distraction")] == [None] * 6


def test_a_known_state_may_have_unknown_parts():
    judged = samples.judgement(state=DriverState.DISTRACTED, causes=[UnknownCause.EYES_HIDDEN])
    document = payload.state(judged, [], 1, None)
    assert document["valid"] is True
    assert document["unknown_causes"] == ["eyes_hidden"]


def test_event_is_exactly_this():
    judged = samples.judgement()
    document = payload.event(samples.alert(), judged.assessment, 3, EPOCH_S, ORIGIN)
    assert document == {
        "schema": "dms.event/1",
        "ts": "2027-01-15T08:00:11.500Z",
        "ts_onset": "2027-01-15T08:00:10.000Z",
        "seq": 3,
        "id": "s-1",
        "type": "fatigue.microsleep",
        "phase": "start",
        "severity": "urgent",
        "t_onset": 10.0,
        "t_detect": 11.5,
        "duration_s": 1.5,
        "cause": "eyes closed for 1.5 s",
        "evidence": {"closure_s": 1.5, "limit_s": 1.5, "gaze": None, "eye": "both"},
        **PROFILE,
        **VERDICT,
        **GROUNDS,
        "vehicle": VEHICLE,
        "signals": {"perclos_60s": 0.123, "off_road_s": None},
        "software": "dms 1.2.3",
        "engines": {"face": "fp32 ab", "eyes": "cpu.int8 ef"},  # at level 2 the cheaper form runs
    }


@pytest.mark.parametrize("level", [0, 1])
def test_an_event_names_the_engines_of_the_level_it_was_judged_at(level):
    assessment = replace(samples.judgement().assessment, level=level)
    document = payload.event(samples.alert(), assessment, 3, None, ORIGIN)
    assert document["engines"] == {"face": "fp32 ab", "eyes": "fp32 cd"}


def test_a_speed_that_is_not_known_is_not_valid():
    assessment = replace(samples.judgement().assessment, context=Context(Vehicle(), configured=True))
    document = payload.event(samples.alert(), assessment, 3, None, ORIGIN)
    assert document["vehicle"]["speed"] == {
        "kmh": None, "valid": False, "source": None, "age_s": None, "configured": True
    }  # fmt: skip


def test_an_alert_tells_when_it_was_acknowledged():
    judged = samples.judgement()
    alert = samples.alert(acknowledged_s=12.0)
    assert payload.event(alert, judged.assessment, 1, None, ORIGIN)["t_acknowledged"] == 12.0
    assert payload.state(judged, [alert], 1, None)["alerts"][0]["t_acknowledged"] == 12.0


def test_a_band_of_sleepiness_never_stands_without_its_confidence():
    judged = samples.judgement()
    band = {"kss_low": Signal(6.0), "kss_high": Signal(8.0), "kss_confidence": Signal(0.4)}
    told = {
        lacking: payload.state(
            replace(judged, assessment=replace(judged.assessment, signals={**band, lacking: Signal(None)})),
            [], 1, None,
        )["kss"]
        for lacking in band
    }  # fmt: skip
    whole = replace(judged, assessment=replace(judged.assessment, signals=band))
    assert payload.state(whole, [], 1, None)["kss"] == {"low": 6.0, "high": 8.0, "confidence": 0.4}
    assert set(told.values()) == {None}


def test_a_fault_is_no_valid_verdict():
    document = payload.state(samples.judgement(state=DriverState.FAULT), [], 1, None)
    assert (document["valid"], document["state"]) == (False, "fault")


def test_a_record_begins_with_what_made_it():
    assert payload.run(ORIGIN, EPOCH_S, 11.5) == {
        "schema": "dms.run/1",
        "ts": "2027-01-15T08:00:11.500Z",
        "software": "dms 1.2.3",
        "engines": {"face": "fp32 ab", "eyes": "fp32 cd"},
        "cheapest": {"eyes": "cpu.int8 ef"},
    }


def test_the_status_names_both_forms_of_an_engine():
    engines = payload.status(True, "connected", None, ORIGIN)["engines"]
    assert engines == {"face": "fp32 ab", "eyes": "fp32 cd; from level 2 on cpu.int8 ef"}


def test_frame_is_exactly_this():
    ended = samples.alert(phase=Phase.END, at_s=13.0)
    document = payload.frame(samples.judgement(captured_s=13.0, alerts=[ended]), None)
    alerts = document.pop("alerts")
    assert document == {
        "schema": "dms.frame/1",
        "frame": 345,
        "captured_s": 13.0,
        "ts": None,
        **VERDICT,
        "t_state": 11.5,
        **GROUNDS,
        "vehicle": VEHICLE,
        "acknowledgements": [],
        "face": [100.0, 50.0, 220.0, 200.0],
        "face_score": 0.977,
        "openness": [0.9, 0.8],
        "visibility": [0.99, 0.98],
        "head": [3.2, -4.6, 0.0],
        "gaze": [-1.2, 5.7],
        "fatigue": document["fatigue"],
        "distraction": document["distraction"],
        "signals": {"perclos_60s": 0.123, "off_road_s": None},
        "stage_ms": {"face": 1.23, "judge": 0.1},
        "faults": {},
    }
    assert [(a["id"], a["phase"], a["duration_s"]) for a in alerts] == [("s-1", "end", 3.0)]


def test_a_moment_without_a_frame_has_the_same_keys():
    assert payload.frame(samples.blind(), None).keys() == payload.frame(samples.judgement(), None).keys()
    assert payload.frame(samples.blind(), None)["frame"] is None


def test_metrics_are_exactly_this():
    assert payload.metrics(samples.vitals(), {"events_waiting": 1, "events_dropped": 2}, EPOCH_S) == {
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
    document = payload.metrics(samples.no_frame_vitals(), {}, None)
    assert document["latency_ms"] == {"p50": None, "p95": None}
    assert document["waited_ms"] == {"p95": None}
    assert (document["fps"], document["stages_ms"]) == (0.0, {})


def test_a_device_that_cannot_be_read_is_unknown_and_never_cool():
    known = payload.metrics(samples.vitals(), {}, None)["device"]
    unknown = payload.metrics(samples.vitals(device=None), {}, None)["device"]
    assert unknown == {**dict.fromkeys(known), "temperatures_c": {}}


def test_control_tells_level_cause_and_whether_it_is_held():
    assert payload.control(samples.control(held=True), EPOCH_S) == {
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
    document = payload.control_ended(samples.control(captured_s=14.0, held=True), 20.0, EPOCH_S)
    assert document.keys() == payload.control(samples.control(), None).keys()
    assert (document["level"], document["title"], document["previous"]) == (None, None, 2)
    assert (document["cause"], document["held"]) == ("ended", False)
    assert (document["captured_s"], document["ts"]) == (20.0, "2027-01-15T08:00:20.000Z")


def test_a_system_that_has_ended_is_in_no_health():
    assert payload.health_ended(20.0, EPOCH_S) == {
        "schema": "dms.health/1",
        "ts": "2027-01-15T08:00:20.000Z",
        "captured_s": 20.0,
        "state": None,
        "causes": [{"cause": "ended", "detail": "The run ended."}],
    }


def test_an_end_before_the_first_judgement_has_no_time():
    for document in (
        payload.control_ended(samples.control(), math.nan, EPOCH_S),
        payload.health_ended(math.nan, EPOCH_S),
    ):
        assert (document["captured_s"], document["ts"]) == (None, None)


def test_health_tells_its_state_and_every_cause():
    causes = {"source_lost": "/dev/video0: no frame", "engine_eyes": "NaN"}
    assert payload.health(samples.health(state=HealthState.FAULT, **causes), None) == {
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
    document = payload.health(samples.good_health(), None)
    assert (document["state"], document["causes"]) == ("ok", [])


def test_a_status_says_who_it_is_of():
    assert payload.status(False, "closed", None, ORIGIN) == {
        "schema": "dms.status/1",
        "ts": None,
        "status": "offline",
        "reason": "closed",
        "software": "dms 1.2.3",
        "engines": {"face": "fp32 ab", "eyes": "fp32 cd; from level 2 on cpu.int8 ef"},
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), 1e300])
def test_no_number_breaks_the_json(value):
    judged, vitals, health, control = samples.nonsense(value)
    documents = [
        payload.state(judged, judged.alerts, 1, EPOCH_S),
        payload.event(judged.alerts[0], judged.assessment, 1, EPOCH_S, ORIGIN),
        payload.frame(judged, EPOCH_S),
        payload.metrics(vitals, {}, EPOCH_S),
        payload.health(health, EPOCH_S),
        payload.control(control, EPOCH_S),
    ]
    for document in documents:
        text = values.encode(document)
        assert "NaN" not in text
        assert "Infinity" not in text
        assert "\n" not in text
        assert json.loads(text.encode("ascii")).keys() == document.keys()


def test_numbers_of_numpy_become_plain_ones():
    judged = samples.judgement()
    judged = replace(judged, assessment=replace(judged.assessment, calibration=np.float32(0.25)))
    assert json.loads(values.encode(payload.frame(judged, None)))["calibration"] == 0.25


@pytest.mark.parametrize(
    ("alert_type", "topic"),
    [
        ("fatigue.microsleep", "event/fatigue/microsleep"),
        ("system", "event/system"),
        ("a#b.c+d/$", "event/a_b/c_d__"),
    ],
)
def test_event_topics_hold_nothing_a_topic_may_not(alert_type, topic):
    assert payload.event_topic(alert_type) == topic


def test_no_picture_and_no_landmark_leaves():
    text = values.encode(payload.frame(samples.judgement(), None)) + values.encode(
        payload.state(samples.judgement(), [], 1, None)
    )
    assert "landmark" not in text
    assert "image" not in text
    assert "quality" not in text
