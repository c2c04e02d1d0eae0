"""Learning from teachers: any task, with what several trained nets agree on beside its own labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from dms.training import losses, nets
from dms.training.tasks import Batch, Task

PREFIX = "agreed/"
SURE = 0.5
"""Faces a teacher gives less than this are no guide to where they are."""


class Distilled:
    """A `Task` whose batches carry the mean of the teachers' outputs, and whose loss asks for it.

    Args:
        task: the labels' own problem; its net is the student.
        teachers: trained nets with the same outputs.
        own_share: weight of the task's own losses; the teachers get the rest.
    """

    def __init__(self, task: Task, teachers: Sequence[nn.Module], own_share: float) -> None:
        self.task, self.own_share = task, own_share
        self.teachers = [t.eval().requires_grad_(False) for t in teachers]

    @property
    def net(self) -> nn.Module:
        """The student."""
        return self.task.net

    @net.setter
    def net(self, net: nn.Module) -> None:
        self.task.net = net

    @property
    def strength(self) -> float:
        """How hard the task augments, 0 to 1."""
        return self.task.strength

    @strength.setter
    def strength(self, strength: float) -> None:
        self.task.strength = strength

    @torch.no_grad()
    def batch(self, size: int) -> tuple[Tensor, Batch]:
        """See `tasks.Task`; the target also holds `agreed/<output>`."""
        images, target = self.task.batch(size)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda):
            outs = [teacher(images) for teacher in self.teachers]
        agreed = {k: torch.stack([o[k].float() for o in outs]).mean(0) for k in outs[0]}
        return images, target | {PREFIX + k: v for k, v in agreed.items()}

    def loss(self, out: nets.Outputs, target: Batch) -> dict[str, Tensor]:
        """The task's losses and one distance for each output that has one, in their shares."""
        agreed = {k.removeprefix(PREFIX): v for k, v in target.items() if k.startswith(PREFIX)}
        own = self.task.loss(out, {k: v for k, v in target.items() if not k.startswith(PREFIX)})
        taught = distances(out, agreed)
        return {k: self.own_share * v for k, v in own.items()} | {
            PREFIX + k: (1 - self.own_share) * v for k, v in taught.items()
        }

    def check(self, net: nn.Module) -> dict[str, float]:
        """See `tasks.Task`."""
        return self.task.check(net)


def distances(out: Batch, agreed: Batch) -> Batch:
    """Distance of each output to the teachers' mean, scaled as the task's own losses.

    Uncertainties have none: the student's own errors teach them.
    """
    if "score" in agreed:
        return _faces(out, agreed)
    here = (agreed["presence"] > SURE).float() if "presence" in agreed else None
    return {
        name: distance(out[name], agreed[name], here)
        for name, distance in DISTANCES.items()
        if name in agreed and name in out
    }


Distance = Callable[[Tensor, Tensor, "Tensor | None"], Tensor]


def _mean(values: Tensor, here: Tensor | None) -> Tensor:
    """Over the rows (n, 1) where the teachers see a face, or all."""
    flat = values.flatten(1).mean(1, keepdim=True)
    return flat.mean() if here is None else losses.mean(flat, here)


def _classes(out: Tensor, agreed: Tensor, here: Tensor | None) -> Tensor:
    return _mean(-agreed * torch.log(out.clamp_min(1e-5)) * out.shape[1], here)


def _chances(scale: float, everywhere: bool = False) -> Distance:
    def distance(out: Tensor, agreed: Tensor, here: Tensor | None) -> Tensor:
        return scale * _mean(_entropy(out, agreed), None if everywhere else here)

    return distance


def _entropy(out: Tensor, agreed: Tensor) -> Tensor:
    p = out.float().clamp(1e-5, 1 - 1e-5)
    return -(agreed * torch.log(p) + (1 - agreed) * torch.log1p(-p))


def _smooth(scale: float, beta: float) -> Distance:
    def distance(out: Tensor, agreed: Tensor, here: Tensor | None) -> Tensor:
        return scale * _mean(F.smooth_l1_loss(out, agreed, beta=beta, reduction="none"), here)

    return distance


def _points(out: Tensor, agreed: Tensor, here: Tensor | None) -> Tensor:
    return 20 * _mean(losses.wing((out - agreed).abs(), 0.04, 0.01), here)


DISTANCES: dict[str, Distance] = {
    "activity": _classes, "state": _chances(1.0), "visibility": _chances(0.3),
    "presence": _chances(0.5, everywhere=True), "openness": _smooth(2.0, 0.1), "head": _smooth(0.08, 2.0),
    "gaze": _smooth(0.06, 3.0), "landmarks": _points,
}  # fmt: skip


def _faces(out: Batch, agreed: Batch) -> Batch:
    """Score maps everywhere, where they differ most; boxes and points where the teachers see a face."""
    score, wanted = out["score"].float(), agreed["score"]
    sure = (wanted > SURE).float()
    count = sure.sum().clamp_min(1)
    apart = {
        k: F.smooth_l1_loss(out[k], agreed[k], beta=0.1, reduction="none").mean(2) for k in ("box", "points")
    }
    return {
        "score": ((wanted - score).detach().abs() * _entropy(score, wanted)).sum() / count,
        "box": 2 * (apart["box"] * sure).sum() / count,
        "points": 2 * (apart["points"] * sure).sum() / count,
    }
