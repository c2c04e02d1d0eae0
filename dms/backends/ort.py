"""ONNX Runtime: on the processor, the default that runs everywhere; on an NVIDIA GPU, by CUDA or TensorRT."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from dms.backends import Arrays, Options, TensorSpec
from dms.backends.rows import free_batch, row_by_row
from dms.errors import EngineError, EngineMismatch, EngineUnavailable
from dms.files import sha256

log = logging.getLogger(__name__)

_NO_MODEL = (
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
)
# ONNX Runtime's exceptions share no base but Exception, and newer versions have more of them.
ORT_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,  # what its libraries throw beside
    ValueError,  # what its Python part raises
    *(kind for kind in vars(ort_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)),
)
_DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32", "tensor(float16)": "float16"}
_SHOWN = 3
"""So many nodes are named in an error; a net that is not for a provider may have dozens."""


def providers() -> list[str]:
    """The execution providers this build of ONNX Runtime has."""
    found: list[str] = ort.get_available_providers()
    return found


def session_options(threads: int) -> ort.SessionOptions:
    """How every session here is set up."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # A spinning pool burns a whole core between two frames (measured: 101 % against 4 % at 30 Hz).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what is an error comes as an exception as well
    return options


class OrtBackend:
    """One ONNX file in one session on the processor.

    Raises:
        EngineMismatch: ONNX Runtime cannot read the file.
    """

    def __init__(self, path: Path, options: Options) -> None:
        self._session: ort.InferenceSession | None = self._opened(path, options)
        self.inputs = _specs(self._session.get_inputs())
        self.outputs = _specs(self._session.get_outputs())
        self._names = list(self.outputs)

    def _opened(self, path: Path, options: Options) -> ort.InferenceSession:
        return cpu_session(path, options.threads)

    def infer(self, feeds: Arrays) -> Arrays:
        """Run once; see `Backend.infer`."""
        if self._session is None:
            raise EngineError("the engine was closed; open it again before use")
        try:
            results = self._session.run(self._names, dict(feeds))
        except ORT_ERRORS as e:
            raise EngineError(f"ONNX Runtime failed: {e}") from e
        return dict(zip(self._names, results, strict=True))

    def close(self) -> None:
        """Free the session. May be called twice."""
        self._session = None


class OneRowBackend(OrtBackend):
    """One ONNX file, compiled for one picture by an accelerator; a batch runs row by row.

    A free batch would leave nodes that compute shapes, which accelerators leave to the processor.
    """

    def __init__(self, path: Path, options: Options) -> None:
        super().__init__(path, options)
        self.inputs = {name: free_batch(spec) for name, spec in self.inputs.items()}
        self.outputs = {name: free_batch(spec) for name, spec in self.outputs.items()}

    def infer(self, feeds: Arrays) -> Arrays:
        """Run once a row; see `Backend.infer`."""
        return row_by_row(super().infer, feeds)


class _GpuBackend(OneRowBackend):
    provider = ""
    title = ""
    library = ""

    def _opened(self, path: Path, options: Options) -> ort.InferenceSession:
        if self.provider not in providers():
            raise EngineUnavailable(
                f"this ONNX Runtime was built without {self.title}: pip install 'dms[ort-gpu]', then pip "
                "uninstall onnxruntime, which lies in the same folder, then pip install --force-reinstall "
                "--no-deps onnxruntime-gpu"
            )
        self._load()
        how: dict[str, Any] = {
            "providers": [(self.provider, self._settings(path, options))],
            # It gives biases INT32, which neither provider takes (CUDA: ONNX Runtime 1.31.1 on an H200).
            "disabled_optimizers": ["WeightBiasQuantization"],
        }
        threads = options.threads
        with refusals_named(path, lambda: session_options(threads), self.provider, **how):
            return ort.InferenceSession(
                str(path), whole_options(session_options(threads)), enable_fallback=False, **how
            )

    def _load(self) -> None:
        """Load the provider's library: where that fails, ONNX Runtime itself goes on, on the processor."""
        with redirect_stdout(StringIO()):  # it prints what the library below names as well
            ort.preload_dlls()
        folder = Path(ort.__file__).parent / "capi"
        try:
            ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
            ctypes.CDLL(str(folder / self.library))
        except OSError as e:
            raise EngineUnavailable(
                f"ONNX Runtime's {self.title} provider cannot be loaded: {e}; install the driver and "
                "pip install 'dms[ort-gpu]' (docs/platforms/onnxruntime.md), or choose the backend `ort`"
            ) from e

    def _settings(self, path: Path, options: Options) -> dict[str, str]:
        return {"device_id": "0"}


class OrtCudaBackend(_GpuBackend):
    """One ONNX file on the first NVIDIA GPU.

    Raises:
        EngineMismatch: ONNX Runtime cannot read the file.
        EngineUnavailable: the provider, one of its libraries or the GPU is missing, or a node is not for it.
    """

    provider = "CUDAExecutionProvider"
    title = "CUDA"
    library = "libonnxruntime_providers_cuda.so"


