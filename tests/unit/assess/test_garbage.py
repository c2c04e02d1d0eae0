"""No judgement comes from numbers that cannot be, nor from a clock that jumps: property tests."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dms.alerts import AlertManager, load_profile
from dms.assess import SIGNALS, Assessor
from dms.assess.reading import read
from dms.config.assess import AssessConfig
from dms.records import Assessment, Box, DriverState, Face, Observation, Signal, UnknownCause
from dms.testing import Scene, Story

CONFIG = AssessConfig()
PROFILE = load_profile("euroncap_2026")
GOOD = Story(15).attentive(10).observations()
AWFUL = st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 7.0, 1e30, -1e30])
BOXES = [
    Box(0, 0, 0, 0), Box(10, 10, 5, 5), Box(math.nan, 0, 1, 1), Box(0, 0, math.inf, 1), Box(-1e9, 0, 1e9, 5)
]  # fmt: skip
WATCHED = ("fatigue.", "distraction.", "driver.")


def spoilt(part: Any, value: float) -> Any:
    """A record with every number in it replaced, in the records inside it too."""
    if part is None or isinstance(part, str | bool):
        return part
    if isinstance(part, np.ndarray):
        return np.full_like(part, value)
    if isinstance(part, int | float):
        return value
    return replace(part, **{f.name: spoilt(getattr(part, f.name), value) for f in fields(part)})


def with_garbage(seen: Observation, stage: str, value: float) -> Observation:
    stamp = {"captured_s": seen.captured_s} if stage != "quality" else {}
    return replace(seen, **{stage: replace(spoilt(getattr(seen, stage), value), **stamp)})


def judged(observations: list[Observation]) -> tuple[list[Assessment], list[str]]:
    assessor, manager = Assessor(CONFIG), AlertManager([PROFILE], "garbage")
    assessments = [assessor.update(seen) for seen in observations]
    alerts = [alert.type for assessment in assessments for alert in manager.update(assessment)]
    return assessments, [name for name in alerts if name.startswith(WATCHED)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["face", "eyes"]), AWFUL), min_size=1, max_size=4))
def test_garbage_of_the_engines_of_sight_gives_neither_alert_nor_all_clear(
    parts: list[tuple[str, float]],
) -> None:
    awful = [
        with_garbage(replace(seen, captured_s=seen.captured_s + 10), *parts[number % len(parts)])
        for number, seen in enumerate(Story(15).attentive(12).observations())
    ]
    awful = [
        replace(seen, **{name: replace(part, captured_s=seen.captured_s) for name, part in _parts(seen)})
        for seen in awful
    ]
    assessments, alerts = judged([*GOOD, *awful])
    after = [a for a in assessments if a.captured_s > 110.5]
    assert alerts == []
    assert all(a.state is not DriverState.ATTENTIVE for a in after)
    assert after[-1].state is DriverState.FAULT
    assert UnknownCause.ENGINE_FAILED in after[-1].unknown_causes


def _parts(seen: Observation) -> list[tuple[str, Any]]:
    return [(name, getattr(seen, name)) for name in ("face", "eyes", "fatigue", "distraction")]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["quality", "fatigue", "distraction"]), AWFUL)
def test_garbage_of_the_others_is_told_and_raises_nothing(stage: str, value: float) -> None:
    awful = [with_garbage(seen, stage, value) for seen in Story(15).attentive(15).observations()]
    assessments, alerts = judged(awful)
    assert alerts == []
    assert UnknownCause.ENGINE_FAILED in assessments[-1].unknown_causes


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(), min_size=1, max_size=40))
def test_stamps_of_any_kind_give_no_all_clear_and_no_alert(stamps_s: list[float]) -> None:
    observations = [
        replace(seen, captured_s=now_s)
        for seen, now_s in zip(Story(15).closed(10).observations(), stamps_s, strict=False)
    ]
    assessments, alerts = judged(observations)
    assert alerts == []
    assert all(a.state is not DriverState.ATTENTIVE for a in assessments)
    assert all(math.isfinite(a.captured_s) and set(SIGNALS) <= set(a.signals) for a in assessments)


@pytest.mark.parametrize("box", BOXES)
def test_an_absurd_box_is_no_face_and_no_missing_one(box: Box) -> None:
    seen = GOOD[0]
    reading = read(replace(seen, face=Face(seen.captured_s, box, 0.9, tracked=False)), CONFIG)
    assert (reading.face, reading.stale, reading.right, reading.box) == (None, True, None, None)
    assert "face" in reading.faults


@pytest.mark.parametrize("ahead_s", [1.0, math.inf, math.nan])
def test_results_from_the_future_are_not_fresh(ahead_s: float) -> None:
    seen = GOOD[0]
    assert seen.eyes is not None
    eyes = replace(seen.eyes, captured_s=seen.captured_s + ahead_s)
    assert not read(replace(seen, eyes=eyes), CONFIG).eyes_readable


def test_a_repeated_stamp_is_told_and_adds_nothing() -> None:
    assessor = Assessor(CONFIG)
    closed = Story(15).attentive(10).closed(1.0).observations()
    before = [assessor.update(seen) for seen in closed][-1]
    again = [assessor.update(closed[-1]) for _ in range(100)][-1]
    assert again.signals == before.signals
    assert UnknownCause.STALE in again.unknown_causes
    calm = Assessor(CONFIG)
    assert [calm.update(seen) for seen in GOOD][-1].state is DriverState.ATTENTIVE
    assert calm.update(GOOD[-1]).state is DriverState.UNKNOWN


def test_a_clock_that_runs_backwards_judges_nothing() -> None:
    observations = Story(15).attentive(10).closed(10).observations()
    stamps_s = sorted((seen.captured_s for seen in observations), reverse=True)
    backwards = [replace(s, captured_s=now_s) for s, now_s in zip(observations, stamps_s, strict=True)]
    assessments, alerts = judged(backwards)
    assert alerts == []
    assert {a.state for a in assessments} == {DriverState.UNKNOWN}


def steps_back(step_s: float) -> Story:
    story = Story(30).attentive(10)
    for _ in range(10):
        story.closed(1.3).jump_clock(-step_s)
    return story


def test_small_steps_back_empty_no_timer_and_are_told() -> None:
    assessments, alerts = judged(steps_back(0.034).observations())
    assert alerts[:3] == ["fatigue.microsleep", "fatigue.sleep", "driver.unresponsive"]
    assert UnknownCause.STALE in assessments[-1].unknown_causes
    assert max(a.signals["closure_s"].value or 0.0 for a in assessments) > 12.0


def test_large_steps_back_again_and_again_are_told() -> None:
    assessments, _ = judged(steps_back(0.7).observations())
    last = assessments[-1]
    assert (last.state, last.unknown_causes[-1]) == (DriverState.UNKNOWN, UnknownCause.STALE)
    stale_s = last.signals["stale_s"].value
    assert stale_s is not None
    assert stale_s > 3.0  # enough for an alert


def test_a_clock_put_right_once_is_no_trouble() -> None:
    for step_s in (0.1, 60.0):
        story = Story(30).attentive(10)
        story.jump_clock(-step_s)
        assessments, _ = judged(story.attentive(5).observations())
        assert assessments[-1].state is DriverState.ATTENTIVE
        assert assessments[-1].unknown_causes == ()


def test_one_wrong_number_in_a_while_is_forgiven() -> None:
    seen = Story(15).then(30, Scene()).observations()
    seen[200] = with_garbage(seen[200], "eyes", math.nan)
    assessments, alerts = judged(seen)
    assert alerts == []
    assert all(UnknownCause.ENGINE_FAILED not in a.unknown_causes for a in assessments)
    assert assessments[-1].state is DriverState.ATTENTIVE
    assert assessments[-1].signals["fault_s"] == Signal(0.0)
