"""How large a net is and how much it multiplies."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from dms.engines.contract import CONTRACTS


def parameters(net: nn.Module) -> int:
    """Weights and biases when the norms are folded: a bias for each channel a norm had."""
    norms = sum(p.numel() for m in net.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters())
    return sum(p.numel() for p in net.parameters()) - norms // 2


@torch.no_grad()
def mmac(name: str, net: nn.Module) -> float:
    """Millions of multiplications of one picture, convolutions and dense layers."""
    found = 0

    def count(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        nonlocal found
        each = layer.weight[0].numel() if isinstance(layer, nn.Conv2d) else layer.in_features
        found += out.numel() * each

    probe = copy.deepcopy(net).cpu().eval()
    for layer in probe.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    probe(torch.zeros(1, 1, CONTRACTS[name].height, CONTRACTS[name].width))
    return found / 1e6
