import json
import math
from dataclasses import replace

import numpy as np
import pytest

from dms.records import Context, DriverState, Phase, Signal, UnknownCause, Vehicle
from dms.sinks import driver_payload, values
from dms.sinks.system_payload import Origin
from tests.unit.sinks import samples

ORIGIN = Origin("dms 1.2.3", {"face": "fp32 ab", "eyes": "fp32 cd"}, cheapest={"eyes": "cpu.int8 ef"})
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
    document = driver_payload.state(samples.judgement(), active, seq=7, epoch_offset_s=EPOCH_S)
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
    document = driver_payload.state(samples.blind(), [], seq=1, epoch_offset_s=None)
    assert (document["valid"], document["state"]) == (False, "unknown")
    assert document["unknown_causes"] == ["no_face"]
    assert document["faults"] == ["eyes"]
    assert [document[k] for k in ("ts", "eyes", "head", "gaze", "fatigue", "distraction")] == [None] * 6


def test_a_known_state_may_have_unknown_parts():
    judged = samples.judgement(state=DriverState.DISTRACTED, causes=[UnknownCause.EYES_HIDDEN])
    document = driver_payload.state(judged, [], 1, None)
    assert document["valid"] is True
    assert document["unknown_causes"] == ["eyes_hidden"]


def test_event_is_exactly_this():
    judged = samples.judgement()
    document = driver_payload.event(samples.alert(), judged.assessment, 3, EPOCH_S, ORIGIN)
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
    document = driver_payload.event(samples.alert(), assessment, 3, None, ORIGIN)
    assert document["engines"] == {"face": "fp32 ab", "eyes": "fp32 cd"}


def test_a_speed_that_is_not_known_is_not_valid():
    assessment = replace(samples.judgement().assessment, context=Context(Vehicle(), configured=True))
    document = driver_payload.event(samples.alert(), assessment, 3, None, ORIGIN)
    assert document["vehicle"]["speed"] == {
        "kmh": None, "valid": False, "source": None, "age_s": None, "configured": True
    }  # fmt: skip


def test_an_alert_tells_when_it_was_acknowledged():
    judged = samples.judgement()
    alert = samples.alert(acknowledged_s=12.0)
    assert driver_payload.event(alert, judged.assessment, 1, None, ORIGIN)["t_acknowledged"] == 12.0
    assert driver_payload.state(judged, [alert], 1, None)["alerts"][0]["t_acknowledged"] == 12.0


def test_a_band_of_sleepiness_never_stands_without_its_confidence():
    judged = samples.judgement()
    band = {"kss_low": Signal(6.0), "kss_high": Signal(8.0), "kss_confidence": Signal(0.4)}
    told = {
        lacking: driver_payload.state(
            replace(judged, assessment=replace(judged.assessment, signals={**band, lacking: Signal(None)})),
            [], 1, None,
        )["kss"]
        for lacking in band
    }  # fmt: skip
    whole = replace(judged, assessment=replace(judged.assessment, signals=band))
    assert driver_payload.state(whole, [], 1, None)["kss"] == {"low": 6.0, "high": 8.0, "confidence": 0.4}
    assert set(told.values()) == {None}


def test_a_fault_is_no_valid_verdict():
    document = driver_payload.state(samples.judgement(state=DriverState.FAULT), [], 1, None)
    assert (document["valid"], document["state"]) == (False, "fault")


def test_frame_is_exactly_this():
    ended = samples.alert(phase=Phase.END, at_s=13.0)
    document = driver_payload.frame(samples.judgement(captured_s=13.0, alerts=[ended]), None)
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
    assert (
        driver_payload.frame(samples.blind(), None).keys()
        == driver_payload.frame(samples.judgement(), None).keys()
    )
    assert driver_payload.frame(samples.blind(), None)["frame"] is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), 1e300])
def test_no_number_breaks_the_json(value):
    judged, *_ = samples.nonsense(value)
    documents = [
        driver_payload.state(judged, judged.alerts, 1, EPOCH_S),
        driver_payload.event(judged.alerts[0], judged.assessment, 1, EPOCH_S, ORIGIN),
        driver_payload.frame(judged, EPOCH_S),
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
    assert json.loads(values.encode(driver_payload.frame(judged, None)))["calibration"] == 0.25


@pytest.mark.parametrize(
    ("alert_type", "topic"),
    [
        ("fatigue.microsleep", "event/fatigue/microsleep"),
        ("system", "event/system"),
        ("a#b.c+d/$", "event/a_b/c_d__"),
    ],
)
def test_event_topics_hold_nothing_a_topic_may_not(alert_type, topic):
    assert driver_payload.event_topic(alert_type) == topic


def test_no_picture_and_no_landmark_leaves():
    text = values.encode(driver_payload.frame(samples.judgement(), None)) + values.encode(
        driver_payload.state(samples.judgement(), [], 1, None)
    )
    assert "landmark" not in text
    assert "image" not in text
    assert "quality" not in text