class OrtTensorrtBackend(_GpuBackend):
    """One ONNX file on the first NVIDIA GPU, built by TensorRT; plans are kept under `options.cache`.

    Raises:
        EngineMismatch: ONNX Runtime cannot read the file.
        EngineUnavailable: the provider, one of its libraries or the GPU is missing, or a node is not for it.
    """

    provider = "TensorrtExecutionProvider"
    title = "TensorRT"
    library = "libonnxruntime_providers_tensorrt.so"

    def _load(self) -> None:
        _tensorrt_version()  # from the system, it is on the loader's path; the wheel's is not
        super()._load()

    def _settings(self, path: Path, options: Options) -> dict[str, str]:
        settings = super()._settings(path, options)
        # The provider builds networks without strong types: TensorRT must be told what it may compute in.
        settings["trt_fp16_enable"] = str(".fp16." in path.name)
        settings["trt_int8_enable"] = str(".int8." in path.name)
        folder = options.cache and _folder_for_plans(options.cache, path)
        if folder is None or not any(folder.glob("*.engine")):
            options.told(f"building {path.parent.name}/{path.name} with TensorRT, which may take minutes")
        if folder is None:
            return settings
        return settings | {
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": str(folder),
        }


def _folder_for_plans(cache: Path, path: Path) -> Path | None:
    """Where ONNX Runtime keeps the plans of a file; None where nothing can be kept.

    One folder a file and version: the provider tells its plans apart by names in the graph, not by weights.
    """
    name = f"{path.parent.name}.{path.stem}-{sha256(path):.12}-{ort.__version__}-{_tensorrt_version()}"
    folder = cache / "ort-tensorrt" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        log.warning("TensorRT's plans cannot be kept, so every start builds them again: %s", e)
        return None
    return folder


def _tensorrt_version() -> str:
    """Of the Python package, which this loads; the system's own may have none."""
    try:
        return str(import_module("tensorrt").__version__)
    except (ImportError, OSError):  # OSError: the package is here, its libraries are not
        return "system"


def cpu_session(path: Path, threads: int = 1) -> ort.InferenceSession:
    """A session on the processor.

    Raises:
        EngineMismatch: ONNX Runtime cannot read the file.
    """
    try:
        return ort.InferenceSession(str(path), session_options(threads), providers=["CPUExecutionProvider"])
    except ORT_ERRORS as e:
        raise EngineMismatch(f"{path}: ONNX Runtime cannot load it ({e}); restore the engine file") from e


def whole_options(options: ort.SessionOptions) -> ort.SessionOptions:
    """`options` for one picture, of which no node may fall to the processor, as it else does unasked."""
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return _one_row(options)


@contextmanager
def refusals_named(
    path: Path, make_options: Callable[[], ort.SessionOptions], provider: str, **arguments: Any
) -> Iterator[None]:
    """Wraps what makes a session with `whole_options`; its failures come out as ours and name the nodes.

    Args:
        path: the ONNX file.
        make_options: what the session is set up with; called once a session.
        provider: the execution provider that must run it, as ONNX Runtime names it.
        arguments: further ones of ONNX Runtime's session.

    Raises:
        EngineMismatch: ONNX Runtime cannot read the file.
        EngineUnavailable: the provider is not there, or does not take every node.
    """
    try:
        yield
    except _NO_MODEL as e:
        raise EngineMismatch(f"{path}: ONNX Runtime cannot load it ({e}); restore the engine file") from e
    except ORT_ERRORS as e:
        why = _why_not(path, make_options, provider, **arguments) or str(e)
        raise EngineUnavailable(
            f"{path}: ONNX Runtime's provider {provider} cannot run it whole: {why}; choose another "
            "precision, or the backend `ort`"
        ) from e


def _one_row(options: ort.SessionOptions) -> ort.SessionOptions:
    options.add_free_dimension_override_by_name("batch", 1)
    return options


def _why_not(
    path: Path, make_options: Callable[[], ort.SessionOptions], provider: str, **arguments: Any
) -> str:
    """What a provider leaves to the processor where it may; empty where that tells nothing."""
    try:
        options = _one_row(make_options())
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        session = ort.InferenceSession(str(path), options, enable_fallback=False, **arguments)
    except ORT_ERRORS as e:
        return str(e)
    if provider not in session.get_providers():
        return "there is no device for it, or the device's driver is too old"
    parts = session.get_provider_graph_assignment_info()
    nodes = [n for part in parts if part.ep_name == "CPUExecutionProvider" for n in part.get_nodes()]
    more = f" and {len(nodes) - _SHOWN} more" if len(nodes) > _SHOWN else ""
    named = ", ".join(f"{node.name} ({node.op_type})" for node in nodes[:_SHOWN])
    return f"it does not take {named}{more}" if nodes else ""


def _specs(nodes: list[ort.NodeArg]) -> dict[str, TensorSpec]:
    return {
        n.name: TensorSpec(
            n.name, tuple(d if isinstance(d, int) else None for d in n.shape), _DTYPES.get(n.type, n.type)
        )
        for n in nodes
    }
