"""Engines are swapped between two frames, at no cost, and only where there are two."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from dms.app import open_cheapest_engines, open_controlled, open_engines
from dms.backends import Arrays
from dms.backends.scripted import ScriptedBackend
from dms.config import Config
from dms.control.levels import LEVELS
from dms.engines.contract import CONTRACTS
from dms.engines.opening import Opened
from dms.errors import EngineError
from dms.records import Frame, FrameState, Observation
from dms.stages.tensors import Crop
from dms.stages.views import CutView, SwitchedView, open_sight, warm_up

FRAME = Frame(3, 1.0, np.zeros((36, 64), np.uint8))
STATE = FrameState(FRAME, Observation(1.0, 3))
PLACE = Crop(32.0, 18.0, 20.0)


class Engine:
    """An engine that says a number of its own and takes its time; `calls` counts how often it was asked."""

    def __init__(self, says: float, net: str = "fatigue", takes_s: float = 0.0) -> None:
        self.calls = 0
        self.says = says
        self._takes_s = takes_s
        self.backend = ScriptedBackend(net, self._answer)
        self.opened = Opened(self.backend, "ort", "fp32", "1", "0" * 64)

    def _answer(self, feeds: object) -> Arrays:
        self.calls += 1
        time.sleep(self._takes_s)
        if self.says < 0:
            raise EngineError("it cannot")
        return {name: np.full((1, *shape), self.says, np.float32) for name, shape in OUTPUTS.items()}


SLOW_S = 0.02
"""Far longer than a scripted engine takes, on a busy machine too."""
OUTPUTS = CONTRACTS["fatigue"].outputs


def said(view: SwitchedView | CutView) -> float:
    return float(view.look(STATE, PLACE)["state"].max())


def test_after_the_swap_the_other_engine_answers() -> None:
    view = SwitchedView(CutView("fatigue", Engine(0.25).backend), CutView("fatigue", Engine(0.75).backend))
    assert said(view) == 0.25
    view.use(cheapest=True)
    assert [said(view), said(view)] == [0.75, 0.75]
    view.use(cheapest=False)
    assert said(view) == 0.25


def test_both_are_warm_before_the_first_frame_and_the_swap_asks_neither() -> None:
    configured, cheapest = Engine(0.25, takes_s=SLOW_S), Engine(0.75)
    with open_sight({"fatigue": configured.opened}, {"fatigue": cheapest.opened}) as sight:
        assert configured.calls == cheapest.calls > 0
        assert sight.configured_s["fatigue"] > 0
        assert sight.cheapest_s["fatigue"] > 0
        warm = configured.calls
        sight.use(cheapest=True)
        sight.use(cheapest=False)
        assert configured.calls == cheapest.calls == warm


def test_the_swap_makes_room_for_nothing() -> None:
    slow = Engine(0.25, takes_s=SLOW_S)
    with open_sight({"fatigue": slow.opened}, {"fatigue": Engine(0.75).opened}) as sight:
        sight.use(cheapest=True)
        sight.use(cheapest=False)
        tracemalloc.start()
        try:
            before = tracemalloc.take_snapshot()
            for _ in range(100):
                sight.use(cheapest=True)
                sight.use(cheapest=False)
            after = tracemalloc.take_snapshot()
        finally:
            tracemalloc.stop()
    mine = tracemalloc.Filter(True, "*/dms/stages/views.py")
    grown = after.filter_traces([mine]).compare_to(before.filter_traces([mine]), "filename")
    assert sum(row.size_diff for row in grown) == 0


def test_without_a_cheaper_form_there_is_nothing_to_switch() -> None:
    with open_sight({"fatigue": Engine(0.25).opened}, {}) as sight:
        assert isinstance(sight.views["fatigue"], CutView)
        sight.use(cheapest=True)
        assert said(sight.views["fatigue"]) == 0.25  # type: ignore[arg-type]
        assert sight.cheapest_s == {}


@pytest.mark.parametrize("takes_s", [SLOW_S, 2 * SLOW_S])
def test_a_form_that_is_not_faster_here_is_not_switched_to(
    takes_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    """A gate that chose FP32 over the configured INT8 must not make frames dearer under heat."""
    caplog.set_level("INFO")
    configured, other = Engine(0.25, takes_s=SLOW_S), Engine(0.75, takes_s=takes_s)
    with open_sight({"fatigue": configured.opened}, {"fatigue": other.opened}) as sight:
        sight.use(cheapest=True)
        assert said(sight.views["fatigue"]) == 0.25  # type: ignore[arg-type]
        assert sight.cheapest_s == {}
        assert sight.level_costs() == (1.0,) * len(LEVELS)
    assert "the configured one 20." in caplog.text
    assert "all levels keep that" in caplog.text


def test_a_cheaper_form_takes_the_place_of_one_that_fails() -> None:
    with open_sight({"fatigue": Engine(-1).opened}, {"fatigue": Engine(0.75).opened}) as sight:
        sight.use(cheapest=True)
        assert said(sight.views["fatigue"]) == 0.75  # type: ignore[arg-type]


def test_a_cheaper_form_that_does_not_run_is_found_out_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    with open_sight({"fatigue": Engine(0.25).opened}, {"fatigue": Engine(-1).opened}) as sight:
        sight.use(cheapest=True)
        assert said(sight.views["fatigue"]) == 0.25  # type: ignore[arg-type]
    assert "fatigue fails on an empty frame: it cannot" in caplog.text


def test_warming_up_looks_at_the_whole_frame_for_faces() -> None:
    contract = CONTRACTS["face"]
    seen: list[np.ndarray] = []

    def answer(feeds: Arrays) -> Arrays:
        seen.append(feeds["image"])
        return {name: np.zeros((1, *shape), np.float32) for name, shape in contract.outputs.items()}

    warm_up({"face": CutView("face", ScriptedBackend("face", answer))}, (720, 1280))
    assert seen[0].shape == (1, 1, contract.height, contract.width)


def test_levels_swap_the_real_engines_between_two_frames_of_a_real_pipeline() -> None:
    """The fatigue engine in FP32 and INT8: at level 2 a frame is judged by INT8, at level 0 by FP32."""
    config = Config.model_validate({"engines": {"fatigue": {"precision": "fp32"}}})
    with (
        open_engines(config.engines, lambda step: None) as engines,
        open_cheapest_engines(config.engines, engines, lambda step: None) as cheapest,
        open_controlled(config, engines, "test", cheapest=cheapest) as controlled,
    ):
        assert {name: e.artefact for name, e in cheapest.items()} == {"fatigue": "cpu.int8"}
        if not controlled.sight.cheapest_s:
            pytest.skip("INT8 is not clearly faster than FP32 on this machine")
        view = controlled.sight.views["fatigue"]
        assert isinstance(view, SwitchedView)
        frame = Frame(0, 0.0, np.random.default_rng(0).integers(0, 255, (360, 640), np.uint8))
        state, place = FrameState(frame, Observation(0.0, 0)), Crop(320.0, 180.0, 200.0)
        alone = {
            name: CutView("fatigue", e["fatigue"].backend).look(state, place)["state"]
            for name, e in (("configured", engines), ("cheapest", cheapest))
        }
        assert not np.array_equal(alone["configured"], alone["cheapest"])
        for level in LEVELS:
            controlled.use(level)
            wanted = alone["cheapest" if level.cheapest else "configured"]
            np.testing.assert_array_equal(view.look(state, place)["state"], wanted)
