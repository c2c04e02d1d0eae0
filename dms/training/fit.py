"""The training loop: one net, fixed seed, AdamW, one-cycle rate, averaged weights, checkpoints, a log."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from dms.errors import DmsError, InputError
from dms.training import checkpoint, curves
from dms.training.recipe import Recipe
from dms.training.tasks import Task

log = logging.getLogger(__name__)

LOOK_EVERY = 50
"""Steps between looks at the losses: each look waits for the device once."""
SURE_AFTER = 0.1
"""Share of the time after which the pace is known."""


class Diverged(DmsError):
    """A loss or a weight became infinite or no number; what was saved before stays."""


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
        pairs = zip(self.net.state_dict().values(), net.state_dict().values(), strict=True)
        floats = [(a, b) for a, b in pairs if a.is_floating_point()]
        self._mine, self._theirs = [a for a, _ in floats], [b for _, b in floats]

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the net's weights; faster at first."""
        self.count += 1
        keep = min(self.keep, self.count / (self.count + 10))
        torch._foreach_lerp_(self._mine, self._theirs, 1 - keep)

    def finite(self) -> bool:
        """Whether every weight is a number."""
        return bool(torch.stack([w.sum() for w in self._mine]).isfinite().all())


def optimiser(net: nn.Module, how: Recipe) -> torch.optim.Optimizer:
    """AdamW; biases and norms do not decay."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    free = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": how.decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=how.rate, fused=next(net.parameters()).is_cuda)


@dataclass
class Run:
    """A run under way: everything that a checkpoint holds."""

    name: str
    task: Task
    how: Recipe
    out: Path
    data: str = ""
    """Hash of the data: a run goes on with the data it was begun with."""
    net: nn.Module = field(init=False)
    averaged: Averaged = field(init=False)
    adam: torch.optim.Optimizer = field(init=False)
    step: int = 0
    before_s: float = 0.0
    """Seconds spent before this process took over."""
    planned: int = 0
    """Steps in all, as far as is known."""
    rows: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare the optimiser and the mean of the weights."""
        self.planned = self.how.steps
        self.net = self.task.net.train().to(memory_format=torch.channels_last)
        self.averaged, self.adam = Averaged(self.net, self.how.average), optimiser(self.net, self.how)
        self._started = self._saved = time.monotonic()
        self._parts: tuple[str, ...] = ()
        self._sums = torch.zeros((), device=next(self.net.parameters()).device)
        self._summed = 0

    @property
    def elapsed_s(self) -> float:
        """Seconds of training so far."""
        return self.before_s + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """Share of the run that is done; 1 at the latest when its time is over."""
        return 1.0 if self.elapsed_s >= self.how.seconds else self.step / self.planned

    def plan(self) -> None:
        """Fewer steps if the recipe's would take too long.

        Time never enters otherwise: where it is long enough, a run is the same each time.
        """
        if self.elapsed_s > SURE_AFTER * self.how.seconds:
            possible = int(self.step * self.how.seconds / self.elapsed_s)
            self.planned = max(self.step, min(self.how.steps, possible))

    def resume(self) -> None:
        """Go on from the last checkpoint, if there is one.

        Raises:
            InputError: it is damaged, or of another net, shape, seed or data.
        """
        path = self.out / checkpoint.NAME
        if not path.is_file():
            log.warning("%s: no checkpoint in %s: training starts at the beginning", self.name, self.out)
            return
        saved = checkpoint.load(path)
        self._require_same(saved, path)
        self.net.load_state_dict(saved["net"])
        self.averaged.net.load_state_dict(saved["averaged"])
        self.averaged.count = saved["count"]
        self.adam.load_state_dict(saved["adam"])
        self.step, self.before_s, self.rows = saved["step"], saved["elapsed_s"], saved["rows"]
        self.planned = min(self.how.steps, saved["planned"])
        checkpoint.restore_random(saved["random"])
        self._started = time.monotonic()
        log.info("%s: goes on at step %d", self.name, self.step)

    def _identity(self) -> dict[str, Any]:
        how = self.how
        return {
            "run": self.name,
            "net": str(how.net),
            "seed": how.seed,
            "batch": how.batch,
            "data": self.data,
        }

    def _require_same(self, saved: Mapping[str, Any], path: Path) -> None:
        given = saved.get("identity", {})
        for key, value in self._identity().items():
            if given.get(key) != value:
                raise InputError(
                    f"{path} is of another run: its {key} is {given.get(key)}, now it is {value}; "
                    "resume with the same, or train into another folder"
                )

    def advance(self) -> None:
        """One batch."""
        progress = self.progress
        for group in self.adam.param_groups:
            group["lr"] = rate_at(progress, self.how.rate)
        self.task.strength = self.how.strength(progress)
        losses = self._learn()
        self._sums = self._sums + losses
        self._summed += 1
        self.averaged.update()
        self.step += 1

    def _learn(self) -> Tensor:
        """Update the net; the losses by part, detached."""
        with torch.no_grad():
            images, target = self.task.batch(self.how.batch)
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda):
            out = self.net(images)
        parts = self.task.loss(out, target)
        self._parts = tuple(parts)
        losses = torch.stack(list(parts.values()))
        self.adam.zero_grad(set_to_none=True)
        losses.sum().backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.adam.step()
        return losses.detach()

    def require_finite(self, *, weights: bool = False) -> None:
        """Look at the losses since the last check and, if asked, at the weights.

        Raises:
            Diverged: something is infinite or no number.
        """
        found = self._sums.isfinite().reshape(-1).tolist()
        bad = [name for name, fine in zip(self._parts, found, strict=False) if not fine]
        if not bad and (not weights or self.averaged.finite()):
            return
        what = f"loss {', '.join(bad)}" if bad else "a weight"
        kept = self.out / checkpoint.NAME
        rest = f"{kept} is the last good one: " if kept.is_file() else ""
        raise Diverged(
            f"{self.name}: {what} is infinite or no number, noticed at step {self.step}; nothing written. "
            f"{rest}lower `rate` in the recipe (now {self.how.rate:g}) and go on with --resume, or look at "
            "the labels with `preview`"
        )

    def check(self) -> None:
        """Score the averaged net on the validation samples; append to the log."""
        self.require_finite(weights=True)
        means = (self._sums / max(1, self._summed)).reshape(-1).tolist()
        losses = {f"loss_{k}": v for k, v in zip(self._parts, means, strict=False)}
        self._sums, self._summed = self._sums.new_zeros(()), 0
        scores = self.task.check(self.averaged.net)
        self.rows.append({"step": self.step, "seconds": self.elapsed_s} | losses | scores)
        curves.write(self.rows, self.out)

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            Diverged: there is nothing good to save.
            InputError: the disk is full or the folder cannot be written to; the older one stays.
        """
        self.require_finite(weights=True)
        state = {
            "identity": self._identity(), "net": self.net.state_dict(),
            "averaged": self.averaged.net.state_dict(), "count": self.averaged.count,
            "adam": self.adam.state_dict(), "step": self.step, "elapsed_s": self.elapsed_s,
            "planned": self.planned, "rows": self.rows, "random": checkpoint.random_states(),
        }  # fmt: skip
        checkpoint.save(self.out / checkpoint.NAME, state)
        self._saved = time.monotonic()

    @property
    def save_due(self) -> bool:
        """Whether the last checkpoint is old."""
        return time.monotonic() - self._saved >= self.how.save_every_s


def train(
    name: str, task: Task, how: Recipe, out: Path, *, resume: bool = False, data: str = ""
) -> tuple[nn.Module, dict[str, Any]]:
    """Train one task's net.

    Writes `training.csv`, `training.png`, checkpoints on the way, and `weights.pt` at the end.

    Returns:
        The averaged net, and what came of the run: steps, seconds, last scores.

    Raises:
        Diverged: a loss is no number any more.
        InputError: the folder cannot be written to, or the checkpoint is of another run.
    """
    out.mkdir(parents=True, exist_ok=True)
    run = Run(name, task, how, out, data)
    if resume:
        run.resume()
    with tqdm(total=how.steps, initial=run.step, desc=name, mininterval=2) as bar:
        while run.progress < 1:
            run.advance()
            bar.update()
            if run.step % LOOK_EVERY == 0:
                run.require_finite()
                run.plan()
            if run.step % how.check_every == 0 and run.progress < 1:
                run.check()
                bar.write(f"{name} {_text(run.rows[-1])}")
            if run.save_due:
                run.save()
    if not run.rows or run.rows[-1]["step"] != run.step:
        run.check()
    curves.picture(run.rows, out)
    log.info("%s %s", name, _text(run.rows[-1]))
    checkpoint.save(out / checkpoint.WEIGHTS, run.averaged.net.state_dict())
    (out / checkpoint.NAME).unlink(missing_ok=True)
    scores = {k: round(v, 6) if math.isfinite(v) else None for k, v in run.rows[-1].items()}
    return run.averaged.net, {"steps": run.step, "seconds": round(run.elapsed_s, 1), "scores": scores}


def _text(row: Mapping[str, float]) -> str:
    return " ".join(f"{k}={v:.4g}" for k, v in row.items())
