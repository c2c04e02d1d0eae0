"""Measuring the real artefacts, all precisions side by side, on people never trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from dms.backends import open_backend
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import INT8_FORMS, load_manifest
from dms.engines.running import over_batches
from dms.errors import InputError
from dms.evaluation import bootstrap, eyes_metrics, face_metrics, state_metrics
from dms.evaluation.bootstrap import Estimate
from dms.evaluation.labels import ENGINE
from dms.evaluation.metrics import Figures, Scores, worth_telling
from dms.evaluation.metrics import Infer as Infer
from dms.evaluation.pack import Pack
from dms.evaluation.speed import blocks_ms

Measure = Callable[[Infer], Scores]
"""The scores of a model on held-out inputs that were prepared once."""
Draw = Callable[[Infer], Figures]
"""The same as figures that can be resampled."""
Report = dict[str, dict[str, dict[str, Estimate]]]
"""Net -> precision -> metric -> value with its interval (speeds and sizes have none)."""
PRIMARY: dict[str, tuple[str, int]] = {
    "face": ("recall_drivers", +1),
    "eyes": ("nme_mesh", -1),
    "fatigue": ("state_auc", +1),
    "distraction": ("balanced_accuracy", +1),
}
"""The task metric that tells how good a net is, and which way is better; all are fractions of one."""
DECIDING: dict[str, tuple[str, int]] = PRIMARY | {
    "face": ("recall_pictures", +1),
    "distraction": ("activity_auc", +1),
}
"""What decides about parts, methods and gates of INT8: as `PRIMARY`, but where one picture moves that by more
than a gate allows (0.4 points of 252 drivers, 0.9 of the rarest activity) a figure of finer steps."""
FIGURES: dict[str, Callable[[Pack], Draw]] = {
    "face": face_metrics.prepare,
    "eyes": eyes_metrics.prepare,
    "fatigue": state_metrics.prepare("fatigue", state_metrics.fatigue),
    "distraction": state_metrics.prepare("distraction", state_metrics.distraction),
}
"""How each net's held-out inputs are prepared and measured."""


def _plain(net: str) -> Callable[[Pack], Measure]:
    def prepare(pack: Pack) -> Measure:
        draw = FIGURES[net](pack)
        return lambda infer: {name: figure.value for name, figure in draw(infer).items()}

    return prepare


PREPARED: dict[str, Callable[[Pack], Measure]] = {net: _plain(net) for net in CONTRACTS}
"""Plain values without intervals: for gates, sweeps and searches."""


def require_rows(pack: Pack, net: str) -> None:
    """Make sure there is something to measure `net` on.

    Raises:
        InputError: no row of its table is held out.
    """
    if net not in pack.tables or not pack.tables[net]["val"].any():
        cure = _own_words(pack) or (
            "no picture of the validation split has a label for it; add some, or leave this engine out"
        )
        raise InputError(f"the data holds nothing to measure the {net} engine on: {cure}")


def _own_words(pack: Pack) -> str:
    """The cure where all labels are the engines' own; empty where others are among them."""
    by = pack.tables.get("images", {}).get("by")
    if by is None or not (by == ENGINE).all():
        return ""
    return (
        "these labels were written by the engines themselves, which must not be judged by what they say: "
        "look at the pictures, correct the labels and write by=hand in the lines that you have checked"
    )


def measurable(pack: Pack) -> tuple[str, ...]:
    """The engines this data has held-out rows for."""
    return tuple(net for net in CONTRACTS if net in pack.tables and pack.tables[net]["val"].any())


