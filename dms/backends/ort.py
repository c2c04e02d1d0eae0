"""ONNX Runtime on the CPU: the default that runs everywhere."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from dms.backends import Arrays, Options, TensorSpec
from dms.errors import EngineError, EngineMismatch

# ONNX Runtime's exceptions share no base but Exception.
_ORT_ERRORS = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32", "tensor(float16)": "float16"}


def providers() -> list[str]:
    """The execution providers this build of ONNX Runtime has."""
    found: list[str] = ort.get_available_providers()
    return found


def _specs(nodes: list[ort.NodeArg]) -> dict[str, TensorSpec]:
    return {
        n.name: TensorSpec(
            n.name, tuple(d if isinstance(d, int) else None for d in n.shape), _DTYPES.get(n.type, n.type)
        )
        for n in nodes
    }


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # A spinning pool burns a whole core between two frames (measured: 101 % against 4 % at 30 Hz).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


class OrtBackend:
    """One ONNX file in one session.

    Raises:
        EngineMismatch: ONNX Runtime cannot read the file.
    """

    def __init__(self, path: Path, options: Options) -> None:
        try:
            self._session: ort.InferenceSession | None = ort.InferenceSession(
                str(path), _options(options.threads), providers=["CPUExecutionProvider"]
            )
        except _ORT_ERRORS as e:
            raise EngineMismatch(f"{path}: ONNX Runtime cannot load it ({e}); restore the engine file") from e
        self.inputs = _specs(self._session.get_inputs())
        self.outputs = _specs(self._session.get_outputs())
        self._names = list(self.outputs)

    def infer(self, feeds: Arrays) -> Arrays:
        """Run once; see `Backend.infer`."""
        if self._session is None:
            raise EngineError("the engine was closed; open it again before use")
        try:
            results = self._session.run(self._names, dict(feeds))
        except (*_ORT_ERRORS, ValueError) as e:
            raise EngineError(f"ONNX Runtime failed: {e}") from e
        return dict(zip(self._names, results, strict=True))

    def close(self) -> None:
        """Free the session. May be called twice."""
        self._session = None
