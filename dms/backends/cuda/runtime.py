"""The CUDA runtime on one device; `bindings` (CUDA 12.9 to 13.x) are called here and in `kernels` alone.

Nothing here uses managed memory: the GPUs of a Jetson do not let the processor touch it while they run.
"""

from __future__ import annotations

import ctypes
import logging
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dms.backends.cuda.bindings import ELSE, INSTALL, bindings
from dms.errors import EngineError, EngineUnavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What a GPU is: `capability` as 87 for 8.7; `driver` is the newest CUDA it speaks, `runtime` ours."""

    name: str
    capability: int
    multiprocessors: int
    integrated: bool
    memory_mb: int
    driver: str
    runtime: str

    @property
    def arch(self) -> str:
        """The target of the compiler."""
        return f"sm_{self.capability}"

    def __str__(self) -> str:
        """One line for reports."""
        kind = "integrated" if self.integrated else "discrete"
        return (
            f"{self.name} ({self.arch}, {self.multiprocessors} multiprocessors, {kind}, {self.memory_mb} MB; "
            f"driver for CUDA {self.driver}, bindings for {self.runtime})"
        )


class Device:
    """One GPU, made ready. Holds no memory; what is taken from it is given back by whoever took it.

    Raises:
        EngineUnavailable: no bindings, no driver, no GPU, or a driver too old for the bindings.
    """

    def __init__(self, index: int = 0) -> None:
        self._rt = bindings("runtime")
        self._index = index
        self._start()
        self.info = self._describe()

    def _start(self) -> None:
        """Make the device current for this thread; whoever waits for it sleeps, rather than burn a core."""
        driver, own = (_version(self._ask(f)) for f in ("cudaDriverGetVersion", "cudaRuntimeGetVersion"))
        if driver == "0.0":
            raise EngineUnavailable(f"there is no NVIDIA driver here; install it, {ELSE}")
        # Refused where somebody in this process was first; our events sleep all the same.
        with suppress(EngineError):
            self._ask("cudaInitDevice", self._index, self._rt.cudaDeviceScheduleBlockingSync, 1)
        try:
            self._ask("cudaSetDevice", self._index)
        except EngineError as e:
            raise EngineUnavailable(
                f"no GPU to work on: {e}. The driver speaks CUDA {driver}, the bindings are for {own}; "
                f"bindings of a newer generation than the driver do not work: {INSTALL}, {ELSE}"
            ) from e

    def _describe(self) -> DeviceInfo:
        major, minor, multiprocessors, integrated = (
            self._ask("cudaDeviceGetAttribute", getattr(self._rt.cudaDeviceAttr, name), self._index)
            for name in (
                "cudaDevAttrComputeCapabilityMajor",
                "cudaDevAttrComputeCapabilityMinor",
                "cudaDevAttrMultiProcessorCount",
                "cudaDevAttrIntegrated",
            )
        )
        return DeviceInfo(
            name=self._ask("cudaGetDeviceProperties", self._index).name.decode().rstrip("\0"),
            capability=10 * major + minor,
            multiprocessors=multiprocessors,
            integrated=bool(integrated),
            memory_mb=self.memory()[1] >> 20,
            driver=_version(self._ask("cudaDriverGetVersion")),
            runtime=_version(self._ask("cudaRuntimeGetVersion")),
        )

    def _ask(self, function: str, *arguments: Any) -> Any:
        """Call the runtime: its values, or EngineError."""
        code, *values = getattr(self._rt, function)(*arguments)
        if int(code) != 0:
            self._rt.cudaGetLastError()  # else the next, innocent call would report it again
            raise EngineError(f"{function}: {self._rt.cudaGetErrorString(code)[1].decode()} ({code.name})")
        return values[0] if len(values) == 1 else tuple(values)

    def give_back(self, function: str, handle: Any) -> None:
        """Call what frees `handle`. After a sticky error that fails as well: no news, so it is not raised."""
        try:
            self._ask(function, handle)
        except EngineError as error:
            log.debug("not given back: %s", error)

    def memory(self) -> tuple[int, int]:
        """Bytes of device memory: free, and in all."""
        free, total = self._ask("cudaMemGetInfo")
        return int(free), int(total)

    def allocate(self, nbytes: int) -> int:
        """Memory of the device; its address.

        Raises:
            EngineUnavailable: there is not that much.
        """
        return int(self._taken(f"{nbytes / 2**20:.1f} MB on the GPU", "cudaMalloc", nbytes))

    def free(self, address: int) -> None:
        """Give back what `allocate` gave."""
        self.give_back("cudaFree", address)

    def allocate_host(self, nbytes: int, *, mapped: bool) -> int:
        """Page-locked memory of the host; its host address. `mapped`: the device sees it as well.

        Raises:
            EngineUnavailable: there is not that much.
        """
        flags = self._rt.cudaHostAllocMapped if mapped else self._rt.cudaHostAllocDefault
        return int(self._taken(f"{nbytes / 2**20:.1f} MB of page-locked", "cudaHostAlloc", nbytes, flags))

    def _taken(self, what: str, function: str, *arguments: Any) -> Any:
        try:
            return self._ask(function, *arguments)
        except EngineError as e:
            free, total = self.memory()
            raise EngineUnavailable(
                f"cannot have {what} memory, {free >> 20} of the GPU's {total >> 20} MB are free ({e}); "
                f"end what else uses it, {ELSE}"
            ) from e

    def free_host(self, address: int) -> None:
        """Give back what `allocate_host` gave."""
        self.give_back("cudaFreeHost", address)

    def mapped_address(self, host: int) -> int:
        """Where the device sees mapped memory of the host."""
        return int(self._ask("cudaHostGetDevicePointer", host, 0))


class Stream:
    """A stream of its own: work of others, on the default stream too, does not hold it up.

    `handle` is the CUDA stream as a number, as the engines take it.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._ask = device._ask
        self._rt = device._rt
        with ExitStack() as stack:
            self._done = stack.enter_context(closing(Event(device)))
            self.handle = int(self._ask("cudaStreamCreateWithFlags", self._rt.cudaStreamNonBlocking))
            stack.pop_all()

    def copy(self, to: int, source: int, nbytes: int) -> None:
        """Put a copy on the stream; the kind follows from the addresses."""
        kind = self._rt.cudaMemcpyKind.cudaMemcpyDefault
        self._ask("cudaMemcpyAsync", to, source, nbytes, kind, self.handle)

    def fill(self, address: int, value: int, nbytes: int) -> None:
        """Put the setting of all bytes to `value` on the stream."""
        self._ask("cudaMemsetAsync", address, value, nbytes, self.handle)

    def wait(self) -> None:
        """Sleep until all that is on the stream is done.

        Raises:
            EngineError: something on it failed.
        """
        self._done.record(self)
        self._done.wait()

    def begin_capture(self) -> None:
        """Record what is put on the stream from here on, instead of running it."""
        # Thread-local: what other threads do with the GPU meanwhile is no concern of this capture.
        mode = self._rt.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._ask("cudaStreamBeginCapture", self.handle, mode)

    def end_capture(self) -> Any:
        """The recorded graph.

        Raises:
            EngineError: something was put on the stream that cannot be recorded.
        """
        return self._ask("cudaStreamEndCapture", self.handle)

    def abandon_capture(self) -> None:
        """End a recording that went wrong, so that the stream can be used again."""
        code, graph = self._rt.cudaStreamEndCapture(self.handle)
        if int(code) == 0:
            self.device.give_back("cudaGraphDestroy", graph)
        self._rt.cudaGetLastError()

    def instantiate(self, graph: Any) -> Any:
        """An executable form of the recorded `graph`, which is given back."""
        try:
            return self._ask("cudaGraphInstantiate", graph, 0)
        finally:
            self.device.give_back("cudaGraphDestroy", graph)

    def launch(self, executable: Any) -> None:
        """Put a whole graph on the stream."""
        self._ask("cudaGraphLaunch", executable, self.handle)

    def discard(self, executable: Any) -> None:
        """Give back what `instantiate` gave."""
        self.device.give_back("cudaGraphExecDestroy", executable)

    def close(self) -> None:
        """Give the stream back. May be called twice."""
        if self.handle:
            self._done.close()
            handle, self.handle = self.handle, 0
            self.device.give_back("cudaStreamDestroy", handle)


class Event:
    """A moment on a stream. It keeps time, and whoever waits for it sleeps."""

    def __init__(self, device: Device) -> None:
        self._ask = device._ask
        self._give_back = device.give_back
        self._handle: Any = self._ask("cudaEventCreateWithFlags", device._rt.cudaEventBlockingSync)

    def record(self, stream: Stream) -> None:
        """Put the event on the stream."""
        self._ask("cudaEventRecord", self._handle, stream.handle)

    def wait(self) -> None:
        """Sleep until the stream has come to it.

        Raises:
            EngineError: something before it failed.
        """
        self._ask("cudaEventSynchronize", self._handle)

    def ms_since(self, earlier: Event) -> float:
        """Milliseconds from `earlier` to this; both must be over."""
        return float(self._ask("cudaEventElapsedTime", earlier._handle, self._handle))

    def close(self) -> None:
        """Give the event back. May be called twice."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._give_back("cudaEventDestroy", handle)


def host_bytes(address: int, nbytes: int) -> NDArray[np.uint8]:
    """Memory of the host as an array; it must not outlive the memory."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(address))


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
