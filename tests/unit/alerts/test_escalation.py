"""Latch, acknowledgement, suppression, reminders, rates, hiding."""

import copy
import pickle

import pytest

from dms.alerts import AlertManager, load_profile
from dms.config.assess import AssessConfig
from dms.records import Phase, Severity
from dms.testing import Story, play
from tests.unit.alerts.acts import AWAY, DROWSY, HIDDEN, LOCKOUT, Drive, phases, profile, told

START, UPDATE, END = Phase.START, Phase.UPDATE, Phase.END


def test_a_latched_alert_stays_for_its_time():
    drive = Drive(profile({**AWAY, "latch_s": 5.0}))
    drive.grow("off_road_s").play(3.0)
    assert drive.set(off_road_s=0.0).play(4.5) == []
    [end] = drive.play(0.5)
    assert (end.phase, end.evidence["ended_by"], end.captured_s) == (END, "cleared", 8.0)


def test_a_latch_that_runs_out_while_the_driver_hides_waits_for_him():
    drive = Drive(profile({**AWAY, "latch_s": 5.0}))
    drive.grow("off_road_s").play(3.0)
    drive.set(off_road_s=0.0).play(1.0)
    assert drive.set(off_road_s=None).play(600.0) == []
    [end] = drive.set(off_road_s=0.0).play(0.5)
    assert (end.phase, end.evidence["ended_by"]) == (END, "cleared")


def test_a_latch_on_a_fault_runs_out_whether_it_is_seen_or_not():
    drive = Drive(profile({**HIDDEN, "latch_s": 5.0}))
    drive.grow("eyes_hidden_s").play(2.0)
    drive.set(eyes_hidden_s=0.0).play(1.0)
    assert phases(drive.set(eyes_hidden_s=None).play(5.0)) == [END]


def test_an_acknowledgement_ends_the_latch_but_not_the_condition():
    drive = Drive(profile({**AWAY, "latch_s": 60.0}))
    drive.grow("off_road_s").play(3.0)
    [noted] = drive.acknowledge()
    assert (noted.phase, noted.acknowledged_s, noted.severity) == (UPDATE, 3.5, Severity.WARNING)
    assert noted.evidence["acknowledged_by"] == "key"
    assert drive.play(10.0) == []
    [end] = drive.set(off_road_s=0.0).play(0.5)
    assert (end.phase, end.acknowledged_s) == (END, 3.5)


def test_until_acknowledged_it_stays():
    drive = Drive(profile({**AWAY, "until_acknowledged": True}))
    drive.grow("off_road_s").play(3.0)
    assert drive.set(off_road_s=0.0).play(600.0) == []
    assert phases(drive.acknowledge()) == [UPDATE, END]


def test_one_is_acknowledged_by_its_id_and_others_are_not():
    drive = Drive(profile(AWAY, HIDDEN))
    first, second = drive.grow("off_road_s", "eyes_hidden_s").play(3.0)
    [noted] = drive.acknowledge(second.id)
    assert (noted.id, noted.acknowledged_s is not None) == (second.id, True)
    assert {a.id: a.acknowledged_s is None for a in drive.manager.active} == {
        first.id: True,
        second.id: False,
    }
    assert drive.acknowledge(second.id) == []  # once is enough


@pytest.mark.parametrize("alert_id", ["run-7", "", "run-1 ", "\x00", "../../etc"])
def test_an_id_that_is_not_up_is_ignored(alert_id):
    drive = Drive(profile(AWAY))
    drive.grow("off_road_s").play(3.0)
    assert drive.acknowledge(alert_id) == []
    assert drive.manager.active[0].acknowledged_s is None


def test_an_escalation_asks_for_a_new_acknowledgement():
    drive = Drive(profile(AWAY, {**AWAY, "severity": "urgent", "when": {"off_road_s": {"at_least": 6.0}}}))
    drive.grow("off_road_s").play(3.0)
    drive.acknowledge()
    [escalated] = drive.play(3.0)
    assert (escalated.severity, escalated.acknowledged_s) == (Severity.URGENT, None)


def test_acknowledged_it_is_suppressed_for_its_time_and_no_longer():
    drive = Drive(profile({**DROWSY, "suppress_s": 30.0}))
    drive.set(perclos_60s=0.2).play(1.0)
    drive.acknowledge()
    acknowledged_s = drive.now_s
    assert phases(drive.set(perclos_60s=0.0).play(1.0)) == [END]
    [again] = drive.set(perclos_60s=0.2).play(60.0)
    assert (again.phase, again.captured_s) == (START, acknowledged_s + 30.0)


def test_suppression_stops_no_graver_stage():
    drive = Drive(
        profile(
            {**DROWSY, "suppress_s": 600.0},
            {**DROWSY, "severity": "urgent", "when": {"perclos_60s": {"at_least": 0.3}}},
        )
    )
    drive.set(perclos_60s=0.2).play(1.0)
    drive.acknowledge()
    drive.set(perclos_60s=0.0).play(1.0)
    assert drive.set(perclos_60s=0.2).play(5.0) == []
    [start] = drive.set(perclos_60s=0.4).play(0.5)
    assert start.severity is Severity.URGENT


def test_it_is_told_again_until_acknowledged_while_it_lasts():
    drive = Drive(profile({**DROWSY, "repeat_s": 10.0, "until_acknowledged": True}))
    changes = drive.set(perclos_60s=0.2).play(25.5)
    assert [(c.phase, c.captured_s) for c in changes] == [(START, 0.5), (UPDATE, 10.5), (UPDATE, 20.5)]
    assert drive.set(perclos_60s=0.0).play(60.0) == []  # latched, but over: nothing to tell again
    drive.set(perclos_60s=0.2).play(0.5)
    drive.acknowledge()
    assert drive.play(60.0) == []


