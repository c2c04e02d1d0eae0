"""From the text of kernels to machine code (NVRTC), and on to a launch."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from typing import Any

from dms.backends.cuda.bindings import ELSE, bindings
from dms.backends.cuda.runtime import DeviceInfo, Stream
from dms.errors import EngineError, EngineUnavailable

log = logging.getLogger(__name__)


class Compiler:
    """NVRTC, the compiler that comes with CUDA; it needs no GPU.

    Raises:
        EngineUnavailable: it is not installed.
    """

    def __init__(self) -> None:
        self._nvrtc = bindings("nvrtc")
        try:
            code, major, minor = self._nvrtc.nvrtcVersion()
        except RuntimeError as e:  # the library is looked for at the first call
            raise EngineUnavailable(
                "NVRTC is not installed; it comes with the CUDA toolkit of JetPack, elsewhere "
                f"pip install nvidia-cuda-nvrtc, {ELSE}"
            ) from e
        self.version = f"{major}.{minor}"
        self._ask((code,))

    def cubin(self, source: str, options: Sequence[str], arch: str) -> bytes:
        """Machine code for `arch` (as `sm_87`).

        Raises:
            EngineUnavailable: NVRTC refused the source, the option or the device; the text holds its log.
        """
        ask, nvrtc = self._ask, self._nvrtc
        program = ask(nvrtc.nvrtcCreateProgram(source.encode(), b"kernels.cu", 0, [], []))
        flags = [option.encode() for option in (f"--gpu-architecture={arch}", *options)]
        try:
            if int(nvrtc.nvrtcCompileProgram(program, len(flags), flags)[0]) != 0:
                log = bytearray(ask(nvrtc.nvrtcGetProgramLogSize(program)))
                ask(nvrtc.nvrtcGetProgramLog(program, log))
                text = log.decode(errors="replace").strip("\0\n ")
                raise EngineUnavailable(f"NVRTC {self.version} cannot compile for {arch}: {text}")
            code = bytearray(ask(nvrtc.nvrtcGetCUBINSize(program)))
            ask(nvrtc.nvrtcGetCUBIN(program, code))
            return bytes(code)
        finally:
            nvrtc.nvrtcDestroyProgram(program)

    def _ask(self, result: tuple[Any, ...]) -> Any:
        code, *values = result
        if int(code) != 0:
            raise EngineUnavailable(f"NVRTC {self.version} failed: {code.name}")
        return values[0] if values else None


class Module:
    """Compiled kernels, loaded on the device of this thread, by name.

    Raises:
        EngineUnavailable: they are not for this device, `info`.
    """

    def __init__(self, cubin: bytes, info: DeviceInfo) -> None:
        self._driver = bindings("driver")
        try:
            self._handle: Any = self._ask("cuModuleLoadData", cubin)
        except EngineError as e:
            raise EngineUnavailable(f"{info} cannot load the compiled kernels ({e})") from e
        self._functions: dict[str, Any] = {}

    def _ask(self, function: str, *arguments: Any) -> Any:
        code, *values = getattr(self._driver, function)(*arguments)
        if int(code) != 0:
            raise EngineError(f"{function}: {code.name}")
        return values[0] if values else None

    def launch(
        self,
        name: str,
        stream: Stream,
        grid: tuple[int, int],
        block: int,
        arguments: Sequence[tuple[int, type[ctypes._SimpleCData[Any]]]] = (),
    ) -> None:
        """Put one run of the kernel `name` on the stream; `arguments` are values with their C types."""
        if name not in self._functions:
            self._functions[name] = self._ask("cuModuleGetFunction", self._handle, name.encode())
        parameters = (tuple(a[0] for a in arguments), tuple(a[1] for a in arguments)) if arguments else 0
        self._ask(
            "cuLaunchKernel", self._functions[name], *grid, 1, block, 1, 1, 0, stream.handle, parameters, 0
        )

    def close(self) -> None:
        """Unload. May be called twice."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            try:
                self._ask("cuModuleUnload", handle)
            except EngineError as error:  # as `Device.give_back`
                log.debug("not given back: %s", error)
