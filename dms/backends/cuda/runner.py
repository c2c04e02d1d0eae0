"""Any engine that computes on the device, as a `Backend`: arrays of the host in, arrays of the host out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dms.backends import Arrays
from dms.backends.cuda.memory import Slot, Strategy, choose, end_of, slots
from dms.backends.cuda.runtime import Device, Stream
from dms.backends.device import DeviceEngine
from dms.errors import EngineError


class DeviceRunner:
    """Owns the memory and the stream of one engine, and closes it at the end.

    `device` is the engine, for those who want to chain it with others. It runs once here: TensorRT-RTX
    finishes its kernels at the first run, and an engine that cannot run is known before the first frame.

    Args:
        engine: what computes.
        max_batch: the most rows in one run; more come in pieces.
        memory: how buffers are made; None measures which way is better here.

    Raises:
        EngineUnavailable: no GPU, or too little memory on it.
        EngineError: the first run failed.
    """

    def __init__(self, engine: DeviceEngine, max_batch: int = 1, memory: Strategy | None = None) -> None:
        self.device = engine
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self._layouts = {
            n: (slots(self.inputs.values(), n), slots(self.outputs.values(), n))
            for n in range(1, max_batch + 1)
        }
        with ExitStack() as stack:
            stack.callback(engine.close)
            gpu = Device()
            memory = memory or choose(gpu).strategy
            self._stream = stack.enter_context(closing(Stream(gpu)))
            largest_in, largest_out = map(end_of, self._layouts[max_batch])
            self._in = stack.enter_context(closing(memory(gpu, largest_in)))
            self._out = stack.enter_context(closing(memory(gpu, largest_out)))
            self._run({n: np.zeros(slot.shape, slot.dtype) for n, slot in self._layouts[1][0].items()})
            self._resources: ExitStack | None = stack.pop_all()
        self._max_batch = max_batch

    def infer(self, feeds: Arrays) -> Arrays:
        """Run once, or as often as the rows need; see `Backend.infer`."""
        if self._resources is None:
            raise EngineError("the engine was closed; open it again before use")
        rows = self._checked(feeds)
        pieces = [
            self._run({name: values[i : i + self._max_batch] for name, values in feeds.items()})
            for i in range(0, rows, self._max_batch)
        ]
        if len(pieces) == 1:
            return pieces[0]
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in self.outputs}

    def _checked(self, feeds: Arrays) -> int:
        """How many rows there are; EngineError where the arrays are not what the engine takes."""
        if set(feeds) != set(self.inputs):
            raise EngineError(f"the engine takes {', '.join(self.inputs)}, not {', '.join(feeds)}")
        rows = len(next(iter(feeds.values())))
        wanted = slots(self.inputs.values(), rows)
        for name, values in feeds.items():
            slot = wanted[name]
            if rows == 0 or values.shape != slot.shape or values.dtype != slot.dtype:
                raise EngineError(
                    f"input {name} is {values.dtype} {values.shape}; the engine takes {slot.dtype} (n, "
                    f"{', '.join(map(str, slot.shape[1:]))}) with n at least 1"
                )
        return rows

    def _run(self, feeds: Arrays) -> Mapping[str, NDArray[Any]]:
        rows = len(next(iter(feeds.values())))
        into, out = self._layouts[rows]
        for name, values in feeds.items():
            np.copyto(into[name].of(self._in.host), values)
        self._in.upload(self._stream, 0, end_of(into))
        # Anew each time: the engine may also run in a chain, with its tensors elsewhere.
        bind(self.device, into, self._in.address)
        bind(self.device, out, self._out.address)
        self.device.enqueue(self._stream.handle, rows)
        self._out.download(self._stream, 0, end_of(out))
        self._stream.wait()
        block = self._out.host[: end_of(out)].copy()  # the next run overwrites the buffer
        return {name: slot.of(block) for name, slot in out.items()}

    def close(self) -> None:
        """Free the engine and all that was taken for it. May be called twice."""
        if self._resources is not None:
            resources, self._resources = self._resources, None
            resources.close()


def bind(engine: DeviceEngine, laid: Mapping[str, Slot], address: int) -> None:
    """Tell the engine where its tensors lie in the block at `address`."""
    for name, slot in laid.items():
        engine.bind(name, address + slot.begin)
