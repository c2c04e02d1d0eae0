"""One buffer, seen from the host and from the device; two ways to have it, and which is better here.

`Mapped`: the device works in memory of the host, so nothing is copied; for GPUs that share the memory of the
processor. `Pinned`: memory on both sides and copies on the stream; for GPUs with memory of their own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dms.backends import TensorSpec
from dms.backends.cuda.bindings import ELSE
from dms.backends.cuda.runtime import Device, Stream, host_bytes
from dms.errors import EngineError, EngineUnavailable

log = logging.getLogger(__name__)

ALIGNMENT = 256
"""What `cudaMalloc` aligns to, and every engine may therefore expect of an address."""
PROBE_RUNS = 100
PROBE_READS = 4
"""How often the device reads a frame: the four inputs that are cut from it overlap."""
CLEARLY_FASTER = 0.8
"""The way that the hardware suggests is left only for one that takes less than this share of its time."""


class Buffer(Protocol):
    """Bytes that the host sees as the array `host` and the device at `address`.

    Copies are put on a stream; over when the stream is.
    """

    host: NDArray[np.uint8]
    address: int

    def upload(self, stream: Stream, begin: int, end: int) -> None:
        """Make what the host wrote to bytes `begin` to `end` known to the device."""
        ...

    def download(self, stream: Stream, begin: int, end: int) -> None:
        """Make what the device wrote known to the host."""
        ...

    def close(self) -> None:
        """Give the memory back. May be called twice."""
        ...


Strategy = Callable[[Device, int], Buffer]
"""Makes a buffer of so many bytes; raises EngineUnavailable where there is not that much memory."""


class Mapped:
    """One memory for both: page-locked, in the host, mapped for the device."""

    def __init__(self, device: Device, nbytes: int) -> None:
        with ExitStack() as stack:
            host = device.allocate_host(nbytes, mapped=True)
            stack.callback(device.free_host, host)
            self.address = device.mapped_address(host)
            self.host = host_bytes(host, nbytes)
            self._memory = stack.pop_all()

    def upload(self, stream: Stream, begin: int, end: int) -> None:
        """Nothing to do."""

    def download(self, stream: Stream, begin: int, end: int) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """See `Buffer.close`."""
        self._memory.close()


class Pinned:
    """Page-locked memory in the host, as much on the device, and copies between."""

    def __init__(self, device: Device, nbytes: int) -> None:
        with ExitStack() as stack:
            self._host_address = device.allocate_host(nbytes, mapped=False)
            stack.callback(device.free_host, self._host_address)
            self.address = device.allocate(nbytes)
            stack.callback(device.free, self.address)
            self.host = host_bytes(self._host_address, nbytes)
            self._memory = stack.pop_all()

    def upload(self, stream: Stream, begin: int, end: int) -> None:
        """See `Buffer.upload`."""
        stream.copy(self.address + begin, self._host_address + begin, end - begin)

    def download(self, stream: Stream, begin: int, end: int) -> None:
        """See `Buffer.download`."""
        stream.copy(self._host_address + begin, self.address + begin, end - begin)

    def close(self) -> None:
        """See `Buffer.close`."""
        self._memory.close()


STRATEGIES: dict[str, Strategy] = {"mapped": Mapped, "pinned": Pinned}


@dataclass(frozen=True, slots=True)
class Choice:
    """The better way here and what was measured: microseconds for one frame in and its results out.

    A way that does not work here has no figure.
    """

    name: str
    round_trip_us: dict[str, float]

    @property
    def strategy(self) -> Strategy:
        """Makes buffers that way."""
        return STRATEGIES[self.name]


def choose(device: Device, nbytes: int = 1280 * 720) -> Choice:
    """The better way for frames of `nbytes`: what the hardware suggests, unless the other is clearly faster.

    Raises:
        EngineUnavailable: neither works here; the text tells why of each.
    """
    measured: dict[str, float] = {}
    refused: list[str] = []
    for name, strategy in STRATEGIES.items():
        try:
            measured[name] = round_trip_us(device, strategy, nbytes)
        except EngineError as error:  # some GPUs cannot map memory of the host
            log.info("memory of the way %s cannot be used: %s", name, error)
            refused.append(f"{name}: {error}")
    if not measured:
        raise EngineUnavailable(f"no memory to work with on {device.info} ({'; '.join(refused)}); {ELSE}")
    suggested, other = ("mapped", "pinned") if device.info.integrated else ("pinned", "mapped")
    is_clear = measured.get(other, inf) < CLEARLY_FASTER * measured.get(suggested, inf)
    return Choice(other if is_clear else suggested, measured)


def round_trip_us(device: Device, strategy: Strategy, nbytes: int, results: int = 65536) -> float:
    """Median microseconds to hand a frame over, have the device read it, and read results back."""
    frame, spent_s = np.arange(nbytes).astype(np.uint8), []
    with ExitStack() as stack:
        stream = stack.enter_context(closing(Stream(device)))
        there = stack.enter_context(closing(strategy(device, nbytes)))
        back = stack.enter_context(closing(strategy(device, results)))
        scratch = device.allocate(max(nbytes, results))
        stack.callback(device.free, scratch)
        for _ in range(PROBE_RUNS):
            begun_s = time.perf_counter()
            np.copyto(there.host, frame)
            there.upload(stream, 0, nbytes)
            for _ in range(PROBE_READS):
                stream.copy(scratch, there.address, nbytes)
            stream.copy(back.address, scratch, results)
            back.download(stream, 0, results)
            stream.wait()
            back.host.copy()
            spent_s.append(time.perf_counter() - begun_s)
    return 1e6 * median(spent_s)


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a tensor lies in a block of bytes."""

    begin: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def end(self) -> int:
        """The byte after its last."""
        return self.begin + self.dtype.itemsize * int(np.prod(self.shape))

    def of(self, block: NDArray[np.uint8]) -> NDArray[Any]:
        """The tensor in `block`, not copied."""
        return block[self.begin : self.end].view(self.dtype).reshape(self.shape)


def slots(specs: Iterable[TensorSpec], batch: int, begin: int = 0) -> dict[str, Slot]:
    """Tensors of `batch` rows one after another, from byte `begin` on, each where an engine may want it."""
    laid: dict[str, Slot] = {}
    for spec in specs:
        shape = (batch, *(side or 1 for side in spec.shape[1:]))
        laid[spec.name] = Slot(aligned(begin), shape, np.dtype(spec.dtype))
        begin = laid[spec.name].end
    return laid


def aligned(nbytes: int) -> int:
    """The next place for a tensor."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def end_of(laid: dict[str, Slot]) -> int:
    """How many bytes the tensors take, up to the last one's end."""
    return max(slot.end for slot in laid.values())
