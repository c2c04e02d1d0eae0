"""Which parts of a net bear INT8: each alone quantised, judged on the task; the dear ones stay float."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import ModelProto

from dms import pictures
from dms.engines.graph import groups
from dms.engines.limits import BOUND_POINTS
from dms.engines.quantize import quantize
from dms.engines.running import Images, Infer, Outputs, Task, infer_with
from dms.engines.swept import PartNote, Sensitivity
from dms.engines.table import RangesTable

PICTURE = "sensitivity.png"
OUTPUT_IMAGES, TIMED_ROUNDS = 64, 200
FORM = "cpu.int8"
"""The form each part is quantised in: only here the results of a layer are rounded as well."""


def sweep(
    model: ModelProto,
    ranges: RangesTable,
    images: Images,
    task: Task,
    bound_points: float = BOUND_POINTS,
    told: Callable[[str], None] = lambda part: None,
) -> Sensitivity:
    """Quantise part by part, judge each; `told` hears which part is being tried.

    Args:
        model: the FP32 model the ranges were taken from.
        ranges: its ranges.
        images: inputs to compare the outputs on; the first 64 are used.
        task: the judge.
        bound_points: what a part may cost.
        told: progress.
    """
    judge = _Judge.of(model, ranges, images, task)
    notes = []
    for part, nodes in groups(model).items():
        told(part)
        notes.append(judge.note(part, nodes))
    notes.sort(key=lambda note: (-note.loss_points, -note.output_error))
    return Sensitivity(
        net=ranges.net,
        model_sha256=ranges.model_sha256,
        metric=task.metric,
        fp32=round(judge.score, 6),
        bound_points=bound_points,
        method=ranges.method,
        parts=tuple(notes),
    )


@dataclass(frozen=True)
class _Judge:
    """What the float net says and how good it is, and the net with every part in INT8."""

    model: ModelProto
    ranges: RangesTable
    images: Images
    task: Task
    score: float
    outputs: Outputs
    all_small: Infer

    @classmethod
    def of(cls, model: ModelProto, ranges: RangesTable, images: Images, task: Task) -> _Judge:
        whole, few = infer_with(model.SerializeToString()), images[:OUTPUT_IMAGES]
        return cls(model, ranges, few, task, task.score(whole), whole(few), _small(model, ranges, ()))

    def note(self, part: str, nodes: tuple[str, ...]) -> PartNote:
        every = {name for names in groups(self.model).values() for name in names}
        alone = _small(self.model, self.ranges, every.difference(nodes))
        without = _small(self.model, self.ranges, nodes)
        return PartNote(
            part=part,
            nodes=nodes,
            loss_points=round(self.task.loss_points(self.score, self.task.score(alone)), 4),
            output_error=round(spread_error(self.outputs, alone(self.images)), 6),
            time_ratio=round(time_ratio(self.all_small, without, self.images[:1]), 3),
        )


def _small(model: ModelProto, ranges: RangesTable, float_nodes: Iterable[str]) -> Infer:
    """The quantised net, but for `float_nodes`."""
    small = quantize(model, ranges.net, ranges, FORM, sorted(float_nodes))
    return infer_with(small.SerializeToString())


def spread_error(before: Outputs, after: Outputs) -> float:
    """The mean error of the outputs, each in units of its own standard deviation over the pictures."""
    errors = [
        np.abs(after[name] - values).mean() / max(float(values.std(axis=0).mean()), 1e-6)
        for name, values in before.items()
    ]
    return float(np.mean(errors))


def time_ratio(one: Infer, other: Infer, image: Images) -> float:
    """How much longer `one` takes for an image than `other`: lower quartiles, taken in turn."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(TIMED_ROUNDS):
        for infer, times in zip((one, other), spent, strict=True):
            begun_s = time.perf_counter()
            infer(image)
            times.append(time.perf_counter() - begun_s)
    return float(np.quantile(spent[0], 0.25) / np.quantile(spent[1], 0.25))


def draw(found: Sensitivity, path: Path) -> None:
    """A bar a part, the worst on top; PNG.

    Raises:
        ConfigError: matplotlib is missing.
        InputError: the picture cannot be written.
    """
    figure = pictures.figure(12, 1.4 + 0.3 * len(found.parts))
    names = [part.part for part in found.parts]
    colors = ["tab:red" if part.part in found.float_parts else "tab:blue" for part in found.parts]
    panels = (
        (f"points lost of {found.metric}", found.bound_points, [p.loss_points for p in found.parts]),
        (
            "mean output error, % of its spread",
            100 * found.bound_error,
            [100 * p.output_error for p in found.parts],
        ),
        (
            "time it adds to the INT8 net, %",
            100 * (found.bound_time - 1),
            [100 * (p.time_ratio - 1) for p in found.parts],
        ),
    )
    axes = figure.subplots(1, len(panels), sharey=True)
    for panel, (label, bound, values) in zip(axes, panels, strict=True):
        panel.barh(names, values, color=colors)
        panel.axvline(bound, color="black", linestyle="--", label=f"bound {bound:g}")
        panel.set_xlabel(label)
        panel.legend()
    axes[0].invert_yaxis()
    figure.suptitle(f"{found.net}: each part alone in INT8 (red stays in floating point)")
    pictures.save(figure, path)
