"""Training several nets over one image bank, with teachers where the recipe asks for them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dms.engines.contract import CONTRACTS
from dms.errors import InputError
from dms.evaluation.pack import Pack
from dms.training import checkpoint, fit, pretrained, record
from dms.training.data import Data, open_data, require_data
from dms.training.distil import Distilled
from dms.training.face_task import FaceTask
from dms.training.recipe import Recipe, make_net, recipe
from dms.training.state_tasks import DistractionTask, FatigueTask
from dms.training.tasks import EyesTask, Task

log = logging.getLogger(__name__)

WIDE: dict[str, dict[str, Any]] = {
    "face": {"stem": (48,), "channels": (96, 144, 192), "head": 64},
    "eyes": {"channels": (48, 96, 160, 224, 256)},
    "fatigue": {"channels": (32, 64, 96, 144, 192)},
    "distraction": {"channels": (32, 80, 144, 208, 256), "drop": 0.5},
}
"""Shapes of the wide teachers, unless the recipe names one."""


LACKS = {
    "face": "it needs pictures with a face box",
    "eyes": "it needs faces with a box, better with landmarks",
    "fatigue": "it needs faces with landmarks of eyes and mouth",
    "distraction": "it needs faces with an activity",
}
"""What a user's own data must have for each net to learn from."""


def recipe_of(name: str, config: Path) -> Recipe:
    """The net's recipe: the file itself, or `<net>.yaml` in the folder.

    Raises:
        ConfigError: see `recipe`.
    """
    return recipe(config / f"{name}.yaml" if config.is_dir() else config)


def fit_all(
    names: Sequence[str],
    folder: Path,
    out: Path,
    config: Path,
    *,
    pace: float = 1.0,
    resume: bool = False,
    teachers: Sequence[Path] = (),
    **changes: Any,
) -> None:
    """Train and export the named nets.

    Args:
        names: nets, in the order to train.
        folder: the pack or labelled folder.
        out: each net gets a folder here with `weights.pt`, `run.json`, `training.csv`, `training.png` and
            `model.onnx`.
        config: a recipe, or a folder of `<net>.yaml`.
        pace: multiplies the recipes' steps, teachers' steps and seconds.
        resume: go on from the last checkpoints; what is finished stays.
        teachers: folders of trained nets to learn from, instead of the recipe's teachers.
        changes: recipe values to use instead, see `changed`.

    Raises:
        ConfigError: a net cannot be built, or its teachers' weights are missing; before any data is read.
    """
    require_data(folder)
    hows = {}
    for name in names:
        hows[name] = changed(paced(recipe_of(name, config), pace), **changes)
        require_possible(name, hows[name], teachers)
    data = open_data(folder)
    for name, how in hows.items():
        if resume and finished(out / name):
            log.info("%s: finished before, left as it is", name)
            continue
        net = fit_one(name, data, how, out / name, resume=resume, teachers=teachers)
        export(name, net, out / name)


def paced(how: Recipe, pace: float) -> Recipe:
    """The recipe with its steps and seconds multiplied."""
    return how.override(
        steps=max(1, round(how.steps * pace)),
        seconds=how.seconds * pace,
        teacher_steps=round(how.teacher_steps * pace),
    )


def changed(how: Recipe, **changes: Any) -> Recipe:
    """The recipe with other values; None leaves one as it is.

    The teachers' steps shrink or grow with `steps`, and their batch is no larger than a given `batch`.
    """
    share = (changes.get("steps") or how.steps) / how.steps
    batch, theirs = changes.get("batch"), how.teacher_batch
    own = {
        "teacher_steps": math.ceil(how.teacher_steps * share),
        "teacher_batch": min(batch, theirs) if batch and theirs else None,
    }
    return how.override(**own).override(**changes)


def require_possible(name: str, how: Recipe, teachers: Sequence[Path] = ()) -> None:
    """Build what the recipe asks for once, so that what is missing is told before the long work.

    Raises:
        ConfigError: the net cannot be built, or its teachers' weights are missing.
    """
    make_net(name, how.net)
    if how.teachers and not teachers:
        _untaught(name, how)


def fit_one(
    name: str, data: Data, how: Recipe, out: Path, *, resume: bool = False, teachers: Sequence[Path] = ()
) -> nn.Module:
    """Train one net, after its teachers if it has any; writes everything but the ONNX file."""
    if teachers:
        jury = [load_trained(path, name) for path in teachers]
    else:
        jury = [_teacher(name, data, how, k, out / f"teacher-{k}", resume) for k in range(how.teachers)]
    task = make_task(name, data, how)
    if jury:
        task = Distilled(task, [t.to(data.bank.device) for t in jury], how.own_share)
    return _trained(name, name, task, data, how, out, resume)


def _trained(
    title: str, name: str, task: Task, data: Data, how: Recipe, out: Path, resume: bool
) -> nn.Module:
    net, result = fit.train(title, task, how, out, resume=resume, data=data.sha256)
    drawn = {"drawn_share_by_set": shares(data.pack, name)}
    kind = {"pretrained": net.features.kind} if isinstance(net, pretrained.Teacher) else {}
    record.write(out, name, how, data.sha256, result | drawn | kind)
    return net


