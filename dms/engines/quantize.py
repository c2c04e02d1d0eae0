"""From `model.onnx` to `model.cpu.int8.onnx`: static INT8 with unsigned activations for CPUs.

Activations U8 asymmetric, weights S8 per channel: on x86 ONNX Runtime only this form fuses convolution and
ReLU into one integer kernel. Layers that regress (the `head` nodes) stay in floating point.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from dms.engines.storage import restore_weights

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}
QUANTISED_OPS = ("Conv", "Gemm", "Add", "Resize", "Flatten", "Reshape", "Relu")
BATCH = 16


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Feeds uint8 images (n, 1, height, width) in small batches."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        starts = range(0, len(images), BATCH)
        self._batches: Iterator[dict[str, Any]] = iter([{"image": images[i : i + BATCH]} for i in starts])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)


def regression_nodes(model: Path) -> tuple[str, ...]:
    """The convolutions and dense layers of the heads, which stay in floating point."""
    graph = onnx.load(str(model)).graph
    heads = [n.name for n in graph.node if n.op_type in ("Conv", "Gemm") and "/head" in n.name]
    after = _behind(graph, set(heads))
    return tuple(n.name for n in graph.node if n.name in after)


def _behind(graph: Any, names: set[str]) -> set[str]:
    """The named nodes and every node that depends on them."""
    reached: set[str] = set()
    tensors: set[str] = set()
    for node in graph.node:
        if node.name in names or tensors.intersection(node.input):
            reached.add(node.name)
            tensors.update(node.output)
    return reached


def quantize(model: Path, images: NDArray[np.uint8], out: Path, method: str = "minmax") -> tuple[str, ...]:
    """Write the INT8 artefact.

    Args:
        model: the FP32 ONNX file.
        images: calibration crops, uint8 (n, 1, height, width), as the engine would get them.
        out: where to write; replaced in one step.
        method: how ranges are found, a key of `METHODS`.

    Returns:
        The names of the nodes left in floating point.
    """
    whole, part = out.with_suffix(".whole"), out.with_suffix(".part")
    net = onnx.load(str(model))
    restore_weights(net)
    onnx.save(net, str(whole))
    kept = regression_nodes(whole)
    quantize_static(
        str(whole),
        str(part),
        _Images(images),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(QUANTISED_OPS),
        nodes_to_exclude=list(kept),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=METHODS[method],
    )
    whole.unlink()
    part.replace(out)
    return kept
