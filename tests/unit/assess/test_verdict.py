import pytest

from dms.alerts import load_profile
from dms.assess import SIGNALS
from dms.assess.verdict import doubted, name_state
from dms.config.assess import VerdictConfig
from dms.records import DriverState, Signal, UnknownCause

CONFIG = VerdictConfig()
GOOD = {name: Signal(0.0) for name in SIGNALS}
UNKNOWN = {name: Signal(None) for name in SIGNALS}


def named(signals=GOOD, **values):
    return name_state({**signals, **{name: Signal(value) for name, value in values.items()}}, CONFIG)


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({}, DriverState.ATTENTIVE),
        ({"off_road_s": 2.9}, DriverState.ATTENTIVE),
        ({"off_road_s": 3.0}, DriverState.DISTRACTED),
        ({"off_road_30s": 10.0}, DriverState.DISTRACTED),
        ({"phone_s": 2.0}, DriverState.DISTRACTED),
        ({"perclos_60s": 0.15, "perclos_180s": 0.09}, DriverState.ATTENTIVE),
        ({"perclos_60s": 0.15, "perclos_180s": 0.10, "off_road_s": 4.0}, DriverState.DROWSY),
        ({"closure_s": 1.5, "perclos_60s": 0.3, "perclos_180s": 0.3}, DriverState.ASLEEP),
        ({"closure_s": 6.0}, DriverState.UNRESPONSIVE),
        ({"off_road_s": 6.0}, DriverState.UNRESPONSIVE),
    ],
)
def test_the_worst_that_holds_wins(values, state):
    assert named(**values) is state


def test_nothing_seen_is_unknown_and_half_seen_is_what_it_is():
    assert named(UNKNOWN) is DriverState.UNKNOWN
    assert named(UNKNOWN, closure_s=0.0) is DriverState.UNKNOWN
    assert named(UNKNOWN, closure_s=0.4) is DriverState.ATTENTIVE  # a blink is no loss of sight
    assert named(UNKNOWN, off_road_s=0.0) is DriverState.ATTENTIVE
    assert named(UNKNOWN, phone_s=3.0) is DriverState.DISTRACTED


def test_the_state_and_the_shipped_profile_use_the_same_figures():
    limits = {
        (rule.type, name, limit.at_least)
        for rule in load_profile("euroncap_2026").rules
        for name, limit in rule.when.items()
    }
    assert limits >= {
        ("distraction.long", "off_road_s", CONFIG.distracted_off_road_s),
        ("distraction.vats", "off_road_30s", CONFIG.distracted_vats_s),
        ("distraction.phone", "phone_s", CONFIG.distracted_phone_s),
        ("fatigue.drowsy", "perclos_60s", CONFIG.drowsy_perclos_60s),
        ("fatigue.drowsy", "perclos_180s", CONFIG.drowsy_perclos_180s),
        ("fatigue.microsleep", "closure_s", CONFIG.asleep_closure_s),
        ("driver.unresponsive", "closure_s", CONFIG.unresponsive_closure_s),
        ("driver.unresponsive", "off_road_s", CONFIG.unresponsive_off_road_s),
    }


@pytest.mark.parametrize("cause", list(UnknownCause))
def test_a_cause_may_take_the_all_clear_but_hides_nothing_bad(cause):
    for state in set(DriverState) - {DriverState.ATTENTIVE, DriverState.UNKNOWN}:
        assert doubted(state, {cause}, GOOD) is state
    allowed = {DriverState.ATTENTIVE, DriverState.UNKNOWN, DriverState.FAULT}
    assert doubted(DriverState.ATTENTIVE, {cause}, GOOD) in allowed - {DriverState.FAULT}


def test_unknown_is_a_fault_only_where_something_is_broken():
    broken = {
        cause for cause in UnknownCause if doubted(DriverState.UNKNOWN, {cause}, GOOD) is DriverState.FAULT
    }
    assert broken == {UnknownCause.CAMERA_LOST, UnknownCause.ENGINE_FAILED}
    assert doubted(DriverState.ATTENTIVE, (), GOOD) is DriverState.ATTENTIVE


@pytest.mark.parametrize("cause", ["eyes_hidden", "glare", "dark", "frozen", "stale"])
def test_who_is_not_seen_well_is_not_called_attentive(cause):
    old = {**GOOD, "stale_s": Signal(1.0)}
    assert doubted(DriverState.ATTENTIVE, {UnknownCause(cause)}, old) is DriverState.UNKNOWN
    assert doubted(DriverState.DISTRACTED, {UnknownCause(cause)}, old) is DriverState.DISTRACTED


def test_old_results_of_phones_alone_leave_the_driver_watched():
    assert doubted(DriverState.ATTENTIVE, {UnknownCause.STALE}, GOOD) is DriverState.ATTENTIVE
