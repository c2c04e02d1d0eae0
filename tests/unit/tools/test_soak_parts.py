"""The parts of a soak: clock, source, schedule, slopes, laps, verdicts."""

import random
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pytest

from dms.config import SourceConfig
from dms.control.sensors import Sensors
from dms.errors import EngineError, EngineOutputError, SourceLost
from dms.records import (
    Alert,
    Assessment,
    Control,
    DeviceReading,
    DriverState,
    Health,
    HealthState,
    Judgement,
    Observation,
    Phase,
    Severity,
)
from dms.sinks.jsonl import JsonlSink
from dms.tools.soak import rig as soak_rig
from dms.tools.soak import watch as soak_watch
from dms.tools.soak.clock import DrivingClock
from dms.tools.soak.director import SETTLE_S, Director, Outcome
from dms.tools.soak.faults import KINDS, UNSEEN
from dms.tools.soak.laps import Recording, Tally, tally_lap
from dms.tools.soak.rig import FaultyBackend, Rig
from dms.tools.soak.schedule import LEVEL, Fault, Kind, schedule
from dms.tools.soak.sensors import InStep, SensorTree
from dms.tools.soak.source import Laps
from dms.tools.soak.verdict import Run, checks
from dms.tools.soak.watch import Holdings, Sample, difference, slope
from dms.tools.soak.witness import Heard, Witness


class Machine:
    """A machine's clock whose sleep only moves it."""

    def __init__(self):
        self.now_s = 100.0
        self.slept_s = 0.0

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds
        self.slept_s += seconds


@pytest.fixture
def machine():
    return Machine()


def clock_of(machine, speed=10.0):
    return DrivingClock(speed, machine, machine.sleep)


# Time


def test_waiting_is_left_out_and_work_is_not(machine):
    clock = clock_of(machine)
    machine.now_s += 0.010  # work
    assert clock() == pytest.approx(100.010)
    clock.pass_until(101.0)
    assert clock() == pytest.approx(101.0)
    assert machine.now_s == pytest.approx(100.1)  # ten times real time, the work within


def test_time_never_runs_back(machine):
    clock = clock_of(machine)
    clock.pass_until(50.0)
    assert clock() == 100.0
    assert machine.slept_s == 0.0


def test_in_real_time_all_is_waited_for(machine):
    clock = clock_of(machine)
    clock.in_real_time = True
    clock.pass_until(103.0)
    assert machine.slept_s == pytest.approx(3.0)


def test_paused_work_takes_no_driving_time(machine):
    clock = clock_of(machine)
    with clock.paused():
        machine.now_s += 5.0
    assert clock() == 100.0


# The source


@pytest.fixture
def laps(machine, sim_script):
    source = Laps(SourceConfig(uri=f"sim:{sim_script}"), 0.5, clock_of(machine), lambda now_s: None)
    yield source
    source.close()


@pytest.fixture
def sim_script(tmp_path):
    path = tmp_path / "half.yaml"
    path.write_text("title: half a second\nsize: [160, 120]\nfps: 10\nduration_s: 0.5\nevents: []\n")
    return path


def test_the_recording_runs_again_and_time_goes_on(laps):
    times = [laps.newest(1.0).captured_s - laps.begun_s for _ in range(12)]
    assert times == pytest.approx([0.1 * number for number in range(12)])
    assert laps.laps == 2
    assert laps.lap_s(laps.begun_s + 1.2) == pytest.approx(0.2)


def test_frames_that_came_while_work_was_done_are_dropped(laps, machine):
    laps.newest(1.0)
    machine.now_s += 0.35
    assert laps.newest(1.0).captured_s - laps.begun_s == pytest.approx(0.3)
    assert laps.dropped == 2


def test_a_silent_source_is_lost_in_time_and_comes_back(laps, machine):
    laps.newest(1.0)
    laps.silent = True
    with pytest.raises(SourceLost, match="no frame"):
        laps.newest(0.25)
    assert laps.now_s() - laps.begun_s == pytest.approx(0.25)
    laps.silent = False
    assert laps.newest(1.0).captured_s - laps.begun_s == pytest.approx(0.3)


# The schedule


