"""The commands `distil`, `prune` and `qat`: each trains, then tells before and after, with real artefacts."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torch import nn

from dms.errors import InputError
from dms.files import write_atomically
from dms.training import checkpoint, fit, fitting, prune, qat, record
from dms.training.cost import mmac, parameters
from dms.training.data import Data
from dms.training.distil import Distilled
from dms.training.recipe import Recipe, make_net

log = logging.getLogger(__name__)
Row = dict[str, Any]
Report = dict[str, Row]
Nets = dict[str, tuple[nn.Module, dict[str, float]]]
"""By title: a net and its learned tops, if it has any."""

FINE_RATE = 0.2
"""Of the recipe's learning rate, after channels were cut."""
QAT_RATE = 0.01
"""Of the recipe's learning rate, while numbers are rounded."""
OPINION = 0.5
"""Weight of the labels beside the uncut net's opinion."""
NO_LIMIT_S = 1e9
"""The recipe's seconds are for the long run; steps asked for here are all taken."""
TOPS = "tops.json"
CUT = "cut.pt"


def distil(name: str, data: Data, how: Recipe, out: Path, teachers: Sequence[Path], resume: bool) -> Report:
    """Train a net alone and the same net with its teachers.

    Raises:
        InputError: the recipe names no teachers and none were given.
    """
    if not teachers and not how.teachers:
        raise InputError(f"no teachers: set `teachers` in the recipe of {name}, or give --teacher")
    alone = _fitted(name, data, how.override(teachers=0), out / "alone", (), resume)
    taught = _fitted(name, data, how, out / "taught", teachers, resume)
    return _told(name, data, {"alone": (alone, {}), "taught": (taught, {})}, out / "distil.json")


def _fitted(
    name: str, data: Data, how: Recipe, out: Path, teachers: Sequence[Path], resume: bool
) -> nn.Module:
    if resume and fitting.finished(out):
        return fitting.load_trained(out, name)
    net = fitting.fit_one(name, data, how, out, resume=resume, teachers=teachers)
    fitting.export(name, net, out)
    return net


def pruned(
    trained: Path,
    data: Data,
    out: Path,
    keep: float,
    steps: int,
    resume: bool = False,
    batch: int | None = None,
) -> Report:
    """Cut the least important channels of a trained net and train it on; the uncut one is its teacher."""
    name, how, _ = record.read(trained)
    before = fitting.load_trained(trained).to(data.bank.device)
    if not (resume and fitting.finished(out)):
        _cut(name, before, data, how.override(batch=batch), out, keep, steps, resume, str(trained))
    cut, after = (fitting.load_trained(out, name, weights) for weights in (CUT, checkpoint.WEIGHTS))
    nets: Nets = {"before": (before, {}), "cut alone": (cut, {}), "trained on": (after, {})}
    return _told(name, data, nets, out / "prune.json")


def _cut(
    name: str,
    before: nn.Module,
    data: Data,
    how: Recipe,
    out: Path,
    keep: float,
    steps: int,
    resume: bool,
    source: str,
) -> None:
    task = fitting.make_task(name, data, how, before)
    weight = prune.importance(task, before, min(how.batch, 128))
    shape = prune.choose(name, before, how.net, weight, keep)
    log.info("%s: %s", name, shape)
    fine = how.override(net=shape, steps=steps, seconds=NO_LIMIT_S, rate=how.rate * FINE_RATE, teachers=0)
    small = prune.cut(name, before, shape, weight)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint.save(out / CUT, small.state_dict())
    task = Distilled(fitting.make_task(name, data, fine, small), [before], OPINION)
    net, result = fit.train(name, task, fine, out, resume=resume, data=data.sha256)
    record.write(out, name, fine, data.sha256, result | {"pruned_from": source, "kept": keep})
    fitting.export(name, net, out)


def tuned(
    trained: Path, data: Data, out: Path, steps: int, resume: bool = False, batch: int | None = None
) -> Report:
    """Train a net on with rounded numbers; writes weights, the learned tops and, with onnx, `ranges.json`."""
    name, how, _ = record.read(trained)
    before = fitting.load_trained(trained).to(data.bank.device)
    if not (resume and fitting.finished(out)):
        _round(name, before, data, how.override(batch=batch), out, steps, resume, str(trained))
    after = fitting.load_trained(out, name)
    tops = json.loads((out / TOPS).read_text(encoding="utf-8"))
    nets: Nets = {"before (PTQ)": (before, {}), "after (QAT)": (after, tops)}
    return _told(name, data, nets, out / "qat.json")


