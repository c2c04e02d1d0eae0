"""The ladder gives up nothing that may not be given up, and a higher level never asks for more work."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dms.config import ScheduleConfig
from dms.control.costs import level_costs
from dms.control.levels import LEVELS, TIMING_S, TOP

CONFIGURED_S = {"face": 0.0026, "eyes": 0.0035, "fatigue": 0.0012, "distraction": 0.0028}
CHEAPEST_S = {"face": 0.0016, "eyes": 0.0015, "fatigue": 0.0007, "distraction": 0.0012}


def test_levels_are_numbered_as_they_stand() -> None:
    assert [level.number for level in LEVELS] == list(range(TOP + 1))
    assert LEVELS[0] == LEVELS[0].__class__(0, LEVELS[0].title), "level 0 changes nothing"


def test_each_level_gives_up_what_the_one_before_did_and_something_more() -> None:
    for above, below in pairwise(LEVELS):
        assert below.slower >= above.slower
        assert below.cheapest >= above.cheapest
        assert below.off >= above.off
        assert (below.max_fps or 1e9) <= (above.max_fps or 1e9)
        assert below != above


def test_what_closures_and_looks_away_are_timed_by_is_never_switched_off() -> None:
    for level in LEVELS:
        assert not level.off & {"quality", "face", "eyes", "fatigue"}
        assert level.max_fps is None or level.max_fps >= 15


def test_a_frames_interval_and_the_second_witness_stay_within_the_promise() -> None:
    schedule = ScheduleConfig()
    for level in LEVELS:
        frame_s = 1 / level.max_fps if level.max_fps else 1 / 30
        fatigue_s = min(level.slower * schedule.fatigue.every_s, schedule.fatigue.max_age_s)
        assert frame_s + fatigue_s < TIMING_S


def test_a_frame_costs_eyes_and_the_dearest_of_the_others() -> None:
    costs = level_costs(CONFIGURED_S, CHEAPEST_S)
    assert costs == pytest.approx((1.0, 1.0, 3.1 / 6.3, 3.1 / 6.3, 3.1 / 6.3))
    assert all(later <= earlier for earlier, later in pairwise(costs))


def test_without_the_dearest_stage_level_4_costs_less() -> None:
    costs = level_costs({"eyes": 0.002, "fatigue": 0.001, "distraction": 0.006}, {})
    assert costs == pytest.approx((1.0, 1.0, 1.0, 1.0, 3 / 8))


@pytest.mark.parametrize("run_s", [{}, {"eyes": 0.0, "face": 0.0}])
def test_where_nothing_could_be_timed_all_levels_cost_the_same(run_s: dict[str, float]) -> None:
    assert level_costs(run_s, {}) == (1.0,) * 5