def test_a_schedule_is_drawn_from_its_seed_alone():
    plan = schedule(KINDS, 7, 7200.0)
    assert plan == schedule(KINDS, 7, 7200.0)
    assert plan != schedule(KINDS, 8, 7200.0)


def test_all_kinds_come_before_one_comes_again_and_all_have_time_to_settle():
    plan = schedule(KINDS, 1, 3 * 3600.0)
    assert {fault.kind.name for fault in plan[: len(KINDS)]} == {kind.name for kind in KINDS}
    for fault, after in pairwise(plan):
        assert fault.begin_s + fault.length_s + fault.kind.pause_s < after.begin_s
    assert all(fault.begin_s + fault.length_s + fault.kind.settles_s <= 3 * 3600 for fault in plan)


def test_what_takes_long_to_settle_comes_no_more_near_the_end():
    settles = {kind.name: kind.settles_s for kind in KINDS}
    last = schedule(KINDS, 1, 3600.0)[-1]
    assert 3600.0 - last.begin_s < max(settles.values())
    assert settles[last.kind.name] < max(settles.values())


def test_a_drive_too_short_for_any_has_no_faults():
    assert schedule(KINDS, 1, 60.0) == ()


def test_no_fault_is_as_long_as_would_make_another_driver_of_the_same():
    assert max(kind.length_s[1] for kind in KINDS if kind.signs and LEVEL not in kind.signs) < 30.0


# What is disturbed


class Steady:
    inputs = outputs = MappingProxyType({})

    def infer(self, feeds):
        return {"out": np.ones(3, np.float32)}

    def close(self):
        pass


def injected(name, rig):
    kind = next(kind for kind in KINDS if kind.name == name)
    return kind.inject(rig, random.Random(1))


def rig_of(tmp_path, source=None):
    backend = soak_rig.CheckedBackend("eyes", faulty := FaultyBackend(Steady()))
    rig = Rig(source, {"eyes": [faulty]}, SensorTree(tmp_path / "device"), None, tmp_path / "lines")
    return rig, backend


@pytest.mark.parametrize(
    ("name", "error"),
    [("engine_fails", EngineError), ("engine_nan", EngineOutputError), ("broken", RuntimeError)],
)
def test_an_engine_is_broken_and_mended(tmp_path, name, error):
    rig, backend = rig_of(tmp_path)
    with injected(name, rig), pytest.raises(error):
        backend.infer({})
    assert backend.infer({})["out"].sum() == 3


@pytest.mark.parametrize("name", ["black", "noise", "torn", "resized", "repeated", "back", "ahead", "uneven"])
def test_a_source_is_disturbed_and_mended(tmp_path, laps, name):
    rig, _ = rig_of(tmp_path, laps)
    former = (laps.picture, laps.stamp, laps.thinned)
    with injected(name, rig):
        assert (laps.picture, laps.stamp, laps.thinned) != former
        frame = laps.newest(5.0)
        assert frame.image.dtype == np.uint8
        assert frame.image.ndim == 2
    assert (laps.picture, laps.stamp, laps.thinned) == former


def test_the_real_sensors_read_what_is_written(tmp_path):
    rig, _ = rig_of(tmp_path)
    sensors = Sensors(rig.sensors.root)
    reading = sensors.read(0.0)
    assert (reading.hottest_c, reading.trip_c, reading.throttled_by) == (50.0, 99.0, ())
    with injected("hot", rig):
        assert sensors.read(1.0).hottest_c == 98.0
    with injected("sensors_lost", rig):
        assert sensors.read(2.0).hottest_c is None
    with injected("throttled", rig):
        assert sensors.read(3.0).throttled_by == ("cpufreq-cpu0",)
    with injected("jumping", rig):
        rig.each()
        assert 20.0 <= sensors.read(4.0).hottest_c <= 98.0
    assert sensors.read(5.0).hottest_c == 50.0


def test_readings_are_stamped_with_driving_time_once_each(machine):
    clock = clock_of(machine)
    readings = [DeviceReading(read_s=7.0)]
    read = InStep(lambda: readings[-1], clock)
    assert read().read_s == 100.0
    clock.pass_until(101.0)
    assert read().read_s == 100.0  # still the same one
    readings.append(DeviceReading(read_s=8.0))
    assert read().read_s == 101.0


