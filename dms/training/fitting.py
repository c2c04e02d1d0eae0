"""Training several nets over one image bank and exporting each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dms.training import export, pack
from dms.training.bank import ImageBank
from dms.training.fit import TASKS, Recipe, device, recipe, train
from dms.training.nets import DistractionNet
from dms.training.pack import Pack
from dms.training.state_tasks import DistractionTask
from dms.training.tasks import Task

log = logging.getLogger(__name__)


def fit(
    names: Sequence[str], folder: Path, out: Path, configs: Path, pace: float = 1.0, **changes: Any
) -> None:
    """Train and export the named nets.

    Args:
        names: nets, in the order to train.
        folder: the pack.
        out: each net gets a folder here with `weights.pt`, `training.csv` and `model.onnx`.
        configs: folder of `<net>.yaml` recipes.
        pace: multiplies the recipes' steps and seconds.
        changes: recipe values to use instead; None leaves one as it is.
    """
    found = pack.read(folder)
    bank = ImageBank(found.blobs, device())
    for name in names:
        how = recipe(configs / f"{name}.yaml")
        how = how.override(steps=round(how.steps * pace), seconds=how.seconds * pace).override(**changes)
        net = train(name, make_task(name, found, bank, how, out / name), how, out / name)
        export.export(name, net, out / name / "model.onnx")
        log.info("%s exported to %s", name, out / name)


def make_task(name: str, found: Pack, bank: ImageBank, how: Recipe, out: Path) -> Task:
    """The net's task, seeded; the distraction net gets its teachers trained first."""
    torch.manual_seed(how.seed)
    if not how.teachers:
        return TASKS[name](found, bank)
    jury = [teacher(found, bank, how, k, out / f"teacher-{k}") for k in range(how.teachers)]
    torch.manual_seed(how.seed)
    return DistractionTask(found, bank, teachers=jury)


def teacher(found: Pack, bank: ImageBank, how: Recipe, number: int, out: Path) -> nn.Module:
    """A wider distraction net of its own seed, trained on the labels alone."""
    torch.manual_seed(how.seed + 100 + number)
    net = DistractionNet((32, 80, 144, 208, 256), drop=0.5)
    short = how.override(steps=how.teacher_steps, seconds=how.seconds / 4)
    return train(f"teacher-{number}", DistractionTask(found, bank, net), short, out)
