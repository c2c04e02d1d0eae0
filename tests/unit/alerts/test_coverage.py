"""What profiles leave untold."""

import json

import pytest
import yaml

from dms.alerts.coverage import gaps, unacknowledgeable, watches_sleep
from dms.alerts.profiles import load_profile
from dms.config.inputs import InputsConfig

CLOSED = {
    "type": "fatigue.sleep",
    "chain": "closed",
    "when": {"closure_s": {"at_least": 3.0, "hold_above": 0.0}},
    "severity": "urgent",
    "cause": "x",
    "source": "a test",
}
NO_FACE = {**CLOSED, "type": "sensor.gone", "chain": "gone", "when": {"no_face_s": {"at_least": 10.0}}}
ALL_SENSING = (
    "no_face, two_drivers, eyes_hidden, glare, dark, blocked, frozen, defocused, camera_moved, stale, "
    "overload, fault, calibrating, speed_unknown"
)


@pytest.fixture
def profile(tmp_path):
    def made(*rules, extends="sensing", drop=()):
        head = {"name": "mine", "version": 1, "description": "a test", "extends": extends, "drop": drop}
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(json.loads(json.dumps({**head, "rules": rules}))))
        return load_profile(str(path))

    return made


def test_sleep_that_is_watched_needs_no_word(profile):
    slow = {**CLOSED, "speed": {"from_kmh": 20, "down_to_kmh": 18}}
    for rule in (CLOSED, slow):
        assert gaps([profile(rule)]) == []
        assert watches_sleep(profile(rule))


@pytest.mark.parametrize(
    "change",
    [
        {"when": {"closure_s": {"at_least": 7.0}}},
        {"when": {"closure_s": {"at_least": 3.0}, "perclos_60s": {"at_least": 0.5}}},
        {"when": {"closure_s": {"at_most": 3.0}}},
    ],
)
def test_a_rule_that_comes_too_late_or_waits_for_more_does_not_watch_sleep(profile, change):
    [told] = gaps([profile({**CLOSED, **change})])
    assert told.startswith("sleep is not watched: no rule is over closed eyes alone")
    assert not watches_sleep(profile({**CLOSED, **change}))


def test_sleep_that_is_watched_at_high_speed_only_is_told_with_that_speed(profile):
    fast = {**CLOSED, "speed": {"from_kmh": 240, "down_to_kmh": 200}}
    [told] = gaps([profile(fast)])
    assert "sleep is not watched below 240 km/h, and should be from 20 km/h on" in told
    assert not watches_sleep(profile(fast))
    assert gaps([profile(fast), load_profile("euroncap_2026")]) == []


def test_the_standards_sleep_put_off_to_a_speed_never_driven_is_told(profile):
    rules = [
        {**CLOSED, "type": kind, "chain": "eyes_closed", "severity": severity,
         "when": {"closure_s": {"at_least": at_least, "hold_above": 0.0}},
         "speed": {"from_kmh": 240.0, "down_to_kmh": 200.0}}
        for kind, severity, at_least in (
            ("fatigue.microsleep", "urgent", 1.5),
            ("fatigue.sleep", "urgent", 3.0),
            ("driver.unresponsive", "emergency", 6.0),
        )
    ]  # fmt: skip
    [told] = gaps([profile(*rules, extends="euroncap_2026")])
    assert "below 240 km/h" in told


def test_what_is_dropped_of_the_sensing_is_named(profile):
    chains = {rule.chain for rule in load_profile("sensing").rules}
    [told] = gaps([profile(CLOSED, drop=sorted(chains - {"frozen"}))])
    untold = ALL_SENSING.replace("frozen, ", "")
    assert told == f"not told within 10 s: {untold}; extend `sensing`, and drop none of it"
    assert gaps([profile(CLOSED, drop=["no_face"]), load_profile("sensing")]) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, False),
        ({"when": {"no_face_s": {"at_least": 10.5}}}, True),
        ({"speed": {"from_kmh": 30, "down_to_kmh": 28}}, True),
        ({"when": {"no_face_s": {"at_least": 3.0}, "off_road_s": {"at_least": 3.0}}}, True),
    ],
)
def test_a_cause_must_be_told_in_time_and_by_itself(profile, change, told):
    found = gaps([profile(CLOSED, {**NO_FACE, **change}, drop=["no_face"])])
    assert found == (["not told within 10 s: no_face; extend `sensing`, and drop none of it"] if told else [])


def test_a_stage_that_only_escalates_tells_no_cause(profile):
    told = gaps([profile(extends="euroncap_2026", drop=["blocked", "no_face"])])
    assert told == ["not told within 10 s: no_face, blocked; extend `sensing`, and drop none of it"]


@pytest.mark.parametrize(
    ("inputs", "terminal", "told"),
    [
        ({}, True, False),
        ({}, False, True),
        ({"acknowledge": {"key": {"terminal": False}}}, True, True),
        ({"acknowledge": {"key": {"device": "/dev/input/event0"}}}, False, False),
        ({"acknowledge": {"gpio": {"line": 17}}}, False, False),
        ({"mqtt": {"acknowledge": True}}, False, False),
    ],
)
def test_what_waits_for_an_acknowledgement_that_nobody_can_give_is_told(inputs, terminal, told):
    config = InputsConfig.model_validate(inputs)
    found = unacknowledgeable([load_profile("eu_ddaw")], config, terminal=terminal)
    assert bool(found) == told
    assert all("fatigue.ddaw stays until it is acknowledged" in line for line in found)
    assert unacknowledgeable([load_profile("euroncap_2026")], config, terminal=terminal) == []