def judgement(now_s):
    return Judgement(Observation(now_s, 1), Assessment(now_s, DriverState.ATTENTIVE), (), {})


def test_a_full_disk_is_told_and_only_that_file_is_full(tmp_path):
    path = tmp_path / "lines"
    sink = JsonlSink(path)
    with soak_rig.full_disk(path):
        sink.publish(judgement(0.0))
        sink.publish(judgement(1.0))
        assert "No space left" in sink.fault()
        (tmp_path / "other").write_text("still room")
    sink.publish(judgement(2.0))
    sink.publish(judgement(3.0))
    assert sink.fault() is None
    sink.close()
    assert path.read_bytes().count(b"\n") == 2


def test_a_slow_disk_takes_everything_in_its_time(tmp_path):
    path = tmp_path / "lines"
    sink = JsonlSink(path)
    with soak_rig.slow_disk(path):
        sink.publish(judgement(0.0))
        sink.publish(judgement(1.0))
    assert sink.fault() is None
    sink.close()
    assert path.stat().st_size == 0  # that went to the slow one
    assert "soak-disk" not in soak_watch.holdings().threads


# Signs


def test_signs_are_noted_when_first_told_and_hold_while_they_do(machine):
    witness = Witness(machine)
    witness.publish(Health(1.0, HealthState.DEGRADED, {"engine_face": "it fails"}))
    machine.now_s += 1
    witness.publish(Health(2.0, HealthState.DEGRADED, {"engine_face": "it fails", "sink_mqtt": "away"}))
    assert witness.first_s(("health:engine_",)) == (100.0, "health:engine_face")
    assert witness.first_s(("health:sink_mqtt",)) == (101.0, "health:sink_mqtt")
    witness.publish(Health(3.0, HealthState.OK, {}))
    assert not witness.shows(("health:",))
    witness.forget()
    assert witness.first_s(("health:",)) is None


def test_an_alert_is_heard_when_it_is_told_whatever_its_stamps_say(machine):
    witness = Witness(machine)
    alert = Alert("1", "yawn", Phase.START, Severity.CAUTION, 5.0, 6.0, 6.0, "", {}, "profile")
    witness.publish(replace(judgement(6.0), alerts=(alert,)))
    assert list(witness.recent) == [Heard("yawn", 100.0)]
    assert witness.alerts_begun == 1


def test_the_top_level_alone_is_no_trouble(machine):
    witness = Witness(machine)
    witness.publish(Health(1.0, HealthState.DEGRADED, {"reduced": "level 4"}))
    assert not witness.troubles


def test_only_a_rising_level_is_a_sign(machine):
    witness = Witness(machine)
    witness.publish(Control(1.0, 0, 1, "recovered", ""))
    assert witness.first_s((LEVEL,)) is None
    witness.publish(Control(2.0, 1, 0, "temperature", ""))
    assert witness.first_s((LEVEL,)) is not None
    assert witness.level == 1


# Directing


def played(machine, kind, at):
    """What comes of one fault at second 10 for 5 s; `at` maps seconds to health causes told then."""
    witness, clock = Witness(machine), clock_of(machine)
    rig = Rig(Lap(), {}, None, None, None)
    director = Director([Fault(kind, 10.0, 5.0)], rig, witness, clock, (0.0, 1.0), 1)
    for second in range(200):
        machine.now_s = 100.0 + second
        if second in at:
            state = HealthState.DEGRADED if at[second] else HealthState.OK
            witness.publish(Health(second, state, dict.fromkeys(at[second], "told")))
        director.advance(clock())
    return director


def test_what_must_raise_the_level_waits_for_level_0_and_others_go_before_it(machine):
    witness, clock = Witness(machine), clock_of(machine)
    plan = [Fault(kind_of(LEVEL), 1.0, 5.0), Fault(kind_of(), 2.0, 5.0)]
    director = Director(plan, Rig(Lap(), {}, None, None, None), witness, clock, (0.0, 1.0), 1)
    witness.publish(Control(0.0, 2, 1, "latency", ""))
    for second in range(300):
        machine.now_s = 100.0 + second
        if second == 100:
            witness.publish(Control(0.0, 0, 1, "recovered", ""))
        if second == 102:
            witness.publish(Control(0.0, 1, 0, "temperature", ""))
        if second == 150:
            witness.publish(Control(0.0, 0, 1, "recovered", ""))
        director.advance(clock())
    first, second = director.outcomes
    assert first.begun_s == 2.0
    assert first.fault.kind.signs == ()
    assert (second.begun_s, second.told_s, second.recovered_s) == (100.0, 2.0, 45.0)


