"""What speed, reverse and the head in place of the eyes make of a rule."""

import pytest

from dms.alerts.gates import SETTLED_S
from dms.records import Phase, Severity
from tests.unit.alerts.acts import AWAY, HIDDEN, SPEED, Drive, phases, profile, told

START, UPDATE, END = Phase.START, Phase.UPDATE, Phase.END


def test_speed_arms_a_rule_with_hysteresis():
    drive = Drive(profile({**AWAY, "speed": SPEED}))
    assert drive.set(speed_kmh=19.0).grow("off_road_s").play(20.0) == []
    drive.set(off_road_s=0.0, speed_kmh=20.0).play(1.0)
    drive.set(speed_kmh=18.5).grow("off_road_s")
    assert told(drive.play(4.0)) == [("distraction.long", START)]
    drive.set(off_road_s=0.0, speed_kmh=18.0).play(1.0)
    assert drive.set(speed_kmh=19.5).grow("off_road_s").play(20.0) == []


def test_what_began_below_the_speed_counts_from_the_speed_on():
    drive = Drive(profile({**AWAY, "speed": SPEED}))
    drive.set(speed_kmh=10.0).grow("off_road_s").play(20.0)
    [start] = drive.set(speed_kmh=30.0).play(10.0)
    assert start.captured_s == 20.5 + 3.0


def test_unknown_speed_is_fast_and_said():
    drive = Drive(profile({**AWAY, "speed": SPEED}))
    [start] = drive.set(speed_kmh=None).grow("off_road_s").play(5.0)
    assert start.evidence["speed_kmh"] == "unknown, taken as fast"
    assert start.captured_s == 3.0


def test_bands_of_speed_are_stages_of_one_alert():
    slow = {**AWAY, "when": {"off_road_s": {"at_least": 6.0, "hold_above": 0.0}}, "speed": SPEED}
    fast = {**AWAY, "speed": {"from_kmh": 50.0, "down_to_kmh": 48.0}}
    for speed_kmh, after_s in ((49.0, 6.0), (51.0, 3.0), (None, 3.0)):
        drive = Drive(profile(slow, fast))
        changes = drive.set(speed_kmh=speed_kmh).grow("off_road_s").play(20.0)
        assert [(c.phase, c.captured_s) for c in changes] == [(START, after_s)]


def test_a_known_standstill_ends_what_speed_has_armed_and_leaves_the_rest():
    drive = Drive(profile({**AWAY, "speed": SPEED, "latch_s": 60.0}, HIDDEN))
    drive.grow("off_road_s", "eyes_hidden_s").play(3.0)
    [end] = drive.set(speed_kmh=0.0).grow("off_road_s", "eyes_hidden_s").play(30.0)
    assert (end.type, end.evidence["ended_by"]) == ("distraction.long", "standstill")
    assert [alert.type for alert in drive.manager.active] == ["sensor.eyes_unreadable"]


def test_off_road_pauses_in_reverse_and_counts_anew_after_it():
    drive = Drive(profile({**AWAY, "pauses_in_reverse": True}))
    assert drive.set(reversing=1.0).grow("off_road_s").play(20.0) == []
    [start] = drive.set(reversing=0.0).play(10.0)
    assert start.captured_s == 20.5 + 3.0
    [end] = drive.set(reversing=1.0).play(10.0)
    assert (end.phase, end.captured_s) == (END, 30.5 + SETTLED_S)
    unknown = Drive(profile({**AWAY, "pauses_in_reverse": True})).set(reversing=None)
    assert phases(unknown.grow("off_road_s").play(5.0)) == [START]


def test_the_head_in_place_of_the_eyes_widens_a_limit_that_says_so():
    wide = {**AWAY, "when": {"off_road_s": {"at_least": 3.0, "by_head": 4.5, "hold_above": 0.0}}}
    for gaze_source, after_s in (("gaze", 3.0), ("head", 4.5)):
        [start] = Drive(profile(wide)).grow("off_road_s").play(10.0, gaze_source=gaze_source)
        assert (start.captured_s, start.evidence["off_road_s.at_least"]) == (after_s, after_s)


def test_the_head_in_place_of_the_eyes_may_need_less_too():
    sooner = {**AWAY, "when": {"off_road_s": {"at_least": 6.0, "by_head": 3.0, "hold_above": 0.0}}}
    for gaze_source, after_s in (("gaze", 6.0), ("head", 3.0)):
        [start] = Drive(profile(sooner)).grow("off_road_s").play(10.0, gaze_source=gaze_source)
        assert (start.captured_s, start.evidence["off_road_s.at_least"]) == (after_s, after_s)


