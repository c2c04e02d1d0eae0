"""Simulated drives: the same every time, honest in what they count, and able to fail."""

import json
from dataclasses import replace

import pytest

from dms.config import Config
from dms.control.levels import LEVELS
from dms.errors import InputError
from dms.tools.control.costs import BEST, CHEAPEST, MEASURED, STAGES, load_costs
from dms.tools.control.figures import most_within, outcome, returns_s, sum_up
from dms.tools.control.plant_devices import DEVICES
from dms.tools.control.rules import Change
from dms.tools.control.scenarios import SCENARIOS, Scenario, course_at, find, jump, within
from dms.tools.control.simulation import CONTROLLED, FIXED, NAIVE, RULES, TOP, simulate
from dms.tools.control.text import HEAD, as_values, table, verdicts

COOL = Scenario("cool", "A cool drive", "pi-fanless", 2.0, ((0, 20),), 40.0)
CROWDED = replace(COOL, name="crowded", tasks=((0, 11),), cool_again=False)
PI = DEVICES["pi-fanless"]


def drive(scenario, rule, seed=1, costs=MEASURED, device=PI):
    return simulate(scenario, device, rule, costs, Config(), seed)


def drives(scenario, **given):
    return [drive(scenario, rule, **given) for rule in (*RULES, TOP)]


def test_the_same_seed_gives_the_same_drive():
    first, second, other = (drive(CROWDED, CONTROLLED, seed) for seed in (1, 1, 2))

    assert first.samples == second.samples
    assert first.changes == second.changes
    assert first.samples != other.samples


def test_a_cool_idle_device_misses_next_to_nothing_and_stays_at_level_0():
    trace = drive(COOL, CONTROLLED)

    assert trace.changes == []
    assert trace.missed / trace.captured < 0.01
    assert trace.judged >= 0.99 * trace.captured


def test_every_frame_is_counted_once():
    trace = drive(CROWDED, CONTROLLED)
    lost = trace.captured - trace.judged - trace.spared

    assert trace.captured == 2 * 60 * 30
    assert 0 <= lost <= trace.missed
    assert trace.spared > 0, "levels 3 and 4 ask for fewer frames"


def test_in_a_crowd_the_controller_keeps_the_time_that_a_fixed_setting_misses():
    controlled, fixed = drive(CROWDED, CONTROLLED), drive(CROWDED, FIXED)

    assert fixed.missed / fixed.captured > 0.3
    assert controlled.missed / controlled.captured < 0.1
    assert [change.level for change in controlled.changes][:2] == [1, 2]
    assert controlled.changes[0].cause in {"latency", "drops"}


def test_the_naive_rule_flickers_where_int8_halves_the_load():
    busy = {precision: dict(stages) for precision, stages in MEASURED.items()}
    busy[BEST]["eyes"] = 0.0088
    trace = drive(COOL, NAIVE, costs=busy)

    assert sum_up(trace).changes_per_min > 20


def test_a_device_that_switches_off_misses_all_that_follows():
    oven = replace(COOL, air_c=((0, 130),), start_c=100.0)
    trace = drive(oven, FIXED)

    assert trace.down_at_s is not None
    assert trace.missed > 0.5 * trace.captured
    assert trace.samples[-1].clock == 0.0


def test_a_hot_device_is_throttled_and_slower():
    hot = replace(COOL, air_c=((0, 75),), start_c=79.0, minutes=10.0)
    trace = drive(hot, FIXED)

    assert trace.throttled_s > 60
    assert trace.samples[-1].latency_p95_s > 1.5 * trace.samples[0].latency_p95_s


def test_checks_fail_when_the_controller_does():
    good = outcome(drives(COOL), changes_per_min=4)
    assert all(check.passed for check in good.checks)

    stuck = drives(COOL)
    stuck[0].changes += [Change(10.0 + n, 1 - n % 2, n % 2, "made up", "") for n in range(12)]
    stuck[0].hottest_c = PI.trip_c + 1
    stuck[0].samples[-1] = replace(stuck[0].samples[-1], level=3)
    stuck[0].missed = stuck[0].captured
    bad = outcome(stuck, changes_per_min=4)

    assert {check.name for check in bad.checks if not check.passed} == {
        "below the trip point",
        "few changes",
        "no limit cycle",
        "in time",
        "no worse than fixed",
        "recovers",
    }