class Lap:
    """A source of which only the second of the lap is asked."""

    def lap_s(self, now_s):
        return 0.0


def kind_of(*signs):
    return Kind("fault", "a fault", lambda rig, chance: nullcontext(), signs, settles_s=60.0)


def test_a_fault_that_is_told_and_passes(machine):
    director = played(machine, kind_of("health:x"), {12: ["x"], 18: []})
    (outcome,) = director.outcomes
    assert (outcome.begun_s, outcome.ended_s, outcome.told_s, outcome.recovered_s) == (10.0, 15.0, 2.0, 3.0)
    assert outcome.passed
    assert outcome.healths == 2
    assert not director.unforeseen
    assert director.disturbed == [(110.0, 117.0 + SETTLE_S)]


def test_a_fault_that_nobody_tells_of(machine):
    (outcome,) = played(machine, kind_of("health:x"), {}).outcomes
    assert outcome.told_s is None
    assert not outcome.passed


def test_a_fault_that_does_not_pass(machine):
    (outcome,) = played(machine, kind_of("health:x"), {12: ["x"]}).outcomes
    assert outcome.recovered_s is None
    assert not outcome.passed


def test_a_fault_to_be_lived_through_needs_no_sign(machine):
    assert played(machine, kind_of(), {}).outcomes[0].passed


def test_trouble_in_peace_is_noted_once(machine):
    director = played(machine, kind_of(), {60: ["y"], 61: ["y"], 70: []})
    assert director.unforeseen == Counter({"health:y": 1})


def test_a_fault_waits_until_the_trouble_before_it_is_over(machine):
    (outcome,) = played(machine, kind_of(), {5: ["y"], 30: []}).outcomes
    assert outcome.begun_s == 30.0


# Laps

PHONE = "distraction.phone"
RECORDING = Recording(90.0, (Heard("yawn", 30.0), Heard(PHONE, 50.0)), (0.0, 60.0))


def tallied(heard, disturbed=(), at_top=()):
    tally = Tally()
    tally_lap(tally, RECORDING, 1000.0, [Heard(*alert) for alert in heard], disturbed, at_top)
    return tally


def test_alerts_that_come_in_time():
    tally = tallied([("yawn", 1030.4), (PHONE, 1049.9), ("yawn", 1120.0)])
    assert tally.expected == tally.came == Counter({"yawn": 1, PHONE: 1})
    assert not tally.unforeseen  # what belongs to the next lap is left to it


def test_alerts_that_do_not_come_and_others_that_do():
    tally = tallied([("yawn", 1033.0)])
    assert tally.came.total() == 0
    assert len(tally.missed) == 2
    assert tally.unforeseen == Counter({"yawn at second 33 of a lap": 1})


def test_what_a_fault_disturbed_is_neither_asked_for_nor_held_against():
    tally = tallied([("yawn", 1033.0), (PHONE, 1050.0)], [(1020.0, 1035.0)])
    assert tally.expected == Counter({PHONE: 1})
    assert tally.disturbed == 1
    assert not tally.unforeseen


def test_what_the_top_level_does_not_see_is_not_asked_for_there_but_all_else_is():
    tally = tallied([("yawn", 1030.0)], at_top=[(1000.0, 1090.0)])
    assert tally.expected == tally.came == Counter(yawn=1)
    assert tally.disturbed == 1


def test_a_phone_that_is_seen_late_because_the_top_level_ends_is_no_false_alert():
    tally = tallied([("yawn", 1030.0), (PHONE, 1053.0)], at_top=[(1000.0, 1049.0)])
    assert not tally.unforeseen


