"""Training on with eight bits in mind: weights and activations are rounded as the INT8 artefact rounds them.

Norms are folded first. Weights are rounded a channel (S8, symmetric), the result of every convolution from 0
to a learned top (as in LSQ, Esser et al., ICLR 2020), so that one range serves both INT8 forms. Rounding lets
gradients pass straight through. Heads stay in floating point, as in the artefacts. The tops become
`ranges.json`.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from dms.training.folding import fused
from dms.training.nets import ConvBn
from dms.training.tasks import Task

LEVELS = 127
"""Steps from 0 to the top: those of the symmetric form; the other one has twice as many."""
WEIGHT_LEVELS = 127
WATCHED = 12
"""Batches that the first tops are found on."""
INSIDE = 0.9999
"""Share of the values that the first top keeps."""


def through(value: Tensor) -> Tensor:
    """Rounded; gradients pass as if it were not."""
    return value + (value.round() - value).detach()


def rounded_weight(weight: Tensor) -> Tensor:
    """Weights (outputs, ...) on the levels of each output's own scale."""
    scale = weight.detach().flatten(1).abs().amax(1).clamp_min(1e-8) / WEIGHT_LEVELS
    scale = scale.reshape(-1, *[1] * (weight.ndim - 1))
    return through(weight / scale) * scale


class RoundedConv(nn.Module):
    """A folded convolution with ReLU, rounded in weights and result; `top` is learned."""

    def __init__(self, folded: nn.Conv2d) -> None:
        super().__init__()
        self.conv = folded
        self.log_top = nn.Parameter(torch.zeros(()))
        self.watching = False
        self.seen = 0.0
        self.entry: float | None = None
        """Largest size of the net's own input, for the one that takes it."""

    def forward(self, x: Tensor) -> Tensor:
        """As `ConvBn`."""
        conv = self.conv
        if self.entry is not None:
            if self.watching:
                self.entry = max(self.entry, float(x.abs().amax()))
            x = through(x * (LEVELS / self.entry)) * (self.entry / LEVELS)
        with torch.autocast(x.device.type, enabled=False):
            weight = rounded_weight(conv.weight.float())
        out = F.relu(F.conv2d(x, weight.to(x.dtype), conv.bias, conv.stride, conv.padding))
        if self.watching:
            self.seen = max(self.seen, _inside(out))
            return out
        step = torch.exp(self.log_top) / LEVELS
        return (through((out.float() / step).clamp(0, LEVELS)) * step).to(out.dtype)


def _inside(values: Tensor) -> float:
    """The value that `INSIDE` of a sample stays below."""
    flat = values.detach().float().flatten()
    sample = flat[torch.randint(len(flat), (min(len(flat), 1_000_000),), device=flat.device)]
    return float(sample.kthvalue(math.ceil(INSIDE * len(sample))).values)


class RoundedDense(nn.Module):
    """A dense layer with rounded weights."""

    def __init__(self, dense: nn.Linear) -> None:
        super().__init__()
        self.dense = dense

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Linear`."""
        return F.linear(x, rounded_weight(self.dense.weight), self.dense.bias)


def prepare(net: nn.Module) -> nn.Module:
    """A copy with norms folded and everything but the heads rounded; tops are still to be found."""
    folded = fused(net)
    for parent in list(folded.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ConvBn):
                setattr(parent, name, RoundedConv(child.conv))
            elif isinstance(child, nn.Linear) and name == "dense":
                setattr(parent, name, RoundedDense(child))
    return folded.train()


def rounded_parts(net: nn.Module) -> list[RoundedConv]:
    """In the order of the code, which is the order of the exported graph but for the detector's branches."""
    return [m for m in net.modules() if isinstance(m, RoundedConv)]


@torch.no_grad()
def watch(net: nn.Module, task: Task, size: int, batches: int = WATCHED) -> None:
    """Find the first tops on some batches."""
    parts = rounded_parts(net)
    parts[0].entry = 1e-3
    for part in parts:
        part.watching = True
    for _ in range(batches):
        net(task.batch(size)[0])
    for part in parts:
        part.watching = False
        part.log_top.fill_(math.log(max(part.seen, 1e-3)))


@torch.no_grad()
def finished(rounded: nn.Module, plain: nn.Module) -> dict[str, float]:
    """Put the weights back into a net as `fit` saves it, its norms doing nothing but adding the bias.

    Args:
        rounded: after training.
        plain: a net of the same shape; it is filled.

    Returns:
        The top of each convolution by its name in the net.
    """
    tops: dict[str, float] = {}
    own = dict(plain.named_modules())
    inner = {m.conv for m in rounded_parts(rounded)}
    for name, module in rounded.named_modules():
        if isinstance(module, RoundedConv):
            _put(module.conv, own[name])
            tops[name] = float(module.log_top.exp())
        elif isinstance(module, RoundedDense):
            own[name].load_state_dict(module.dense.state_dict())
        elif isinstance(module, nn.Linear | nn.Conv2d) and name in own and module not in inner:
            own[name].load_state_dict(module.state_dict())
    return tops


def _put(folded: nn.Conv2d, goal: ConvBn) -> None:
    norm = goal.norm
    goal.conv.weight.copy_(folded.weight)
    norm.reset_running_stats()
    norm.weight.fill_(math.sqrt(1 + norm.eps))
    norm.bias.copy_(folded.bias)


def relu_of(name: str, tensors: Collection[str]) -> str | None:
    """The tensor of the exported graph that holds a convolution's result.

    Args:
        name: as the net names it, `embed.trunk.1.0`.
        tensors: of the graph: `/net/embed/trunk/trunk.1/trunk.1.0/Relu_output_0`.
    """
    parts = name.split(".")
    start = max(k for k, part in enumerate(parts) if not part.isdigit())
    ending = "/" + ".".join(parts[start:]) + "/Relu_output_0"
    return next((t for t in tensors if t.endswith(ending)), None)
