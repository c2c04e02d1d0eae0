"""The parts of a net as a reader would name them, and which of its nodes can be quantised at all."""

from __future__ import annotations

from collections.abc import Iterable

from onnx import ModelProto, NodeProto

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
QUANTISED = (*WEIGHTED, "Add", "Resize", "MaxPool", "Concat", "Flatten", "Reshape", "Relu")
_INPUT = "input"
_UNTOLD = ("net", "embed", "conv")
"""Modules of the training code whose names tell a reader nothing."""


def groups(model: ModelProto) -> dict[str, tuple[str, ...]]:
    """Node names by part of the net (`trunk.1`, `dense`, `head`), in the order of the graph.

    A node without weights belongs to the part whose result it handles. What only carries the last layers'
    results to the outputs (reshapes, sigmoids) is in no part: it is never quantised.
    """
    left_out = tail(model)
    part_of: dict[str, str] = {}
    found: dict[str, list[str]] = {}
    for node in model.graph.node:
        before = [part_of[name] for name in node.input if name in part_of]
        part = _label(node) if node.op_type in WEIGHTED else next(iter(before), _INPUT)
        part_of.update(dict.fromkeys(node.output, part))
        if node.op_type in QUANTISED and part != _INPUT and node.name not in left_out:
            found.setdefault(part, []).append(node.name)
    return {part: tuple(names) for part, names in found.items()}


def heads(model: ModelProto) -> tuple[str, ...]:
    """The parts that give the outputs: the last weighted layers."""
    weighted = {node.name for node in model.graph.node if node.op_type in WEIGHTED}
    inner = {n.name for n in model.graph.node if n.op_type in WEIGHTED and _leads_on(model, n.output)}
    last = weighted - inner
    return tuple(part for part, names in groups(model).items() if last.intersection(names))


def tail(model: ModelProto) -> frozenset[str]:
    """The nodes without weights from which no weighted layer is reached."""
    nodes = model.graph.node
    return frozenset(n.name for n in nodes if n.op_type not in WEIGHTED and not _leads_on(model, n.output))


def _leads_on(model: ModelProto, tensors: Iterable[str]) -> bool:
    """Does a weighted layer depend on any of the tensors?"""
    reached = set(tensors)
    for node in model.graph.node:
        if reached.intersection(node.input):
            if node.op_type in WEIGHTED:
                return True
            reached.update(node.output)
    return False


def _label(node: NodeProto) -> str:
    """`/net/embed/trunk/trunk.1/trunk.1.0/conv/Conv` is of part `trunk.1`, `/net/head/Gemm` of `head`."""
    told = [part for part in node.name.strip("/").split("/")[:-1] if part not in _UNTOLD]
    numbered = [part for part in told if "." in part]
    return str((numbered or told or [node.name])[0])