def test_alerts_over_minutes_are_only_counted():
    tally = tallied([("yawn", 1030.0), (PHONE, 1050.0), ("fatigue.drowsy", 1060.0)])
    assert tally.cumulated == Counter({"fatigue.drowsy": 1})
    assert not tally.unforeseen


# Slopes and verdicts


def test_a_slope_is_not_moved_by_odd_points():
    points = [(x / 10, 100 + 2.0 * x / 10) for x in range(200)]
    points[50] = (5.0, 900.0)
    points[120] = (12.0, -900.0)
    assert slope(points) == pytest.approx(2.0, abs=1e-6)


def test_a_slope_through_many_points_is_thinned_out():
    assert slope([(x, 3.0 * x) for x in range(5000)]) == pytest.approx(3.0)


def test_one_place_has_no_slope():
    with pytest.raises(ValueError, match="two points"):
        slope([(1.0, 2.0), (1.0, 3.0)])


def test_what_differs_is_named():
    assert difference(Counter(a=1, b=1), Counter(a=3)) == "+2 a, -1 b"


def test_this_process_holds_what_it_opened(tmp_path):
    path = tmp_path / "held"
    with path.open("w"):
        assert soak_watch.holdings().handles[str(path)] == 1
    assert str(path) not in soak_watch.holdings().handles
    assert soak_watch.rss_mb() > 10
    assert soak_watch.count_blocks() > 1000


def samples(hours=3.0, mb_per_h=0.0):
    return [
        Sample(60.0 * m, 6.0 * m, 160 + mb_per_h * m / 60, 9, 12, 1000, 0, 1800 * m, 0, 0, 5 * m, True)
        for m in range(int(60 * hours))
    ]


def run_of(**changes):
    held = Holdings(Counter(MainThread=1, sensors=1), Counter(socket=2))
    outcome = Outcome(Fault(kind_of("health:x"), 100.0, 5.0), 100.0, 105.0, 1.0, "health:x", 2.0, 2, 0)
    run = Run(
        planned_s=10_800.0,
        driven_s=10_800.0,
        wall_s=1080.0,
        samples=samples(),
        held_before=held,
        held_after=held,
        left_over=Counter(),
        plan=[outcome.fault],
        outcomes=[outcome],
        tally=tallied([("yawn", 1030.0), (PHONE, 1050.0)]),
        unforeseen=Counter(),
        events_dropped=0,
        events_waiting=0,
    )
    return replace(run, **changes)


def failed(run):
    return [check.name for check in checks(run) if not check.passed]


def test_a_flat_run_passes():
    assert failed(run_of()) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"samples": samples(mb_per_h=1.5)}, "memory"),
        ({"samples": samples(hours=0.5)}, "memory"),
        ({"held_after": Holdings(Counter(MainThread=1, sensors=2), Counter(socket=2))}, "threads"),
        ({"held_after": Holdings(Counter(MainThread=1, sensors=1), Counter(socket=3))}, "handles"),
        ({"outcomes": []}, "faults"),
        ({"plan": [Fault(KINDS[0], 50.0, 5.0)]}, "faults"),
        ({"unforeseen": Counter({"health:y": 1})}, "peace"),
        ({"tally": Tally()}, "alerts"),
        ({"tally": tallied([("yawn", 1030.0)])}, "alerts"),
        ({"tally": tallied([("yawn", 1030.0), (PHONE, 1050.0), ("yawn", 1070.0)])}, "false alerts"),
        ({"events_dropped": 1}, "delivery"),
        ({"left_over": Counter(sensors=1)}, "end"),
    ],
)
def test_each_demand_fails_by_itself(changes, name):
    assert failed(run_of(**changes)) == [name]


def test_a_fault_untold_or_not_over_fails():
    (good,) = run_of().outcomes
    assert failed(run_of(outcomes=[replace(good, told_s=None)])) == ["published"]
    assert failed(run_of(outcomes=[replace(good, recovered_s=None)])) == ["recovered"]


def test_little_growth_in_a_short_run_is_no_leak():
    grown = run_of(samples=samples(hours=1.0, mb_per_h=0.9), planned_s=3600.0)
    assert failed(grown) == []


def test_pictures_without_a_driver_must_be_told_as_such():
    assert {kind.signs for kind in KINDS if kind.calm} == {UNSEEN}