def evaluate(
    pack: Pack,
    engines: Path,
    nets: Iterable[str] | None = None,
    precisions: Iterable[str] | None = None,
    backend: str = "ort",
    told: Callable[[str], None] = lambda step: None,
) -> Report:
    """Measure engines on the held-out rows of a pack.

    Args:
        pack: the labelled pictures.
        engines: the folder with one sub-folder an engine.
        nets: which engines; otherwise all that the data has labels for.
        precisions: which artefacts (`int8` is the INT8 form made for the runtime); otherwise all.
        backend: the runtime that computes the metrics.
        told: hears what is being measured.

    Raises:
        InputError: the data has no held-out rows for a net that was named, or for any.
        EngineMissing: a precision that was named does not exist.
    """
    report: Report = {}
    for net in measurable(pack) if nets is None else nets:
        require_rows(pack, net)
        told(f"{net}: inputs")
        draw = FIGURES[net](pack)
        report[net] = _measure_net(draw, net, engines / net, precisions, backend, told)
    if not report:
        raise InputError(
            "the data holds nothing to measure any engine on: "
            + (_own_words(pack) or "no picture of the validation split has a label; mark some as split `val`")
        )
    return report


def _measure_net(
    draw: Draw,
    net: str,
    folder: Path,
    precisions: Iterable[str] | None,
    backend: str,
    told: Callable[[str], None],
) -> dict[str, dict[str, Estimate]]:
    note = load_manifest(folder)
    drawn: dict[str, Figures] = {}
    scores: dict[str, dict[str, Estimate]] = {}
    wanted = note.readable(backend) if precisions is None else precisions
    for precision in dict.fromkeys(note.precision_for(p, backend) for p in wanted):
        told(f"{net}: {precision}")
        path = note.verified_path(precision)
        with closing(open_backend(backend, path)) as running:
            drawn[precision] = worth_telling(draw(over_batches(running)))
        scores[precision] = {name: bootstrap.estimate(f) for name, f in drawn[precision].items()}
        scores[precision]["megabytes"] = exact(note.files[precision].bytes / 1e6)
    for precision, loss in losses(net, drawn).items():
        scores[precision]["loss_points"] = loss
    return scores


def losses(net: str, drawn: Mapping[str, Figures]) -> dict[str, Estimate]:
    """What each precision loses of the task metric against FP32, in points of a hundred; paired intervals."""
    metric, better = PRIMARY[net]
    base = drawn.get("fp32", {}).get(metric)
    if base is None:
        return {}
    return {
        precision: bootstrap.difference(figures[metric].times(-100 * better), base.times(-100 * better))
        for precision, figures in drawn.items()
        if precision != "fp32" and metric in figures
    }


def exact(value: float) -> Estimate:
    """A value that was counted or timed, not sampled: it rests on no pictures."""
    return Estimate(value, float("nan"), float("nan"), 0)


def add_speeds(report: Report, engines: Path, backends: Iterable[str]) -> None:
    """Put milliseconds of one image on one thread and ratios to FP32 into the report.

    `ms_<runtime>` is the middle turn; `speed_up_<runtime>` the middle ratio to FP32 of the same turn, with
    the lowest and the highest in place of an interval.
    """
    for net, by_precision in report.items():
        found = blocks_ms(net, engines / net, by_precision, backends)
        for (runtime, precision), ms in found.items():
            by_precision[precision][f"ms_{runtime}"] = exact(float(np.median(ms)))
            slow = found.get((runtime, "fp32"))
            if slow is not None and precision != "fp32":
                ratios = slow / ms
                by_precision[precision][f"speed_up_{runtime}"] = Estimate(
                    float(np.median(ratios)), float(ratios.min()), float(ratios.max()), len(ratios)
                )


def speed_ups(report: Report) -> dict[str, Estimate]:
    """How much faster INT8 is than FP32 by runtime, each with the file made for it: the mean of the engines.

    Lowest and highest are the means of the engines' own: the worst and the best that the turns leave open.
    `n` is how many engines were timed.
    """
    found: dict[str, list[Estimate]] = {}
    for by_precision in report.values():
        for runtime, form in INT8_FORMS.items():
            ratio = by_precision.get(form, {}).get(f"speed_up_{runtime}")
            if ratio is not None:
                found.setdefault(runtime, []).append(ratio)
    return {runtime: _mean_of(each) for runtime, each in sorted(found.items())}


def _mean_of(each: Sequence[Estimate]) -> Estimate:
    value, low, high = np.mean([(e.value, e.low, e.high) for e in each], axis=0).tolist()
    return Estimate(value, low, high, len(each))
