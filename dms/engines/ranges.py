"""Activation ranges: how large each tensor of a net gets on real inputs. One table serves all INT8 files.

`observe` runs the net once over the pictures and keeps a histogram a tensor; every method reads its ranges
off the same histograms. Percentile and entropy are ONNX Runtime's, the least squared error is searched here.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, shape_inference
from onnxruntime.quantization.calibrate import HistogramCollector

from dms.engines.graph import QUANTISED, tail
from dms.engines.limits import LEAST_IMAGES, METHODS
from dms.engines.running import BATCH, Images
from dms.engines.storage import model_hash, read_model
from dms.engines.table import RangesTable
from dms.errors import ConfigError, InputError

BINS = 1024
LEVELS = 128
"""Bins and levels of the search for the least entropy, as TensorRT's calibrator has them."""
PERCENTILE = 99.99
"""Share of the values, in percent, that the percentile method keeps within the range."""
_SHRINK = np.linspace(1.0, 0.3, 71)
"""Parts of the whole range that the search for the least squared error tries."""

Range = tuple[float, float]
Histogram = tuple[NDArray[Any], NDArray[Any], Any, Any, Any]
"""ONNX Runtime's: counts, bin edges, smallest value, largest value, half width."""


@dataclass(frozen=True)
class Observed:
    """Histograms by tensor, and what they were taken from."""

    net: str
    model_sha256: str
    data_sha256: str
    images: int
    histograms: dict[str, Histogram]

    def table(self, method: str) -> RangesTable:
        """The ranges by a method.

        Raises:
            ConfigError: there is no such method.
        """
        if method not in METHODS:
            raise ConfigError(f"no method {method!r} to find ranges; there are {', '.join(METHODS)}")
        return RangesTable(
            net=self.net,
            method=method,
            images=self.images,
            data_sha256=self.data_sha256,
            model_sha256=self.model_sha256,
            tensors={name: _around_zero(r) for name, r in _FINDERS[method](self.histograms).items()},
        )


def find_ranges(model: Path, images: Images, method: str = "minmax") -> RangesTable:
    """The ranges of a net's tensors; the net is told by the folder that holds the file (`eyes/model.onnx`).

    Args:
        model: the FP32 ONNX file.
        images: inputs as the engine would get them, uint8 (n, 1, height, width).
        method: one of `METHODS`.

    Raises:
        EngineError: the file is missing or not ours.
        InputError: the pictures are too few, or all alike.
    """
    net = model.absolute().parent.name
    return observe(read_model(model, net), net, images).table(method)


def observe(
    model: ModelProto, net: str, images: Images, advance: Callable[[float], None] = lambda done: None
) -> Observed:
    """Run the net over the pictures and note how its tensors are distributed; `advance` is told the share.

    Raises:
        InputError: the pictures are too few, or all alike.
    """
    _check_pictures(images, net)
    session, names = _watched(model)
    lows, highs = _extremes(session, names, images, lambda done: advance(done / 2))
    still = [name for name in names if lows[name] == highs[name]]
    if still:
        raise InputError(
            f"on these {len(images)} pictures {len(still)} tensors of the {net} engine never change (first: "
            f"{still[0]}): the pictures are one-sided, or the net is dead there; add pictures of other "
            "light, poses and drivers (`dms calibrate check` says which), or train again"
        )
    histograms = _histograms(session, lows, highs, images, lambda done: advance(0.5 + done / 2))
    digest = hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()
    return Observed(net, model_hash(model), digest, len(images), histograms)


def _check_pictures(images: Images, net: str) -> None:
    different = len({hashlib.sha256(image.tobytes()).digest() for image in images})
    if different < LEAST_IMAGES:
        raise InputError(
            f"{different} different pictures to calibrate the {net} engine with; at least {LEAST_IMAGES} are "
            "needed, 300 to 1000 are good: collect more with `dms calibrate collect`"
        )


def _watched(model: ModelProto) -> tuple[ort.InferenceSession, list[str]]:
    """A session of the model that also gives every float tensor a quantiser may ask for."""
    watched = shape_inference.infer_shapes(model)
    kinds = {v.name: v.type.tensor_type.elem_type for v in (*watched.graph.value_info, *watched.graph.output)}
    fixed = {weight.name for weight in model.graph.initializer}
    ends = tail(model)
    names = [
        name
        for node in model.graph.node
        if node.op_type in QUANTISED and node.name not in ends
        for name in (*node.input, *node.output)
        if name and name not in fixed and kinds.get(name) == TensorProto.FLOAT
    ]
    names = list(dict.fromkeys(names))
    del watched.graph.output[:]
    watched.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # Fused layers would hide the tensors between them.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    blob = watched.SerializeToString()
    return ort.InferenceSession(blob, options, providers=["CPUExecutionProvider"]), names


