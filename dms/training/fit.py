"""The training loop: one net, fixed seed, AdamW, one-cycle rate, averaged weights, a CSV log."""

from __future__ import annotations

import copy
import csv
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn
from tqdm import tqdm

from dms.errors import ConfigError
from dms.training.bank import ImageBank
from dms.training.face_task import FaceTask
from dms.training.pack import Pack
from dms.training.state_tasks import DistractionTask, FatigueTask
from dms.training.tasks import EyesTask, Task

log = logging.getLogger(__name__)

TASKS: dict[str, Callable[[Pack, ImageBank], Task]] = {
    "face": FaceTask, "eyes": EyesTask, "fatigue": FatigueTask, "distraction": DistractionTask,
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """How long and how hard to train. The run ends after `steps` or `seconds`, whichever comes first.

    With `teachers`, as many wider nets are trained first, each for `teacher_steps`, and the net learns from
    what they agree on: small label sets teach a jury better than a single net.
    """

    steps: int
    seconds: float
    batch: int = 512
    rate: float = 2e-3
    decay: float = 0.02
    average: float = 0.998
    seed: int = 7
    check_every: int = 1000
    teachers: int = 0
    teacher_steps: int = 0

    def override(self, **changes: Any) -> Recipe:
        """A copy with the given, not-None values changed."""
        return Recipe(**{**self.__dict__, **{k: v for k, v in changes.items() if v is not None}})


def recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        ConfigError: the file is missing or has an unknown or missing key.
    """
    try:
        return Recipe(**yaml.safe_load(path.read_text()))
    except (OSError, TypeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is no training recipe: {error}") from error


def device() -> torch.device:
    """The GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def rate_at(progress: float, peak: float) -> float:
    """One-cycle learning rate: up over the first 8 %, down along a cosine to a hundredth."""
    if progress < 0.08:
        return peak * (0.05 + 0.95 * progress / 0.08)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (progress - 0.08) / 0.92)))


class Averaged:
    """An exponential mean of the weights: what is validated and exported."""

    def __init__(self, net: nn.Module, keep: float) -> None:
        self.net = copy.deepcopy(net).eval()
        self.keep = keep
        self.count = 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Move towards the net's weights; faster at first."""
        self.count += 1
        keep = min(self.keep, self.count / (self.count + 10))
        mine, theirs = list(self.net.state_dict().values()), list(net.state_dict().values())
        floats = [(a, b) for a, b in zip(mine, theirs, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - keep)


def optimiser(net: nn.Module, how: Recipe) -> torch.optim.Optimizer:
    """AdamW; biases and norms do not decay."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    free = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": how.decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=how.rate, fused=next(net.parameters()).is_cuda)


def train(name: str, task: Task, how: Recipe, out: Path) -> nn.Module:
    """Train one task's net; writes `training.csv` and `weights.pt` to `out` and returns the averaged net."""
    net = task.net.train().to(memory_format=torch.channels_last)
    averaged, adam = Averaged(net, how.average), optimiser(net, how)
    out.mkdir(parents=True, exist_ok=True)
    started, step, progress = time.monotonic(), 0, 0.0
    rows: list[dict[str, float]] = []
    with tqdm(total=how.steps, desc=name, mininterval=5) as bar:
        while progress < 1:
            for group in adam.param_groups:
                group["lr"] = rate_at(progress, how.rate)
            parts = _step(task, net, adam, how.batch)
            averaged.update(net)
            step += 1
            progress = max(step / how.steps, (time.monotonic() - started) / how.seconds)
            bar.update()
            if step % how.check_every == 0 or progress >= 1:
                losses = {f"loss_{k}": float(v.detach()) for k, v in parts.items()}
                rows.append(
                    {"step": step, "seconds": time.monotonic() - started} | losses | task.check(averaged.net)
                )
                log.info("%s %s", name, _text(rows[-1]))
    _write_log(rows, out / "training.csv")
    torch.save(averaged.net.state_dict(), out / "weights.pt")
    return averaged.net


def _step(task: Task, net: nn.Module, adam: torch.optim.Optimizer, size: int) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        images, target = task.batch(size)
        images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda):
        out = net(images)
    parts = task.loss(out, target)
    adam.zero_grad(set_to_none=True)
    torch.stack(list(parts.values())).sum().backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    adam.step()
    return parts


def _text(row: Mapping[str, float]) -> str:
    return " ".join(f"{k}={v:.4g}" for k, v in row.items())


def _write_log(rows: list[dict[str, float]], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[-1]))
        writer.writeheader()
        writer.writerows(rows)