def _round(
    name: str, before: nn.Module, data: Data, how: Recipe, out: Path, steps: int, resume: bool, source: str
) -> None:
    fine = how.override(steps=steps, seconds=NO_LIMIT_S, rate=how.rate * QAT_RATE, teachers=0, average=0.99)
    task = fitting.make_task(name, data, fine, qat.prepare(before))
    qat.watch(task.net.to(data.bank.device), task, min(fine.batch, 128))
    first = task.check(task.net.eval())
    task = Distilled(task, [before], OPINION)
    net, result = fit.train(name, task, fine, out, resume=resume, data=data.sha256)
    plain = make_net(name, fine.net)
    tops = qat.finished(net.cpu(), plain)
    checkpoint.save(out / checkpoint.WEIGHTS, plain.state_dict())
    write_atomically(out / TOPS, json.dumps(tops, indent=1) + "\n")
    start = {"rounded_before": {k: _known(v) for k, v in first.items()}}
    record.write(out, name, fine, data.sha256, result | start | {"tuned_from": source})
    fitting.export(name, plain, out)


def _told(name: str, data: Data, nets: Nets, path: Path) -> Report:
    """Size, work, metric and speed of each net; written as JSON. Without onnx only what needs none of it."""
    report: Report = {
        title: {"parameters": parameters(net), "mmac": round(mmac(name, net), 2)}
        for title, (net, _) in nets.items()
    }
    try:
        from dms.training import trial
    except ImportError as error:
        log.warning("no INT8 figures, %s is missing; where it is, run again with --resume", error.name)
        task = fitting.make_task(name, data, Recipe(steps=1, seconds=1))
        for title, (net, _) in nets.items():
            scores = task.check(net.to(data.bank.device).eval())
            report[title]["scores"] = {k: _known(v) for k, v in scores.items()}
        write_atomically(path, json.dumps(report, indent=2) + "\n")
        return report
    _judge(trial, name, data, nets, report, path)
    write_atomically(path, json.dumps(report, indent=2) + "\n")
    return report


def _judge(trial: Any, name: str, data: Data, nets: Nets, report: Report, path: Path) -> None:
    from dms.evaluation.inputs import calibration_inputs

    judged, images = trial.judge(name, data.pack), calibration_inputs(name, data.pack)
    with TemporaryDirectory() as folder:
        files: dict[tuple[str, str], Path] = {}
        for title, (net, tops) in nets.items():
            placed = trial.place(name, net.cpu(), Path(folder) / title, images, tops)
            if tops:
                placed.ranges.save(path.parent / "ranges.json")
            report[title]["metric"] = judged.metric
            report[title]["fp32"] = _known(judged.score(trial.infer_with(net)))
            report[title]["int8"] = _known(trial.score_file(judged, placed.paths["cpu.int8"]))
            report[title]["int8_megabytes"] = round(placed.paths["cpu.int8"].stat().st_size / 1e6, 3)
            files |= {(title, p): placed.paths[f] for p, f in (("fp32", "fp32"), ("int8", "cpu.int8"))}
        for (title, precision), value in trial.speeds(name, files).items():
            report[title][f"ort_ms_{precision}"] = round(value, 4)


def _known(value: float) -> float | None:
    return round(value, 5) if np.isfinite(value) else None


def text(report: Report) -> str:
    """The report as a table, a column a net."""
    titles = list(report)
    names = list(dict.fromkeys(key for row in report.values() for key in row if key != "scores"))
    lines = [f"{'':18}" + "".join(f"{t:>20}" for t in titles)]
    lines += [f"{n:18}" + "".join(f"{_short(report[t].get(n)):>20}" for t in titles) for n in names]
    for name in next(iter(report.values())).get("scores", {}):
        lines.append(f"{name:18}" + "".join(f"{_short(report[t]['scores'][name]):>20}" for t in titles))
    return "\n".join(lines)


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