@pytest.mark.parametrize("name", ["neighbour", "pulses", "camera60", "tenfold"])
def test_a_controller_that_never_moves_fails_under_load(name):
    (scenario,) = find([name])
    controlled, fixed, top = (
        drive(scenario, rule, device=DEVICES[scenario.device]) for rule in (CONTROLLED, FIXED, TOP)
    )

    real = outcome([controlled, fixed, top], changes_per_min=4)
    idle = outcome([replace(fixed, rule=CONTROLLED), fixed, top], changes_per_min=4)

    assert [check.name for check in real.checks if not check.passed] == []
    assert [check.name for check in idle.checks if not check.passed] == ["in time"]


def test_frames_that_the_level_does_not_ask_for_cannot_be_missed():
    hopeless = replace(COOL, slow=((0, 2),), slow_times=12.0)
    trace = drive(hopeless, TOP, device=DEVICES["nano-15w"])

    assert trace.spared > 0.4 * trace.captured
    assert trace.asked == trace.captured - trace.spared
    assert [sample.asked for sample in trace.samples] == pytest.approx([75] * len(trace.samples), abs=5)
    figures = sum_up(trace)
    assert figures.missed_percent > 99
    assert figures.worst_minute_percent > 99


def test_a_step_down_with_a_silent_sensor_fails():
    silent = replace(COOL, lost=((0.5, 1.5),))
    traces = drives(silent)
    traces[0].changes.append(Change(60.0, 0, 1, "made up", ""))

    bad = outcome(traces, changes_per_min=4)

    assert [check.name for check in bad.checks if not check.passed] == ["unknown is not cool"]


def test_heat_beyond_the_ladder_is_not_held_against_the_controller():
    hot = replace(COOL, air_c=((0, 78),), start_c=82.0, cool_again=False)
    found = outcome(drives(hot), changes_per_min=4)

    heat = next(check for check in found.checks if check.name == "below the trip point")
    assert heat.passed
    assert "not for the ladder to hold" in heat.detail


def test_figures_by_hand():
    assert most_within([0.0, 1.0, 59.0, 60.5, 62.0], 60.0) == 3
    assert most_within([], 60.0) == 0
    down, up = Change(10.0, 0, 1, "", ""), Change(40.0, 1, 0, "", "")
    assert returns_s([down, up]) == [40.0]
    assert returns_s([down, replace(up, at_s=400.0)]) == []
    assert returns_s([up, down]) == []


def test_courses_and_spans():
    assert course_at(((0, 10.0), (10, 20.0)), 5) == 15.0
    assert course_at(((1, 10.0), (10, 20.0)), 0) == 10.0
    assert course_at(((1, 10.0), (10, 20.0)), 11) == 20.0
    steps = jump((0, 0.0), (5, 7.0))
    assert course_at(steps, 4.9) == 0.0
    assert course_at(steps, 5.0) == 7.0
    assert within(2, ((1, 2), (2, 3)))
    assert not within(3, ((1, 2), (2, 3)))


def test_every_scenario_has_its_device_and_tells_its_end():
    assert {scenario.device for scenario in SCENARIOS} <= DEVICES.keys()
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    assert find(["fan"])[0].name == "fan"
    with pytest.raises(InputError, match="no scenario 'ice'; there are parked"):
        find(["ice"])


def test_costs_come_from_a_report_of_levels(tmp_path):
    path = tmp_path / "levels.json"
    path.write_text(json.dumps({"stage_s": {p: dict.fromkeys(STAGES, 0.001) for p in (BEST, CHEAPEST)}}))
    assert load_costs(path)[CHEAPEST]["eyes"] == 0.001

    path.write_text('{"stage_s": {}}')
    with pytest.raises(InputError, match="no report of `dms control levels --json`"):
        load_costs(path)
    with pytest.raises(InputError, match="cannot read"):
        load_costs(tmp_path / "none.json")


def test_the_table_has_a_row_for_every_rule():
    outcomes = [outcome(drives(COOL), changes_per_min=4)]
    lines = list(table(outcomes))

    assert len(lines) == 2 + len(RULES)
    assert all(line.count("|") == len(HEAD) + 1 for line in lines)
    assert all(line.startswith("ok") for line in verdicts(outcomes))
    assert json.loads(json.dumps(as_values(outcomes)))[0]["rules"][FIXED]["mean_level"] == 0.0


def test_costs_cover_every_stage_at_both_precisions():
    assert all(set(MEASURED[precision]) == set(STAGES) for precision in (BEST, CHEAPEST))
    assert MEASURED[CHEAPEST]["eyes"] < MEASURED[BEST]["eyes"]
    assert LEVELS[-1].cheapest
