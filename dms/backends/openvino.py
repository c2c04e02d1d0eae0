"""OpenVINO on the processor (extra `intel`): runs the `trt.int8` form at full speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dms.backends import Arrays, Options, TensorSpec
from dms.errors import EngineError, EngineMismatch, EngineUnavailable

_DTYPES = {"u8": "uint8", "f32": "float32", "f16": "float16"}


class OpenVinoBackend:
    """One ONNX file, compiled for one picture at a time; a batch runs row by row.

    A free batch dimension would keep the runtime from choosing its kernels beforehand.

    Raises:
        EngineMismatch: OpenVINO cannot read the file.
    """

    def __init__(self, path: Path, options: Options) -> None:
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": str(options.threads),
            # A pinned thread waits for its core while others are free: measured 4.0 ms, not 2.6, under load.
            "ENABLE_CPU_PINNING": "NO",
            "INFERENCE_PRECISION_HINT": "f32",  # else some processors compute in BF16, and others do not
        }
        core = _core()
        try:
            model = core.read_model(str(path))
            model.reshape({port: [1, *list(port.get_partial_shape())[1:]] for port in model.inputs})
            compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as e:
            first = str(e).strip().splitlines()[-1]
            raise EngineMismatch(f"{path}: OpenVINO cannot load it ({first}); restore the engine file") from e
        self.inputs = _specs(model.inputs)
        self.outputs = _specs(model.outputs)
        self._request: Any = compiled.create_infer_request()
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
        rows = [self._run({name: v[i : i + 1] for name, v in feeds.items()}) for i in range(_batch(feeds))]
        return rows[0] if len(rows) == 1 else _stacked(rows)

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


def _core() -> Any:
    try:
        import openvino
    except ImportError as e:
        raise EngineUnavailable(
            "OpenVINO is not installed; pip install 'dms[intel]', or choose the backend `ort`"
        ) from e
    return openvino.Core()


def _specs(ports: Any) -> dict[str, TensorSpec]:
    """What a model fixed to one row takes or gives; the row stands for a free batch."""
    return {
        port.get_any_name(): TensorSpec(
            port.get_any_name(),
            (None, *port.get_shape()[1:]),
            _DTYPES.get(port.get_element_type().get_type_name(), port.get_element_type().get_type_name()),
        )
        for port in ports
    }


def _batch(feeds: Arrays) -> int:
    return min(len(values) for values in feeds.values())


def _stacked(rows: list[dict[str, NDArray[Any]]]) -> Arrays:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
