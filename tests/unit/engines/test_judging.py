"""Comparison of methods and sensitivity: both judged by a task that is handed in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dms.engines import compare, sensitivity
from dms.engines import swept as swept_note
from dms.engines.limits import METHODS
from dms.engines.ranges import observe
from dms.engines.running import Task
from dms.errors import InputError
from tests.unit.engines.tiny import pictures, tiny_net

IMAGES = pictures()


def test_loss_is_told_in_points_whichever_way_is_better() -> None:
    assert Task(lambda _: {}, "auc", +1).loss_points(0.95, 0.94) == pytest.approx(1)
    assert Task(lambda _: {}, "error", -1).loss_points(0.03, 0.034) == pytest.approx(0.4)


def test_data_without_the_tasks_labels_is_refused() -> None:
    for scores in ({}, {"auc": float("nan")}):
        with pytest.raises(InputError, match="no labels for auc"):
            Task(lambda _, found=scores: found, "auc", 1).score(lambda _: {})


def test_every_method_is_judged_and_the_best_kept(task: Task, tmp_path: Path) -> None:
    tried = []
    found = compare.compare(tiny_net(), observe(tiny_net(), "fatigue", IMAGES), (), task, tried.append)
    assert tried == [row.method for row in found.methods] == list(METHODS)
    assert all(set(row.loss_points) == {"cpu.int8", "trt.int8", "qnn.int8"} for row in found.methods)
    assert all(row.worst > 0 for row in found.methods)
    found.save(tmp_path)
    assert compare.load_comparison(tmp_path) == found
    assert f"{found.chosen} " in next(line for line in found.text().splitlines() if "kept" in line)
    assert compare.load_comparison(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("losses", "chosen"),
    [((0.0, 0.0, 0.0), "minmax"), ((0.2, 0.0, 0.1), "percentile"), ((0.04, 0.0, -0.5), "minmax")],
)
def test_draws_go_to_the_simpler_method(losses: tuple[float, ...], chosen: str) -> None:
    rows = [
        compare.MethodNote(method=m, loss_points={"cpu.int8": loss})
        for m, loss in zip(METHODS, losses, strict=False)
    ]
    assert compare.choose(rows) == chosen


def swept(task: Task, bound: float) -> swept_note.Sensitivity:
    ranges = observe(tiny_net(), "fatigue", IMAGES).table("minmax")
    return sensitivity.sweep(tiny_net(), ranges, IMAGES, task, bound)


def test_parts_are_judged_alone_and_the_dear_ones_stay_float(task: Task, tmp_path: Path) -> None:
    found = swept(task, bound=0.0)
    assert {part.part for part in found.parts} == {"trunk.0", "trunk.1", "head"}
    losses = [part.loss_points for part in found.parts]
    assert losses == sorted(losses, reverse=True)
    assert all(part.output_error > 0 for part in found.parts)
    assert set(found.float_parts) == {p.part for p in found.parts if p.loss_points > 0}
    assert "/net/head/Gemm" in found.float_nodes
    free = found.model_copy(update={"bound_points": 100.0, "bound_error": 100.0, "bound_time": 100.0})
    assert free.float_nodes == ()
    found.save(tmp_path)
    assert swept_note.load_sensitivity(tmp_path) == found


def test_a_part_that_moves_the_outputs_far_stays_float_though_the_metric_is_blind() -> None:
    blind = Task(lambda infer: {"auc": 1.0}, "auc", 1)
    found = swept(blind, bound=0.1).model_copy(update={"bound_error": 1.0, "bound_time": 100.0})
    assert found.float_parts == ()
    assert all(part.loss_points == 0 for part in found.parts)
    strict = found.model_copy(update={"bound_error": 0.0})
    assert set(strict.float_parts) == {"trunk.0", "trunk.1", "head"}


def test_the_sweep_is_drawn(task: Task, tmp_path: Path) -> None:
    import cv2

    sensitivity.draw(swept(task, 0.1), tmp_path / "seen.png")
    picture = cv2.imread(str(tmp_path / "seen.png"))
    assert picture.shape[1] > 800
    assert len(np.unique(picture)) > 10