def _runs(
    session: ort.InferenceSession, names: list[str], images: Images, advance: Callable[[float], None]
) -> Iterator[dict[str, NDArray[Any]]]:
    for start in range(0, len(images), BATCH):
        found = session.run(names, {"image": images[start : start + BATCH]})
        yield dict(zip(names, found, strict=True))
        advance(min(1.0, (start + BATCH) / len(images)))


def _extremes(
    session: ort.InferenceSession, names: list[str], images: Images, advance: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The smallest and the largest value of each tensor."""
    lows: dict[str, Any] = {}
    highs: dict[str, Any] = {}
    for found in _runs(session, names, images, advance):
        lows = {
            name: np.minimum(lows.get(name, np.inf), v.min()).astype(v.dtype) for name, v in found.items()
        }
        highs = {
            name: np.maximum(highs.get(name, -np.inf), v.max()).astype(v.dtype) for name, v in found.items()
        }
    return lows, highs


def _histograms(
    session: ort.InferenceSession,
    lows: dict[str, Any],
    highs: dict[str, Any],
    images: Images,
    advance: Callable[[float], None],
) -> dict[str, Histogram]:
    """Even histograms around zero, of bins fixed beforehand.

    ONNX Runtime's own collector adds bins with every larger value: its search for the least entropy then
    takes minutes a tensor.
    """
    wide = {name: np.maximum(-lows[name], highs[name]) for name in lows}
    counts = {name: np.zeros(BINS, np.int64) for name in lows}
    for found in _runs(session, list(lows), images, advance):
        for name, values in found.items():
            counts[name] += np.histogram(values, BINS, range=(-wide[name], wide[name]))[0]
    edges = {name: np.linspace(-w, w, BINS + 1, dtype=w.dtype) for name, w in wide.items()}
    return {name: (counts[name], edges[name], lows[name], highs[name], wide[name]) for name in lows}


def _minmax(histograms: dict[str, Histogram]) -> dict[str, Range]:
    return {name: (float(found[2]), float(found[3])) for name, found in histograms.items()}


def _percentile(histograms: dict[str, Histogram]) -> dict[str, Range]:
    collector = HistogramCollector("percentile", False, BINS, LEVELS, PERCENTILE, "same")
    collector.histogram_dict = histograms
    with contextlib.redirect_stdout(io.StringIO()):
        found = collector.compute_percentile()
    return {name: (float(low), float(high)) for name, (low, high, *_) in found.items()}


def _entropy(histograms: dict[str, Histogram]) -> dict[str, Range]:
    collector = HistogramCollector("entropy", True, BINS, LEVELS, PERCENTILE, "same")
    found = {name: collector.get_entropy_threshold(h, LEVELS) for name, h in histograms.items()}
    return {name: (float(low), float(high)) for name, (low, high) in found.items()}


def _least_squares(histograms: dict[str, Histogram]) -> dict[str, Range]:
    return {name: _best_range(*h[:4]) for name, h in histograms.items()}


def _best_range(counts: NDArray[Any], edges: NDArray[Any], low: Any, high: Any) -> Range:
    """The part of [low, high] whose 256 levels give the least squared error over the histogram."""
    values = (edges[:-1] + edges[1:]) / 2
    # Zero, most of what a ReLU gives, has a level of its own and no error.
    counts = np.where((edges[:-1] <= 0) & (edges[1:] > 0), 0, counts)
    errors = []
    for part in _SHRINK:
        step = part * (float(high) - float(low)) / 255
        outside = np.maximum(values - part * high, 0) + np.maximum(part * low - values, 0)
        errors.append(float((counts * np.where(outside > 0, outside**2, step**2 / 12)).sum()))
    best = float(_SHRINK[int(np.argmin(errors))])
    return best * float(low), best * float(high)


def _around_zero(found: Range) -> Range:
    """Zero must have a level of its own: padding is made of it."""
    return min(found[0], 0.0), max(found[1], 0.0)


_FINDERS: dict[str, Callable[[dict[str, Histogram]], dict[str, Range]]] = {
    "minmax": _minmax,
    "percentile": _percentile,
    "mse": _least_squares,
    "entropy": _entropy,
}
