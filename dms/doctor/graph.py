"""Which operations an ONNX file holds, read without the package `onnx`, which no device has.

Only the path from the model to the names of its nodes is followed, in protobuf's wire format:
ModelProto.graph is field 7, GraphProto.node field 1, NodeProto.op_type field 4 (onnx.proto).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

IDLE = ("Constant", "Dropout", "Identity")
"""What an exporter leaves and `dms engines simplify` takes out: a raw export of these nets has 7 to 25."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def operations(path: Path) -> Counter[str]:
    """How often each operation occurs in the graph of an ONNX file.

    Raises:
        ValueError: it is no protobuf.
    """
    graphs = _fields(path.read_bytes(), 7)
    nodes = (node for graph in graphs for node in _fields(graph, 1))
    return Counter(bytes(name).decode(errors="replace") for node in nodes for name in _fields(node, 4))


def _fields(data: bytes | memoryview, wanted: int) -> Iterator[memoryview]:
    """The contents of the field of that number, in order."""
    view, at = memoryview(data), 0
    while at < len(view):
        key, at = _varint(view, at)
        kind, size = key & 7, 0
        if kind == _VARINT:
            _, at = _varint(view, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            size, at = _varint(view, at)
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        if kind == _BYTES and key >> 3 == wanted:
            yield view[at : at + size]
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(view):
        byte = view[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("cut short")
