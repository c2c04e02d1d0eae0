"""What a chip without floating point needs besides: ranges of a net's ends, and 16 bits there.

The ranges table covers the layers with weights. What lies before the first of them (the scaling of the
picture) and after the last (sigmoids, units) is bounded by arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper
from onnxruntime.quantization import QuantType

from dms.engines.graph import WEIGHTED, tail

Range = tuple[float, float]
Overrides = dict[str, list[dict[str, Any]]]
"""ONNX Runtime's `TensorQuantOverrides`: how single tensors are quantised, by name."""

_GIVEN: dict[str, Range] = {"Cast": (0.0, 255.0), "Softmax": (0.0, 1.0)}
"""Casts are those of the picture's bytes."""
_RISING: dict[str, Callable[[Any], Any]] = {
    "Relu": lambda x: np.maximum(x, 0),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Softplus": lambda x: np.log1p(np.exp(x)),
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
}
_SIGMOID = {"scale": np.array(1 / 65536, np.float32), "zero_point": np.array(0, np.uint16)}
"""What QNN demands of a sigmoid of 16 bits."""


def bounded(model: ModelProto, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """`ranges`, and those of all other float tensors that follow from them, zero included.

    Args:
        model: with the types of its tensors inferred.
        ranges: smallest and largest value by tensor.
    """
    found, floats, fixed = dict(ranges), _floats(model), _constants(model)
    for node in model.graph.node:
        outputs = [name for name in node.output if name in floats and name not in found]
        values = _reached(node, found, fixed) if outputs else []
        if values:
            found.update(dict.fromkeys(outputs, (min(0.0, *values), max(0.0, *values))))
    return found


def widened(model: ModelProto) -> Overrides:
    """16 bits for what the heads give and all that follows: 8 cost the landmarks more than a point.

    Convolutions take and give one width: what the heads read is converted before them.
    """
    ends, floats = tail(model), _floats(model) | _constants(model).keys()
    nodes = [node for node in model.graph.node if node.name in ends]
    found: Overrides = {
        name: [{"quant_type": QuantType.QUInt16}]
        for node in nodes
        for name in (*node.input, *node.output)
        if name in floats
    }
    for node in nodes:
        if node.op_type == "Sigmoid":
            found[node.output[0]][0] |= _SIGMOID
    heads = [n for n in model.graph.node if n.op_type in WEIGHTED and found.keys() & set(n.output)]
    for read in {head.input[0] for head in heads}:
        convert = {
            "quant_type": QuantType.QUInt16,
            "recv_nodes": {head.name for head in heads if head.input[0] == read},
        }
        found[read] = [{"quant_type": QuantType.QUInt8, "convert": convert}]
    return found


def _reached(node: NodeProto, ranges: Mapping[str, Range], fixed: Mapping[str, NDArray[Any]]) -> list[float]:
    """Values between which all results of a node lie; none where its inputs are unknown."""
    if node.op_type in _GIVEN:
        return list(_GIVEN[node.op_type])
    inputs = [value for name in node.input if name in ranges for value in ranges[name]]
    if node.op_type in _RISING:
        return [float(_RISING[node.op_type](value)) for value in inputs]
    if node.op_type in _ARITHMETIC:
        constant = fixed.get(node.input[1])
        others = () if constant is None else (constant.min(), constant.max())
        return [float(_ARITHMETIC[node.op_type](one, other)) for one in inputs for other in others]
    return inputs  # it but moves values


def _floats(model: ModelProto) -> set[str]:
    """The float tensors that are computed."""
    noted = (*model.graph.value_info, *model.graph.output)
    return {value.name for value in noted if value.type.tensor_type.elem_type == TensorProto.FLOAT}


def _constants(model: ModelProto) -> dict[str, NDArray[Any]]:
    weights = model.graph.initializer
    return {w.name: numpy_helper.to_array(w) for w in weights if w.data_type == TensorProto.FLOAT}