def make_task(name: str, data: Data, how: Recipe, net: nn.Module | None = None) -> Task:
    """The net's task, seeded, with a net of the recipe's shape or the given one."""
    if name not in data.pack.tables or not (~data.pack.tables[name]["val"]).any():
        raise InputError(
            f"the data has no training rows for the {name} net: {LACKS[name]}, of people who are not held "
            "out (docs/datasets.md)"
        )
    torch.manual_seed(how.seed)
    student = net or make_net(name, how.net)
    task = TASKS[name](data.pack, data.bank)
    task.net = student.to(data.bank.device)
    # The same batches whatever the nets' shapes drew.
    torch.manual_seed(how.seed + 1)
    return task


def _teacher(name: str, data: Data, how: Recipe, number: int, out: Path, resume: bool) -> nn.Module:
    """Another net of its own seed, trained on the labels alone."""
    if resume and finished(out):
        return load_trained(out, name)
    own = how.override(
        seed=how.seed + 100 + number, steps=how.teacher_steps or how.steps, rate=how.teacher_rate,
        batch=how.teacher_batch, seconds=how.seconds,
    )  # fmt: skip
    own = own.override(net=how.teacher_net or WIDE[name], teachers=0)
    torch.manual_seed(own.seed)
    net = _untaught(name, how)
    return _trained(out.name, name, make_task(name, data, own, net), data, own, out, resume)


def _untaught(name: str, how: Recipe) -> nn.Module:
    """A teacher before its training."""
    if how.teacher_kind == "pretrained":
        return pretrained.teacher(name)
    return make_net(name, how.teacher_net or WIDE[name])


def finished(folder: Path) -> bool:
    """Whether a run came to its end here."""
    return (folder / record.NAME).is_file() and (folder / checkpoint.WEIGHTS).is_file()


def load_trained(folder: Path, net: str | None = None, weights: str = checkpoint.WEIGHTS) -> nn.Module:
    """A net that `fit` trained, ready to be used.

    Raises:
        InputError: nothing trained lies there, or it is another net.
        ConfigError: its run.json tells of a teacher that this version does not know.
    """
    name, how, note = record.read(folder)
    if net is not None and name != net:
        raise InputError(f"{folder} holds a {name} net, not a {net} net")
    if "pretrained" in note:
        found = pretrained.Teacher(name, pretrained.bare(str(note["pretrained"])))
    else:
        found = make_net(name, how.net)
    checkpoint.load_weights(found, folder / weights)
    return found.eval()


def export(name: str, net: nn.Module, folder: Path) -> None:
    """Write `model.onnx`; where onnx is not installed, say how to do it later."""
    try:
        from dms.training import export as exporting
    except ImportError as error:
        log.warning(
            "%s: no model.onnx, %s is missing; later: python -m dms.training export %s",
            name, error.name, folder,
        )  # fmt: skip
        return
    exporting.export(name, net, folder / "model.onnx")
    log.info("%s exported to %s", name, folder / "model.onnx")


def runs_in(folder: Path) -> list[Path]:
    """The folder itself if `fit` trained a net there, else those of its folders where it did.

    Raises:
        InputError: there is none.
    """
    found = [p for p in (folder, *sorted(folder.glob("*/"))) if finished(p)]
    if not found:
        raise InputError(f"{folder} holds nothing that `fit` trained: no run.json with weights.pt beside it")
    return found[:1] if found[0] == folder else found


def export_run(folder: Path) -> None:
    """Write `model.onnx` beside the weights.

    Raises:
        InputError: onnx is not installed, or nothing trained lies there.
    """
    name, *_ = record.read(folder)
    try:
        from dms.training import export as exporting
    except ImportError as error:
        raise InputError(f"{error.name} is not installed: pip install 'dms[train]'") from error
    exporting.export(name, load_trained(folder), folder / "model.onnx")


def _sets(pack: Pack, name: str) -> np.ndarray:
    """The data set of each row; what is not among the photographs is simulated."""
    rows, sets = pack.tables[name]["image"], pack.tables["images"]["set"]
    wide = np.full(len(rows), "simulated", dtype=f"U{max(9, sets.dtype.itemsize // 4)}")
    real = rows < len(sets)
    wide[real] = sets[rows[real]]
    return wide


def shares(pack: Pack, name: str) -> dict[str, float]:
    """Which share of the drawn training pictures comes from which data set."""
    table = pack.tables[name]
    draw, sets = table["draw"] * ~table["val"], _sets(pack, name)
    return {str(s): round(float(draw[sets == s].sum() / draw.sum()), 4) for s in np.unique(sets)}


TASKS: dict[str, Any] = {
    "face": FaceTask, "eyes": EyesTask, "fatigue": FatigueTask, "distraction": DistractionTask,
}  # fmt: skip
assert TASKS.keys() == CONTRACTS.keys()
