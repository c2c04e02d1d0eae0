"""OpenVINO on the processor (extra `intel`): runs the `trt.int8` form at full speed."""

from __future__ import annotations

import logging
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dms.backends import Arrays, Options, TensorSpec
from dms.backends.kept import Kept
from dms.backends.packages import load
from dms.backends.rows import row_by_row
from dms.errors import EngineError, EngineMismatch, EngineUnavailable

log = logging.getLogger(__name__)

_DTYPES = {"u8": "uint8", "f32": "float32", "f16": "float16"}


class OpenVinoBackend:
    """One ONNX file, compiled for one picture at a time; a batch runs row by row.

    A free batch dimension would keep the runtime from choosing its kernels beforehand. What was compiled is
    kept under `options.cache` and taken from there the next time.

    Raises:
        EngineMismatch: OpenVINO cannot read the file; the text names operators that it lacks.
        EngineUnavailable: OpenVINO is not installed, or cannot work on this processor.
    """

    def __init__(self, path: Path, options: Options) -> None:
        core, here = _core()
        try:
            compiled = _compiled(core, here, path, options)
            self._request: Any = compiled.create_infer_request()
        except RuntimeError as e:
            first = str(e).strip().splitlines()[-1]
            raise EngineMismatch(
                f"{path}: OpenVINO cannot load it ({first}); restore the file, or take the backend `ort`"
            ) from e
        self.inputs = _specs(compiled.inputs)
        self.outputs = _specs(compiled.outputs)
        self._try_out(path)

    def _try_out(self, path: Path) -> None:
        """Run once: OpenVINO 2026.4 gives outputs of some U8 files another shape than it declares."""
        blank = {n: np.zeros((1, *(s or 1 for s in i.shape[1:])), i.dtype) for n, i in self.inputs.items()}
        results = self._run(blank)
        for name, spec in self.outputs.items():
            declared = (1, *spec.shape[1:])
            if results[name].shape != declared:
                raise EngineMismatch(
                    f"{path}: OpenVINO gives {name} as {results[name].shape}, not {declared}; "
                    "use the trt.int8 or fp32 file, or the backend `ort`"
                )

    def infer(self, feeds: Arrays) -> Arrays:
        """Run once a row; see `Backend.infer`."""
        if self._request is None:
            raise EngineError("the engine was closed; open it again before use")
        return row_by_row(self._run, feeds)

    def _run(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        try:
            results = self._request.infer(feeds)
        except (RuntimeError, TypeError, ValueError) as e:
            raise EngineError(f"OpenVINO failed: {e}") from e
        # The runtime's buffers are overwritten by the next run.
        return {name: np.array(results[name]) for name in self.outputs}

    def close(self) -> None:
        """Free the engine. May be called twice."""
        self._request = None


def _core() -> tuple[Any, tuple[str, str]]:
    """OpenVINO, and what all that it compiles is for: its version and the processor."""
    openvino = load("openvino", "OpenVINO", "pip install 'dms[intel]'")
    try:
        core = openvino.Core()
        version = core.get_versions("CPU")["CPU"].build_number
        return core, (version, core.get_property("CPU", "FULL_DEVICE_NAME"))
    except RuntimeError as e:
        raise EngineUnavailable(
            f"OpenVINO has nothing for this processor ({' '.join(str(e).split())}); pip install "
            "--force-reinstall openvino, or choose the backend `ort`"
        ) from e


def _compiled(core: Any, here: tuple[str, str], path: Path, options: Options) -> Any:
    """The file, ready to run: as it was kept, or compiled."""
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(options.threads),
        # A pinned thread waits for its core while others are free: measured 4.0 ms, not 2.6, under load.
        "ENABLE_CPU_PINNING": "NO",
        "INFERENCE_PRECISION_HINT": "f32",  # else some processors compute in BF16, and others do not
    }
    folder = options.cache and options.cache / "openvino"
    # OpenVINO's own CACHE_DIR runs a file of which the middle was overwritten, and answers wrongly.
    kept = Kept(folder, path, *here, str(settings))
    compiled = kept.read()
    if compiled is not None:
        try:
            return core.import_model(BytesIO(compiled), "CPU", settings)
        except RuntimeError as e:
            log.warning("OpenVINO refuses what it compiled of %s (%s); compiling anew", path, e)
    options.told(f"compiling {path.parent.name}/{path.name} for this processor")
    model = core.read_model(str(path))
    model.reshape({port: [1, *list(port.get_partial_shape())[1:]] for port in model.inputs})
    made = core.compile_model(model, "CPU", settings)
    if folder is not None:
        kept.write(made.export_model().getvalue())
    return made


def _specs(ports: Any) -> dict[str, TensorSpec]:
    """What a model fixed to one row takes or gives; the row stands for a free batch."""
    found = [TensorSpec(_name(port), (None, *port.get_shape()[1:]), _dtype(port)) for port in ports]
    return {spec.name: spec for spec in found}


def _name(port: Any) -> str:
    """As in the ONNX file: a compiled port has many names, in no order."""
    return str(port.get_node().get_friendly_name()).partition("/sink_port_")[0]


def _dtype(port: Any) -> str:
    name = str(port.get_element_type().get_type_name())
    return _DTYPES.get(name, name)
