"""The operations of a `.tflite` file as its quantiser names them, and which of them stay in float."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dms.errors import EngineMismatch

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def float_patterns(model: bytes, biases: tuple[NDArray[Any], ...]) -> Iterator[str]:
    """The operations that stay in float, as the quantiser's recipes name them.

    They are the layers with one of the biases, what scales the picture for the first layers, and what carries
    the last layers' results to the outputs.

    Raises:
        EngineMismatch: no layer has one of the biases.
    """
    operations = operations_of(model)
    for given in biases:
        if not any(operation.has(given) for operation in operations):
            raise EngineMismatch(
                f"no layer of the converted net has the {len(given)} biases of one that must stay in float: "
                "the converter changes them; use the versions that the extra lite-convert names"
            )
    after, before = _after_layers(operations), _before_layers(operations)
    for operation in operations:
        if operation.weight is not None:
            stays = any(operation.has(given) for given in biases)
        else:
            stays = not (operation.inputs & after and operation.outputs & before)
        if stays:
            yield operation.pattern


@dataclass(frozen=True)
class Operation:
    """One of a flatbuffer, with the numbers of its tensors; only a layer has weight and bias."""

    kind: str
    pattern: str
    inputs: frozenset[int]
    outputs: frozenset[int]
    weight: NDArray[Any] | None = None
    bias: NDArray[Any] | None = None

    def has(self, bias: NDArray[Any]) -> bool:
        """Whether it is the layer with these biases."""
        return self.bias is not None and np.array_equal(self.bias, bias)


def operations_of(model: bytes) -> list[Operation]:
    """All operations of a `.tflite` file, in the order they run."""
    from ai_edge_litert.tools.flatbuffer_utils import opcode_to_name
    from ai_edge_quantizer.utils.tfl_flatbuffer_utils import get_op_scope, get_tensor_data, read_model

    graph = read_model(model)
    (part,) = graph.subgraphs
    found = []
    for op in part.operators:
        kind = str(opcode_to_name(graph, op.opcodeIndex))
        pattern = f"^{re.escape(get_op_scope(op, part.tensors))}$"
        held = [get_tensor_data(part.tensors[i], graph.buffers) for i in op.inputs[1:3] if kind in _WEIGHTED]
        found.append(Operation(kind, pattern, frozenset(op.inputs), frozenset(op.outputs), *held))
    return found


def _after_layers(operations: Iterable[Operation]) -> set[int]:
    """The tensors that depend on a layer."""
    reached: set[int] = set()
    for operation in operations:
        if operation.weight is not None or operation.inputs & reached:
            reached |= operation.outputs
    return reached


def _before_layers(operations: Sequence[Operation]) -> set[int]:
    """The tensors that a layer depends on."""
    reached: set[int] = set()
    for operation in reversed(operations):
        if operation.weight is not None or operation.outputs & reached:
            reached |= operation.inputs
    return reached