def test_too_many_a_minute_are_held_back_counted_and_told():
    drive = Drive(profile({**DROWSY, "max_per_min": 2}))
    for _ in range(5):
        drive.set(perclos_60s=0.2).play(1.0)
        drive.set(perclos_60s=0.0).play(1.0)
    assert told(drive.changes) == [("fatigue.drowsy", phase) for phase in (START, END) * 2]
    drive.play(60.0)
    [start] = drive.set(perclos_60s=0.2).play(1.0)
    assert (start.phase, start.evidence["swallowed"]) == (START, 3.0)
    drive.set(perclos_60s=0.0).play(1.0)
    [again] = drive.set(perclos_60s=0.2).play(1.0)
    assert "swallowed" not in again.evidence


def test_what_was_held_back_comes_late_if_it_lasts():
    drive = Drive(profile({**DROWSY, "max_per_min": 1}))
    drive.set(perclos_60s=0.2).play(1.0)
    drive.set(perclos_60s=0.0).play(1.0)
    [late] = drive.set(perclos_60s=0.2).play(100.0)
    assert (late.phase, late.captured_s) == (START, 60.5)


def test_hiding_never_clears_an_alert_about_the_driver():
    drive = Drive(profile(AWAY))
    drive.grow("off_road_s").play(3.0)
    assert drive.set(off_road_s=None).play(3600.0) == []
    [end] = drive.set(off_road_s=0.0).play(0.5)
    assert (end.phase, end.evidence["ended_by"]) == (END, "cleared")


@pytest.mark.parametrize(("head", "gravest"), [({"head_pitch_deg": -30.0}, "emergency"), ({}, "warning")])
def test_eyes_hidden_after_a_warning_leave_it_to_the_head_to_worsen_it(head, gravest):
    story = Story(fps=15).driving(90).attentive(30).look_at("lap", 4.0)
    story.but(12.0, visibility=0.1, openness=0.1, closed=None, **head)
    changes = play(story, AssessConfig(), load_profile("euroncap_2026"))
    warned = [change.severity for change in changes if change.id == "story-1"]
    assert max(warned, key=list(Severity).index) is Severity(gravest)


def test_what_is_acknowledged_and_cannot_be_judged_ends():
    drive = Drive(profile(AWAY))
    drive.grow("off_road_s").play(3.0)
    drive.set(off_road_s=None).play(60.0)
    noted, end = drive.acknowledge()
    assert (noted.phase, end.phase, end.evidence["ended_by"]) == (UPDATE, END, "unknown")


def test_a_sensing_alert_ends_once_its_own_signal_is_unknown():
    drive = Drive(profile(HIDDEN))
    drive.grow("eyes_hidden_s").play(3.0)
    [end] = drive.set(eyes_hidden_s=None).play(10.0)
    assert (end.phase, end.evidence["ended_by"], end.captured_s) == (END, "unknown", 8.0)
    assert "5 s" in end.cause


def test_covering_the_lens_after_a_warning_escalates_and_raises_nothing_by_itself():
    covered = {**AWAY, "type": "driver.unresponsive", "severity": "emergency", "only_escalates": True}
    covered |= {"when": {"blocked_s": {"at_least": 3.0, "hold_above": 0.0}}, "cause": "{blocked_s:.1f}"}
    drive = Drive(profile(AWAY, covered))
    assert drive.set(off_road_s=None).grow("blocked_s").play(60.0) == []
    drive.set(blocked_s=0.0).grow("off_road_s").play(3.0)
    [escalated] = drive.set(off_road_s=None).grow("blocked_s").play(10.0)
    assert (escalated.type, escalated.phase, escalated.id) == ("driver.unresponsive", UPDATE, "run-1")


def test_nan_is_unknown():
    drive = Drive(profile(AWAY))
    assert drive.set(off_road_s=float("nan")).play(5.0) == []
    drive.grow("off_road_s").play(3.0)
    assert drive.set(off_road_s=float("nan")).play(30.0) == []
    assert len(drive.manager.active) == 1


def test_a_clock_set_back_stretches_no_latch():
    drive = Drive(profile({**AWAY, "latch_s": 5.0}))
    drive.grow("off_road_s").play(3.0)
    drive.set_clock_back(1000.0)
    changes = drive.set(off_road_s=0.0).play(6.0)
    assert phases(changes) == [END]


# --- several profiles -----------------------------------------------------------------------------


def test_what_two_profiles_share_is_told_once():
    one, two = profile(AWAY, HIDDEN, name="one"), profile({**AWAY, "clear_after_s": 2.0}, HIDDEN, name="two")
    changes = Drive(two, one).grow("off_road_s", "eyes_hidden_s").play(4.0)
    assert sorted((c.profile, c.type) for c in changes) == [
        ("one", "distraction.long"),
        ("one", "sensor.eyes_unreadable"),
        ("two", "distraction.long"),
    ]
    assert {(c.profile, c.profile_version, c.profile_hash) for c in changes} == {
        (p.name, 1, p.hash) for p in (one, two)
    }


def test_the_manager_is_made_of_plain_state():
    """What a checkpoint writes: no closures, iterators or bound methods."""
    drive = Drive(profile(AWAY, {**DROWSY, "max_per_min": 1}, lockout=LOCKOUT))
    drive.grow("off_road_s").set(perclos_60s=0.2).play(3.0)
    twin = pickle.loads(pickle.dumps(drive.manager))
    assert isinstance(twin, AlertManager)
    assert twin.active == drive.manager.active
    other = copy.deepcopy(drive)
    assert drive.set(off_road_s=0.0).play(3.0) == other.set(off_road_s=0.0).play(3.0) != []
