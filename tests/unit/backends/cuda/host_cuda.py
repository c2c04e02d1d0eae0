# ruff: noqa: N802, N815 (the names are those of CUDA)
"""A CUDA that computes on the host: the functions of `cuda.bindings` that `dms.backends.cuda` calls.

Device memory lies apart from the host's, streams can be captured, kernels run as their C++ twins, and every
resource is counted. Work is done when it is put on a stream. `fail_at` makes the n-th call fail, as a real
one could; `sticky`: and every one after it, as after an invalid address. Frees then say so too, though they
free: what is held was not even tried.
"""

import ctypes
import sys
import time
from enum import IntEnum
from types import SimpleNamespace


class Error(IntEnum):
    """The codes used here, with CUDA's numbers."""

    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


ATTRIBUTES = {
    "cudaDevAttrComputeCapabilityMajor": 8,
    "cudaDevAttrComputeCapabilityMinor": 7,
    "cudaDevAttrMultiProcessorCount": 8,
    "cudaDevAttrIntegrated": 1,
}
OK = Error.cudaSuccess


class HostCuda:
    """The state behind the functions; install it with `installed`."""

    def __init__(self, twin=None, total=1 << 30, driver=13000):
        self.twin = twin
        self.total = total
        self.driver_version = driver
        self.fail_at, self.sticky = None, False
        self.calls = []
        self.memory = {}
        self.handles = {}
        self.captures = {}
        self.launched_graphs = 0
        self._next = 1
        self.runtime = self._module(
            cudaError_t=Error,
            cudaDeviceScheduleBlockingSync=4,
            cudaHostAllocMapped=2,
            cudaHostAllocDefault=0,
            cudaStreamNonBlocking=1,
            cudaEventBlockingSync=1,
            cudaDeviceAttr=SimpleNamespace(**{name: name for name in ATTRIBUTES}),
            cudaMemcpyKind=SimpleNamespace(cudaMemcpyDefault=4),
            cudaStreamCaptureMode=SimpleNamespace(cudaStreamCaptureModeThreadLocal=1),
        )
        self.driver = self._module()
        self.nvrtc = self._module()

    def _module(self, **constants):
        cuda = self

        class Module(SimpleNamespace):
            def __getattr__(self, name):
                if name.startswith("__"):
                    raise AttributeError(name)
                return lambda *arguments: cuda.call(name, *arguments)

        return Module(**constants)

    def install(self, monkeypatch):
        """Stand in for the bindings."""
        for name in ("runtime", "driver", "nvrtc"):
            monkeypatch.setitem(sys.modules, f"cuda.bindings.{name}", getattr(self, name))
        return self

    def call(self, name, *arguments):
        """One call of the API: (code, values ...)."""
        self.calls.append(name)
        frees = "Free" in name or "Destroy" in name or "Unload" in name
        if self._fails(name, frees):
            if frees:
                getattr(self, f"_{name}")(*arguments)
            code = Error.cudaErrorIllegalAddress if self.sticky else Error.cudaErrorInvalidValue
            return (code, None, None) if name == "nvrtcVersion" else (code, None)
        found = getattr(self, f"_{name}")(*arguments)
        return found if isinstance(found, tuple) else (OK, found)

    def _fails(self, name, frees):
        if self.fail_at is None or name.startswith(("cudaGetError", "cudaGetLastError")):
            return False
        if self.sticky and len(self.calls) > self.fail_at:
            return not name.startswith("nvrtc")  # the compiler needs no GPU
        return self.fail_at == len(self.calls) and not frees

    @property
    def held(self):
        """What was taken and not given back."""
        return sorted(self.memory) + sorted(map(str, self.handles))

    # Devices

    def _cudaDriverGetVersion(self):
        return self.driver_version

    def _cudaRuntimeGetVersion(self):
        return 13050

    def _cudaInitDevice(self, index, flags, valid):
        return self._cudaSetDevice(index)

    def _cudaSetDevice(self, index):
        return (OK,) if self.driver_version >= 13000 else (Error.cudaErrorInsufficientDriver,)

    def _cudaGetDeviceProperties(self, index):
        return SimpleNamespace(name=b"Host, playing a GPU\0\0")

    def _cudaDeviceGetAttribute(self, attribute, index):
        return ATTRIBUTES[attribute]

    def _cudaGetLastError(self):
        return (OK,)

    def _cudaGetErrorString(self, code):
        return (OK, code.name.encode())

    # Memory

    def _cudaMemGetInfo(self):
        used = sum(ctypes.sizeof(block) for block in self.memory.values())
        return (OK, self.total - used, self.total)

    def _take(self, nbytes):
        if nbytes + sum(ctypes.sizeof(block) for block in self.memory.values()) > self.total:
            return (Error.cudaErrorMemoryAllocation, None)
        if any(work is not None for work in self.captures.values()):
            return (Error.cudaErrorStreamCaptureUnsupported, None)
        block = (ctypes.c_uint8 * (nbytes + 256))()
        address = -(-ctypes.addressof(block) // 256) * 256
        ctypes.memset(address, 0xAB, nbytes)  # fresh memory holds anything
        self.memory[address] = block
        return address

    def _cudaMalloc(self, nbytes):
        return self._take(nbytes)

    def _cudaHostAlloc(self, nbytes, flags):
        return self._take(nbytes)

    def _cudaHostGetDevicePointer(self, address, flags):
        return address

    def _cudaFree(self, address):
        del self.memory[address]
        return (OK,)

    _cudaFreeHost = _cudaFree

    # Streams, events, graphs

    def _new(self, kind, value=None):
        self._next += 1
        self.handles[self._next] = kind if value is None else value
        return self._next

    def _cudaStreamCreateWithFlags(self, flags):
        return self._new("stream")

    def _cudaStreamDestroy(self, stream):
        del self.handles[stream]
        return (OK,)

    _cudaEventDestroy = _cudaGraphDestroy = _cudaGraphExecDestroy = _cuModuleUnload = _cudaStreamDestroy

    def put(self, stream, work):
        """Do `work` now, or record it where the stream is captured."""
        if self.captures.get(stream) is None:
            work()
        else:
            self.captures[stream].append(work)
        return (OK,)

    def invalidate(self, stream):
        """What a call does that cannot be captured."""
        self.captures[stream] = "invalid"

    def _cudaMemcpyAsync(self, to, source, nbytes, kind, stream):
        return self.put(stream, lambda: ctypes.memmove(to, source, nbytes))

    def _cudaMemsetAsync(self, address, value, nbytes, stream):
        return self.put(stream, lambda: ctypes.memset(address, value, nbytes))

    def _cudaEventCreateWithFlags(self, flags):
        return self._new("event", {})

    def _cudaEventRecord(self, event, stream):
        self.handles[event]["at"] = time.perf_counter()
        return (OK,)

    def _cudaEventSynchronize(self, event):
        return (OK,)

    def _cudaEventElapsedTime(self, start, end):
        return 1e3 * (self.handles[end]["at"] - self.handles[start]["at"])

    def _cudaStreamBeginCapture(self, stream, mode):
        self.captures[stream] = []
        return (OK,)

    def _cudaStreamEndCapture(self, stream):
        work, self.captures[stream] = self.captures.get(stream), None
        if not isinstance(work, list):
            return (Error.cudaErrorStreamCaptureInvalidated, None)
        return self._new("graph", work)

    def _cudaGraphInstantiate(self, graph, flags):
        return self._new("executable", list(self.handles[graph]))

    def _cudaGraphLaunch(self, executable, stream):
        self.launched_graphs += 1
        for work in self.handles[executable]:
            work()
        return (OK,)

    # Kernels

    def _cuModuleLoadData(self, code):
        return self._new("module")

    def _cuModuleGetFunction(self, module, name):
        return name.decode()

    def _cuLaunchKernel(self, name, gx, gy, gz, bx, by, bz, shared, stream, parameters, extra):
        values = [kind(value) for value, kind in zip(*parameters, strict=True)] if parameters else []
        assert (gz, by, bz, shared, extra) == (1, 1, 1, 0, 0)
        return self.put(stream, lambda: getattr(self.twin, f"launch_{name}")(gx, gy, bx, *values))

    def _nvrtcVersion(self):
        return (OK, 13, 0)

    def _nvrtcCreateProgram(self, source, name, count, headers, names):
        return "program"

    def _nvrtcCompileProgram(self, program, count, options):
        return (OK,)

    def _nvrtcGetProgramLogSize(self, program):
        return 1

    def _nvrtcGetProgramLog(self, program, log):
        return (OK,)

    def _nvrtcGetCUBINSize(self, program):
        return 8

    def _nvrtcGetCUBIN(self, program, code):
        code[:] = b"\x7fELFhost"
        return (OK,)

    def _nvrtcDestroyProgram(self, program):
        return (OK,)
