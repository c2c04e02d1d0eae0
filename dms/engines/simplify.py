"""Simpler graphs of the same meaning: constants folded, idle nodes gone; and the FP16 twin of a model."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
import onnxslim
from onnx import ModelProto
from onnxconverter_common import float16

from dms.engines.contract import CONTRACTS
from dms.engines.storage import declare_outputs
from dms.errors import EngineMismatch

ALIKE = 1e-4
"""Largest difference of an output, relative to its size, at which two graphs say the same: FP32 rounding."""


@dataclass(frozen=True)
class Simplified:
    """A simplified model, its nodes before and after, and the largest relative difference of an output.

    `changed` is False where the engine's folder held the same already, and nothing was touched.
    """

    model: ModelProto
    nodes_before: int
    nodes_after: int
    difference: float
    changed: bool = True


def simplify(model: ModelProto, net: str) -> Simplified:
    """Fold constants and drop idle nodes, then prove on noise that nothing changed.

    Raises:
        EngineMismatch: the simplified graph says something else.
    """
    slim = onnxslim.slim(model)
    declare_outputs(slim, net)
    difference = _difference(model, slim, net)
    if difference > ALIKE:
        raise EngineMismatch(
            f"the simplified {net} engine differs from the original by {difference:.2g} (at most {ALIKE:g} "
            "is rounding); export with --no-simplify, and report the versions of onnx and onnxslim"
        )
    return Simplified(slim, len(model.graph.node), len(slim.graph.node), difference)


def to_fp16(model: ModelProto, net: str) -> ModelProto:
    """The model computing in FP16, its outputs still FP32, its input still uint8."""
    with warnings.catch_warnings():
        # It tells of each weight too small for FP16; such weights are nothing, `verify` judges the whole.
        warnings.simplefilter("ignore", UserWarning)
        copy = onnx.ModelProto.FromString(model.SerializeToString())
        half = float16.convert_float_to_float16(copy, keep_io_types=True)
    ours = {node.name for node in model.graph.node if node.op_type == "Cast"}
    for node in half.graph.node:
        if node.name in ours:  # the converter forgets casts that were there before
            node.attribute[0].i = onnx.TensorProto.FLOAT16
    del half.graph.value_info[:]
    declare_outputs(half, net)
    return half


def _difference(one: ModelProto, other: ModelProto, net: str) -> float:
    contract = CONTRACTS[net]
    image = np.random.default_rng(0).integers(0, 256, (2, 1, contract.height, contract.width), dtype=np.uint8)
    names = list(contract.outputs)
    first, second = (
        ort.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            names, {"image": image}
        )
        for m in (one, other)
    )
    return max(
        float(np.abs(a - b).max() / max(1.0, float(np.abs(a).max())))
        for a, b in zip(first, second, strict=True)
    )
