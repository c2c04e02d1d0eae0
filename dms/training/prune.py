"""Structured pruning: whole channels go where the loss hardly notices, then the net is trained on a little.

Handles the trunks of our nets: chains of `ConvBn` in which all convolutions of a stage have as many channels.
What several branches add up or read at fixed places keeps its channels: the detector's laterals and mixes,
the 1x1 convolution before the dense layer, dense layers and heads.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dms.errors import InputError
from dms.training.cost import mmac
from dms.training.nets import ConvBn
from dms.training.recipe import make_net
from dms.training.tasks import Task

log = logging.getLogger(__name__)

COARSE, FINE = 16, 8
"""Channels go in steps of 16, of 8 where there are fewer than 64: what integer kernels take at once."""
BATCHES = 20
"""Batches the importance of channels is found on."""


@dataclass(frozen=True)
class Group:
    """Convolutions that share one number in the net's shape.

    `key` and `place` say where the number stands (`channels`, 2); `readers` take the last one's channels.
    """

    key: str
    place: int
    convs: Sequence[ConvBn]
    readers: Sequence[ConvBn]

    @property
    def channels(self) -> int:
        """How many each has."""
        return int(self.convs[0].conv.out_channels)


def groups(net: nn.Module) -> list[Group]:
    """The prunable parts of a net, in order; each one's last channels are also the next one's input.

    Raises:
        InputError: the net is built in a way this cannot prune.
    """
    trunk = getattr(getattr(net, "embed", None), "trunk", None)
    if isinstance(trunk, nn.Sequential):
        readers = {len(trunk) - 1: [net.embed.thin]}
        if getattr(net.embed, "fine", None) is not None:
            readers[len(trunk) - 2] = [net.embed.fine]
        return [Group("channels", k, _convs(part), readers.get(k, [])) for k, part in enumerate(trunk)]
    if hasattr(net, "stem") and hasattr(net, "laterals"):
        stems = [Group("stem", k, [part], []) for k, part in enumerate(net.stem)]
        return stems + [
            Group("channels", k, _convs(part), [net.laterals[k]]) for k, part in enumerate(net.stages)
        ]
    raise InputError(f"{type(net).__name__} has neither a trunk nor stages: there is nothing to prune in it")


def _convs(part: nn.Module) -> list[ConvBn]:
    return [m for m in part.modules() if isinstance(m, ConvBn)]


def importance(task: Task, net: nn.Module, size: int, batches: int = BATCHES) -> dict[ConvBn, Tensor]:
    """How much the loss would change without each channel (Molchanov et al., CVPR 2019, on the norms).

    Returns:
        For each prunable convolution one number a channel: the squared first-order Taylor term, summed.
    """
    net.train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    found: dict[ConvBn, Tensor] = {}
    for _ in range(batches):
        with torch.no_grad():
            images, target = task.batch(size)
        net.zero_grad(set_to_none=True)
        torch.stack(list(task.loss(net(images), target).values())).sum().backward()
        for group in groups(net):
            for conv in group.convs:
                norm = conv.norm
                change = norm.weight.detach() * norm.weight.grad + norm.bias.detach() * norm.bias.grad
                found[conv] = found.get(conv, torch.zeros_like(change)) + change**2
    net.zero_grad(set_to_none=True)
    return found


def step_of(channels: int) -> int:
    """By how many channels a group of this size shrinks at once."""
    return COARSE if channels >= 4 * COARSE else FINE


def choose(
    name: str, net: nn.Module, shape: dict[str, Any], weight: dict[ConvBn, Tensor], keep: float
) -> dict[str, Any]:
    """The shape with at most `keep` of the multiplications, the cheapest channels gone first.

    Args:
        name: the engine.
        net: as trained.
        shape: keyword arguments it was built with.
        weight: what `importance` found.
        keep: share of the multiplications, above 0 and below 1.

    Returns:
        New keyword arguments.

    Raises:
        InputError: even the smallest net is larger.
    """
    parts = groups(net)
    kept = [g.channels for g in parts]
    ordered = [[weight[c].sort(descending=True).values for c in g.convs] for g in parts]

    def work(counts: Sequence[int]) -> float:
        return mmac(name, make_net(name, _shape(shape, parts, counts)))

    now, goal = work(kept), keep * work(kept)
    cuts: list[tuple[float, int, int]] = []
    while now > goal:
        best: tuple[float, int, float] | None = None
        for k, count in enumerate(kept):
            less = count - step_of(count)
            if less < FINE:
                continue
            tried = work([*kept[:k], less, *kept[k + 1 :]])
            price = sum(float(v[less:count].sum()) for v in ordered[k]) / (now - tried)
            if best is None or price < best[0]:
                best = (price, k, tried)
        if best is None:
            raise InputError(f"{name}: no net of {keep:.0%} of the work is left; keep more with --keep")
        price, k, now = best
        cuts.append((price, k, kept[k]))
        kept[k] -= step_of(kept[k])
    return _shape(shape, parts, _regained(kept, cuts, lambda counts: work(counts) <= goal))


def _regained(
    kept: list[int], cuts: Sequence[tuple[float, int, int]], fits: Callable[[Sequence[int]], bool]
) -> list[int]:
    """What still fits comes back, the dearest first: the last cut may have saved more than was asked for."""
    for _, k, count in sorted(cuts, reverse=True):
        more = [*kept[:k], count, *kept[k + 1 :]]
        if count - step_of(count) == kept[k] and fits(more):
            kept = more
    return kept


def _shape(shape: dict[str, Any], parts: Sequence[Group], kept: Sequence[int]) -> dict[str, Any]:
    numbers: dict[str, list[int]] = {}
    for part, count in zip(parts, kept, strict=True):
        numbers.setdefault(part.key, []).append(count)
    return shape | numbers


@torch.no_grad()
def cut(name: str, net: nn.Module, shape: dict[str, Any], weight: dict[ConvBn, Tensor]) -> nn.Module:
    """A net of the new shape with the most important channels of the old one."""
    small = copy.deepcopy(make_net(name, shape)).to(next(net.parameters()).device)
    own = small.state_dict()
    same = {k: v for k, v in net.state_dict().items() if k in own and own[k].shape == v.shape}
    small.load_state_dict(same, strict=False)
    taken: Tensor | None = None
    for old, new in zip(groups(net), groups(small), strict=True):
        for source, goal in zip(old.convs, new.convs, strict=True):
            best = weight[source].topk(goal.conv.out_channels).indices.sort().values
            _copy(source, goal, best, taken)
            taken = best
        for source, goal in zip(old.readers, new.readers, strict=True):
            _copy(source, goal, torch.arange(source.conv.out_channels, device=best.device), taken)
    return small


def _copy(source: ConvBn, goal: ConvBn, outputs: Tensor, inputs: Tensor | None) -> None:
    kernel = source.conv.weight[outputs]
    goal.conv.weight.copy_(kernel if inputs is None else kernel[:, inputs])
    for key, value in source.norm.state_dict().items():
        goal.norm.state_dict()[key].copy_(value[outputs] if value.ndim else value)
