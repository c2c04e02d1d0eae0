import pytest

from dms.alerts import AlertManager, Profile, load_profile
from dms.alerts.manager import under_alerts
from dms.assess import SIGNALS
from dms.records import Alert, Assessment, DriverState, Phase, Severity, Signal

ROAD = {"severity": "warning", "chain": "road", "source": "a test", "cause": "{off_road_s:.1f} s"}
PROFILE = Profile.model_validate(
    {
        "name": "test",
        "version": 1,
        "description": "a test",
        "hold_unknown_s": 5.0,
        "rules": [
            {
                **ROAD,
                "type": "road.away",
                "when": {"off_road_s": {"at_least": 3.0, "hold_above": 0.0}},
                "clear_after_s": 1.0,
            },
            {
                **ROAD,
                "type": "road.ignored",
                "when": {"off_road_s": {"unheeded_s": 2.0, "hold_above": 0.0}},
                "severity": "emergency",
                "clear_after_s": 1.0,
            },
            {
                "type": "eyes.slow",
                "chain": "slow",
                "when": {"perclos_60s": {"at_least": 0.15}, "perclos_180s": {"at_least": 0.1}},
                "severity": "caution",
                "cause": "{perclos_60s:.0%}",
                "source": "a test",
            },
        ],
    }
)


def play(values, step_s=0.5, **fixed):
    """Feed off_road_s values (None = unknown), one every `step_s`; return manager and changes."""
    manager, changes, onset_s = AlertManager([PROFILE], "run"), [], None
    for number, value in enumerate(values):
        now_s = number * step_s
        onset_s = None if value == 0 else now_s - value if onset_s is None and value else onset_s
        signals = {name: Signal(0.0) for name in SIGNALS}
        signals |= {name: Signal(given) for name, given in fixed.items()}
        signals["off_road_s"] = Signal(value, onset_s)
        assessment = Assessment(now_s, DriverState.UNKNOWN, (), signals, 0.7, "gaze")
        changes += manager.update(assessment)
    return manager, changes


def test_an_alert_starts_with_its_reasons():
    manager, [start] = play([0.0, 2.5, 3.0])
    assert (start.id, start.type, start.phase, start.severity) == (
        "run-1",
        "road.away",
        Phase.START,
        Severity.WARNING,
    )
    assert (start.onset_s, start.detected_s, start.cause, start.profile) == (-2.0, 1.0, "3.0 s", "test")
    assert start.evidence == {
        "off_road_s": 3.0,
        "off_road_s.at_least": 3.0,
        "calibration": 0.7,
        "gaze_source": "gaze",
    }
    assert manager.active == (start,)


def test_it_escalates_under_its_id_once_unheeded():
    manager, [start, update] = play([2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5])
    assert (update.id, update.type, update.phase, update.severity) == (
        start.id,
        "road.ignored",
        Phase.UPDATE,
        Severity.EMERGENCY,
    )
    assert (update.captured_s, update.detected_s, update.onset_s) == (2.5, start.detected_s, start.onset_s)
    assert update.evidence["off_road_s.unheeded_s"] == 2.0
    assert manager.active == (update,)


def test_another_glance_is_not_an_unheeded_warning():
    _, changes = play([3.0, 0.0, *[number / 2 for number in range(1, 12)]])
    assert [change.type for change in changes] == ["road.away"]


def test_it_clears_only_after_its_time_and_a_relapse_starts_that_anew():
    _, changes = play([3.0, 0.0, 0.0, 0.5, 0.0, 0.0])
    assert [change.phase for change in changes] == [Phase.START]
    manager, changes = play([3.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0])
    assert [change.phase for change in changes] == [Phase.START, Phase.END]
    assert changes[-1].evidence["ended_by"] == "cleared"
    assert changes[-1].duration_s == pytest.approx(3.0 + 3.0)
    assert manager.active == ()


def test_unknown_neither_starts_nor_clears():
    assert play([None] * 20)[1] == []
    _, changes = play([3.0, *[None] * 9, 3.0, *[None] * 9])
    assert [change.phase for change in changes] == [Phase.START]
    _, changes = play([3.0, 0.0, *[None] * 5, 0.0, 0.0])
    assert [change.phase for change in changes] == [Phase.START]


def test_a_new_alert_has_a_new_id():
    _, changes = play([3.0, 0.0, 0.0, 0.0, 3.0])
    assert [change.id for change in changes] == ["run-1", "run-1", "run-2"]


def test_all_limits_must_be_reached():
    assert play([0.0] * 3, perclos_60s=0.2, perclos_180s=None)[1] == []
    assert play([0.0] * 3, perclos_60s=0.2, perclos_180s=0.05)[1] == []
    [start] = play([0.0] * 3, perclos_60s=0.2, perclos_180s=0.1)[1]
    assert (start.type, start.cause, start.onset_s) == ("eyes.slow", "20%", 0.0)


def test_the_end_of_a_run_ends_its_alerts_once():
    manager, [start] = play([3.0])
    [end] = manager.close(9.0)
    assert (end.id, end.phase, end.captured_s, end.evidence["ended_by"]) == (
        start.id,
        Phase.END,
        9.0,
        "closed",
    )
    assert manager.close(9.5) == ()
    assert manager.active == ()


@pytest.mark.parametrize(
    ("kind", "severity", "state"),
    [
        ("distraction.phone", Severity.WARNING, DriverState.DISTRACTED),
        ("fatigue.microsleep", Severity.URGENT, DriverState.DROWSY),
        ("fatigue.yawn", Severity.CAUTION, DriverState.ATTENTIVE),
        ("sensor.eyes_unreadable", Severity.WARNING, DriverState.ATTENTIVE),
    ],
)
def test_nobody_is_attentive_while_a_warning_about_him_stands(kind, severity, state):
    standing = Alert("a-1", kind, Phase.START, severity, 0.0, 1.0, 1.0, "cause", {}, "test")
    assert under_alerts(DriverState.ATTENTIVE, [standing]) is state
    assert under_alerts(DriverState.UNKNOWN, [standing]) is DriverState.UNKNOWN


def test_the_state_is_told_since_it_is_shown():
    """An alert that stands holds the state; when it goes, the state shown begins anew."""
    manager, shown = AlertManager([load_profile("euroncap_2026")], "run"), []
    for now_s in range(1, 15):
        closure_s = 2.0 if 2 <= now_s <= 3 else 0.0
        signals = {**{name: Signal(0.0) for name in SIGNALS}, "closure_s": Signal(closure_s, 0.5)}
        signals["speed_kmh"] = Signal(None)
        assessment = Assessment(now_s, DriverState.ATTENTIVE, signals=signals, state_since_s=0.5)
        manager.update(assessment)
        told = manager.told(assessment)
        shown.append((told.state, told.state_since_s))
    states = [state for state, _ in shown]
    held = states.index(DriverState.DROWSY)
    back = states.index(DriverState.ATTENTIVE, held)
    assert shown[0] == (DriverState.ATTENTIVE, 1)
    assert {since_s for _, since_s in shown[held:back]} == {held + 1}
    assert {since_s for _, since_s in shown[back:]} == {back + 1}
