"""Every way of finding ranges, tried on the task itself: what `quantize --compare` does and records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict, ValidationError

from dms.engines.limits import METHODS
from dms.engines.quantize import FORMS, quantize
from dms.engines.ranges import Observed
from dms.engines.running import Task, infer_with
from dms.files import write_atomically

NAME = "quantization.json"
TIE_POINTS = 0.05
"""Losses closer than this are a draw, and the simpler method wins."""


class MethodNote(BaseModel):
    """What a method's INT8 files lose against FP32, in points of the task metric."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    loss_points: dict[str, float]

    @property
    def worst(self) -> float:
        """The loss of the worst of the files; a gain counts as none."""
        return max(0.0, *self.loss_points.values())


class Comparison(BaseModel):
    """The table of methods for one model: `quantization.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    net: str
    model_sha256: str
    data_sha256: str
    images: int
    metric: str
    fp32: float
    float_nodes: tuple[str, ...]
    methods: tuple[MethodNote, ...]
    chosen: str

    def save(self, folder: Path) -> None:
        """Write it beside the engine."""
        write_atomically(folder / NAME, self.model_dump_json(indent=2) + "\n")

    def text(self) -> str:
        """For a terminal."""
        lines = [f"{self.net}: points of {self.metric} lost against FP32 ({100 * self.fp32:.2f} %)"]
        for row in self.methods:
            losses = "  ".join(f"{form} {loss:+.3f}" for form, loss in row.loss_points.items())
            lines.append(f"  {row.method:<11} {losses}{'   <- kept' if row.method == self.chosen else ''}")
        return "\n".join(lines)


def compare(
    model: ModelProto,
    observed: Observed,
    float_nodes: Sequence[str],
    task: Task,
    told: Callable[[str], None] = lambda method: None,
) -> Comparison:
    """Quantise by every method, judge each file on the task, choose; `told` hears which is being tried."""
    net = observed.net
    before = task.score(infer_with(model.SerializeToString()))
    rows = []
    for method in METHODS:
        told(method)
        ranges = observed.table(method)
        small = {form: quantize(model, net, ranges, form, float_nodes) for form in FORMS}
        after = {form: task.score(infer_with(m.SerializeToString())) for form, m in small.items()}
        losses = {form: round(task.loss_points(before, value), 4) for form, value in after.items()}
        rows.append(MethodNote(method=method, loss_points=losses))
    return Comparison(
        net=net,
        model_sha256=observed.model_sha256,
        data_sha256=observed.data_sha256,
        images=observed.images,
        metric=task.metric,
        fp32=round(before, 6),
        float_nodes=tuple(float_nodes),
        methods=tuple(rows),
        chosen=choose(rows),
    )


def choose(rows: Sequence[MethodNote]) -> str:
    """The simplest method (the rows' order) that is as good as the best, but for a draw."""
    best = min(row.worst for row in rows)
    return next(row.method for row in rows if row.worst <= best + TIE_POINTS)


def load_comparison(folder: Path) -> Comparison | None:
    """The last comparison of an engine; None where there is none that can be read."""
    try:
        return Comparison.model_validate_json((folder / NAME).read_bytes())
    except (OSError, ValidationError):
        return None


def method_for(folder: Path, model_sha256: str) -> str:
    """The method that the last comparison of this model chose; before any, the simplest."""
    last = load_comparison(folder)
    return last.chosen if last is not None and last.model_sha256 == model_sha256 else METHODS[0]
