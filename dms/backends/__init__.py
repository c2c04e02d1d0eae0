"""Inference runtimes behind one interface: named arrays in, named arrays out."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = Mapping[str, "NDArray[Any]"]


@dataclass(frozen=True, slots=True)
class Runtime:
    """A row of `BACKENDS`: all that others must know of a runtime; they derive their tables from it.

    `adapter` is `module:class`; the class takes (path, options) and is imported only when chosen. Any one of
    the `packages` will do. `artefacts` maps a precision to the file that the runtime is given for it.
    """

    title: str
    adapter: str
    packages: tuple[str, ...]
    artefacts: Mapping[str, str]
    extra: str = ""
    provider: str = ""
    """The execution provider that ONNX Runtime must have been built with."""
    float_precision: str = "fp32"
    """The float precision it is fastest in: the gate's candidate beside INT8; `best` without a verdict."""
    reads: str = ".onnx"
    """Ending of the files in its format."""
    emulated_on: str = ""
    """The machine (`platform.machine`) on which it only imitates its hardware."""
    compiles: bool = False
    """Makes of a file what this device runs, and keeps it."""
    nvidia: bool = False
    """Runs on an NVIDIA GPU."""
    tensorrt: bool = False
    """Is TensorRT itself, by `trt_api`; what it compiles are `engines.plans`."""


_FLOAT = {"fp32": "fp32", "fp16": "fp16"}

BACKENDS = {
    "ort": Runtime(
        "ONNX Runtime",
        "dms.backends.ort:OrtBackend",
        ("onnxruntime",),
        {**_FLOAT, "int8": "cpu.int8"},
    ),
    "ort-cuda": Runtime(
        "ONNX Runtime, CUDA",
        "dms.backends.ort:OrtCudaBackend",
        ("onnxruntime",),
        {**_FLOAT, "int8": "trt.int8"},
        extra="ort-gpu",
        provider="CUDAExecutionProvider",
        float_precision="fp16",
        nvidia=True,
    ),
    "ort-tensorrt": Runtime(
        "ONNX Runtime, TensorRT",
        "dms.backends.ort:OrtTensorrtBackend",
        ("onnxruntime",),
        {**_FLOAT, "int8": "trt.int8"},
        extra="ort-gpu",
        provider="TensorrtExecutionProvider",
        float_precision="fp16",
        compiles=True,
        nvidia=True,
    ),
    "openvino": Runtime(
        "OpenVINO",
        "dms.backends.openvino:OpenVinoBackend",
        ("openvino",),
        {**_FLOAT, "int8": "trt.int8"},
        extra="intel",
        compiles=True,
    ),
    "litert": Runtime(
        "LiteRT",
        "dms.backends.litert:LiteRtBackend",
        ("ai_edge_litert",),
        {"fp32": "lite.fp32", "int8": "lite.int8"},
        extra="lite",
        reads=".tflite",
    ),
    "qnn": Runtime(
        "Qualcomm QNN",
        "dms.backends.qnn:QnnBackend",
        ("onnxruntime_qnn",),
        {"fp16": "fp16", "int8": "qnn.int8"},
        extra="qualcomm",
        float_precision="fp16",
        emulated_on="x86_64",
        compiles=True,
    ),
    "trt": Runtime(
        "TensorRT",
        "dms.backends.trt:TrtBackend",
        ("tensorrt", "tensorrt_rtx"),
        {**_FLOAT, "int8": "trt.int8"},
        extra="jetson7",
        float_precision="fp16",
        compiles=True,
        nvidia=True,
        tensorrt=True,
    ),
}
"""Name in the configuration → runtime. The one place where a runtime is registered.

ONNX Runtime computes `trt.int8` right, but slower than FP32; some versions of OpenVINO do not load
`cpu.int8`, TensorRT never does; Hexagon computes no FP32.
"""


def _silent(step: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Options:
    """How an engine is opened. A runtime leaves aside what it has no use for.

    `delegate` is the shared library of an accelerator that LiteRT hands the net to. `cache` is where compiled
    forms are kept between runs (None: nowhere). `max_batch` is the most pictures one call will bring. `told`
    hears what takes long while opening.
    """

    threads: int = 1
    delegate: Path | None = None
    cache: Path | None = None
    max_batch: int = 1
    told: Callable[[str], None] = _silent


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape and NumPy dtype name of an input or output; None stands for a free (batch) dimension."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class Backend(Protocol):
    """One loaded engine. Moves named arrays and nothing else."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    def infer(self, feeds: Arrays) -> Arrays:
        """Run once.

        Raises:
            EngineError: the runtime failed.
        """
        ...

    def close(self) -> None:
        """Free the engine. May be called twice."""
        ...


def installed(name: str) -> bool:
    """Whether the packages of the runtime called `name` are here; not whether its hardware is."""
    runtime = BACKENDS[name]
    if not any(find_spec(package) for package in runtime.packages):
        return False
    return not runtime.provider or runtime.provider in import_module("dms.backends.ort").providers()


def emulated(name: str) -> bool:
    """Whether the runtime called `name` only imitates its hardware here: its times then say nothing."""
    return BACKENDS[name].emulated_on == platform.machine()


def open_backend(name: str, path: Path, options: Options | None = None) -> Backend:
    """Load the engine file `path` on the runtime called `name` (a key of `BACKENDS`).

    Raises:
        EngineUnavailable: the runtime, or the hardware it is for, is not here.
        EngineMismatch: the runtime cannot read the file.
    """
    module, _, attribute = BACKENDS[name].adapter.partition(":")
    return cast(Backend, getattr(import_module(module), attribute)(path, options or Options()))
