"""Running a model over many pictures, and what a judged task is: the two things all comparisons need."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from dms.backends import Backend
from dms.errors import InputError

Images = NDArray[np.uint8]
Outputs = dict[str, NDArray[Any]]
Infer = Callable[[Images], Outputs]
"""A loaded model: images (n, 1, height, width) uint8 to named outputs."""
Measure = Callable[[Infer], dict[str, float]]
"""The scores of a model on held-out inputs that were prepared once."""
BATCH = 16


@dataclass(frozen=True)
class Task:
    """How a net is judged: a measure, the metric of it that gates, and +1 where higher is better, else -1."""

    measure: Measure
    metric: str
    sign: int

    def score(self, infer: Infer) -> float:
        """The gating metric of a model, a fraction of one.

        Raises:
            InputError: the data says nothing on it.
        """
        value = self.measure(infer).get(self.metric, math.nan)
        if not math.isfinite(value):
            raise InputError(
                f"the data has no labels for {self.metric}, by which this engine is judged; "
                "give data that has them"
            )
        return float(value)

    def loss_points(self, before: float, after: float) -> float:
        """How much worse `after` is, in points (hundredths); negative where it is better."""
        return 100 * self.sign * (before - after)


def infer_with(model: bytes) -> Infer:
    """A model that lies in memory, on ONNX Runtime."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    shapes = {
        o.name: tuple(s if isinstance(s, int) else None for s in o.shape) for o in session.get_outputs()
    }

    def infer(images: Images) -> Outputs:
        starts = range(0, len(images), BATCH)
        parts = [session.run(list(shapes), {"image": images[i : i + BATCH]}) for i in starts]
        return {name: _joined([p[k] for p in parts], shape) for k, (name, shape) in enumerate(shapes.items())}

    return infer


def over_batches(backend: Backend, batch: int = BATCH) -> Infer:
    """All images through a backend, a few at a time; of none, empty arrays of the outputs' shape."""

    def infer(images: Images) -> Outputs:
        starts = range(0, len(images), batch)
        parts = [backend.infer({"image": images[i : i + batch]}) for i in starts]
        return {name: _joined([p[name] for p in parts], spec.shape) for name, spec in backend.outputs.items()}

    return infer


def _joined(parts: list[NDArray[Any]], shape: tuple[int | None, ...]) -> NDArray[Any]:
    if not parts:
        return np.zeros((0, *(side or 1 for side in shape[1:])), np.float32)
    return np.concatenate(parts)
