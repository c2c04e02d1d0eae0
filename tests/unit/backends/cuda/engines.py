"""Engines for the tests that need no net: they compute something simple from their bytes."""

import ctypes

import numpy as np

from dms.backends import TensorSpec
from dms.errors import EngineError


class SumEngine:
    """`mean` of each picture and its first pixel `first`, both float32."""

    def __init__(self, cuda, size=4):
        self._cuda = cuda
        self._size = size
        self._bound = {}
        self.inputs = {"image": TensorSpec("image", (None, 1, size, size), "uint8")}
        self.outputs = {
            "mean": TensorSpec("mean", (None, 1), "float32"),
            "first": TensorSpec("first", (None,), "float32"),
        }
        self.batches = []
        self.closed = 0

    def bind(self, name, address):
        self._bound[name] = address

    def enqueue(self, stream, batch=1):
        self.batches.append(batch)
        bound = dict(self._bound)
        self._cuda.put(stream, lambda: self._compute(bound, batch))

    def _compute(self, bound, batch):
        image = array_at(bound["image"], (batch, self._size**2), np.uint8)
        array_at(bound["mean"], (batch,), np.float32)[:] = image.mean(axis=1)
        array_at(bound["first"], (batch,), np.float32)[:] = image[:, 0]

    def close(self):
        self.closed += 1


class RefusingEngine(SumEngine):
    """Cannot be recorded: raises, or does what invalidates a capture, while the stream is captured."""

    def __init__(self, cuda, how, **kwargs):
        super().__init__(cuda, **kwargs)
        self._how = how

    def enqueue(self, stream, batch=1):
        if self._cuda.captures.get(stream) is not None:
            if self._how == "raises":
                raise EngineError("this engine cannot be recorded")
            self._cuda.invalidate(stream)
            return
        super().enqueue(stream, batch)


class MoodyEngine(SumEngine):
    """Gives something else each time."""

    def _compute(self, bound, batch):
        super()._compute(bound, batch)
        array_at(bound["first"], (batch,), np.float32)[:] = len(self.batches) + np.random.random()


def array_at(address, shape, dtype):
    block = (ctypes.c_uint8 * int(np.prod(shape) * np.dtype(dtype).itemsize)).from_address(address)
    return np.frombuffer(block, dtype).reshape(shape)