@pytest.mark.parametrize(("gaze_source", "after_s"), [("gaze", 3.0), ("head", 4.5)])
def test_a_frame_that_shows_neither_head_nor_eyes_changes_no_limit(gaze_source, after_s):
    wide = {**AWAY, "when": {"off_road_s": {"at_least": 3.0, "by_head": 4.5, "hold_above": 0.0}}}
    drive = Drive(profile(wide)).grow("off_road_s")
    assert drive.play(2.5, gaze_source=gaze_source) == []
    drive.play(1.0, gaze_source=None)
    drive.play(3.0, gaze_source=gaze_source)
    assert [change.captured_s for change in drive.changes] == [after_s]


def test_a_limit_from_above():
    empty = {**AWAY, "when": {"attend_buffer_s": {"at_most": 0.0, "hold_below": 0.5}}, "cause": "x"}
    drive = Drive(profile(empty))
    drive.set(attend_buffer_s=2.0)
    assert drive.play(5.0) == []
    assert phases(drive.set(attend_buffer_s=0.0).play(1.0)) == [START]
    assert drive.set(attend_buffer_s=0.4).play(5.0) == []
    assert phases(drive.set(attend_buffer_s=0.5).play(1.0)) == [END]


ASLEEP = {**AWAY, "type": "fatigue.microsleep", "chain": "eyes_closed", "severity": "urgent", "cause": "x"}
ASLEEP |= {"when": {"closure_s": {"at_least": 1.5, "hold_above": 0.0}}, "speed": SPEED}
UNRESPONSIVE = {**ASLEEP, "type": "driver.unresponsive", "severity": "emergency"}
UNRESPONSIVE |= {"when": {"closure_s": {"at_least": 6.0, "hold_above": 0.0}}}


@pytest.mark.parametrize("dip_kmh", [0.0, 0.5, 17.5])
def test_a_moment_of_low_speed_in_a_sleep_ends_nothing_and_starts_no_time_anew(dip_kmh):
    drive = Drive(profile(ASLEEP, UNRESPONSIVE), step_s=0.1)
    drive.grow("closure_s")
    for _ in range(12):
        drive.set(speed_kmh=dip_kmh).play(0.1)
        drive.set(speed_kmh=21.0).play(2.7)
    assert told(drive.changes) == [("fatigue.microsleep", START), ("driver.unresponsive", UPDATE)]
    assert drive.changes[-1].captured_s == pytest.approx(6.0)


def test_a_standstill_is_believed_after_its_time_and_raises_nothing_before():
    drive = Drive(profile(ASLEEP, UNRESPONSIVE), step_s=0.1)
    drive.grow("closure_s").play(5.9)
    [end] = drive.set(speed_kmh=0.0).play(30.0)
    assert (end.phase, end.evidence["ended_by"]) == (END, "standstill")
    assert end.captured_s == pytest.approx(6.0 + SETTLED_S, abs=0.11)


def test_a_moment_of_reverse_ends_nothing_and_starts_no_time_anew():
    away = {**AWAY, "pauses_in_reverse": True}
    drive = Drive(profile(away, {**away, "severity": "urgent", "when": {"off_road_s": {"at_least": 8.0}}}))
    drive.grow("off_road_s")
    for _ in range(3):
        drive.set(reversing=1.0).play(0.5)
        drive.set(reversing=0.0).play(2.5)
    assert [(c.phase, c.captured_s) for c in drive.changes] == [(START, 3.0), (UPDATE, 8.0)]


def test_at_a_standstill_it_falls_back_to_the_stage_without_a_speed_under_its_id():
    hidden = {**HIDDEN, "severity": "warning"}
    absent = {**hidden, "type": "driver.absent", "severity": "urgent", "speed": SPEED}
    absent |= {"when": {"eyes_hidden_s": {"at_least": 6.0, "hold_above": 0.0}}}
    drive = Drive(profile(hidden, absent))
    drive.grow("eyes_hidden_s").play(6.0)
    drive.set(speed_kmh=0.0).play(10.0)
    drive.set(speed_kmh=30.0).play(10.0)
    drive.set(eyes_hidden_s=0.0).play(1.0)
    assert told(drive.changes) == [
        ("sensor.eyes_unreadable", START),
        ("driver.absent", UPDATE),
        ("sensor.eyes_unreadable", UPDATE),
        ("driver.absent", UPDATE),
        ("driver.absent", END),
    ]
    assert drive.changes[2].severity is Severity.WARNING
    assert {change.id for change in drive.changes} == {"run-1"}
