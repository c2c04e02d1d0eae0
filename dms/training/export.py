"""From a trained net to `model.onnx`: batch norms folded, opset 17, dynamic batch, uint8 input."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from dms.engines.contract import CONTRACTS
from dms.training.folding import fused

OPSET = 17


class _Ordered(nn.Module):
    """Returns the contract's outputs as a tuple: exporters keep the order of tuples."""

    def __init__(self, net: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.net, self.names = net, names

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        out = self.net(image)
        return tuple(out[name] for name in self.names)


def export(name: str, net: nn.Module, path: Path) -> None:
    """Write the ONNX file of engine `name`; overwrites it in one step."""
    contract = CONTRACTS[name]
    model = _Ordered(fused(net).float().cpu(), tuple(contract.outputs))
    example = torch.zeros(2, 1, contract.height, contract.width, dtype=torch.uint8)
    part = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The tracing exporter is deprecated but writes opset 17 itself; the new one converts down from 18.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (example,), str(part), input_names=["image"], output_names=list(contract.outputs),
            dynamic_axes={n: {0: "batch"} for n in ("image", *contract.outputs)},
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    onnx.checker.check_model(str(part), full_check=True)
    part.replace(path)
