"""LiteRT (extra `lite`): `.tflite` files on the processor by XNNPACK, or on what a delegate drives."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dms.backends import Arrays, Options, TensorSpec
from dms.backends.packages import load
from dms.backends.rows import free_batch, row_by_row
from dms.errors import EngineError, EngineMismatch, EngineUnavailable

_ENTRIES = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
"""What the shared library of a delegate must export."""
_CURE = (
    "install the accelerator's runtime (for TI: the Processor SDK, which brings libtidl_tfl_delegate.so), "
    "or leave `delegate` out to run on the processor"
)


class LiteRtBackend:
    """One `.tflite` file of one signature for one picture at a time; a batch runs row by row.

    Tensors go by the names of the signature. Where `options.delegate` names a shared library, its delegate
    takes the operations it can, XNNPACK the rest.

    Raises:
        EngineUnavailable: LiteRT is not installed, or the delegate cannot be loaded.
        EngineMismatch: LiteRT cannot read the file.
    """

    def __init__(self, path: Path, options: Options) -> None:
        runtime = _runtime()
        delegates = [_delegate(runtime, options.delegate, path)] if options.delegate else None
        try:
            self._interpreter: Any = runtime.Interpreter(
                str(path), num_threads=options.threads, experimental_delegates=delegates
            )
            self._interpreter.allocate_tensors()
            signature = self._interpreter.get_signature_runner()
        except (RuntimeError, ValueError) as e:
            why = " ".join(str(e).split())
            if delegates and isinstance(e, RuntimeError):  # of a damaged file the other kind tells
                raise EngineUnavailable(f"{options.delegate} cannot run {path} ({why}); {_CURE}") from e
            raise EngineMismatch(f"{path}: LiteRT cannot load it ({why}); restore the engine file") from e
        given, got = signature.get_input_details(), signature.get_output_details()
        self.inputs, self.outputs = _specs(given), _specs(got)
        self._given = {name: tensor["index"] for name, tensor in given.items()}
        self._got = {name: tensor["index"] for name, tensor in got.items()}

    def infer(self, feeds: Arrays) -> Arrays:
        """Run once a row; see `Backend.infer`."""
        if self._interpreter is None:
            raise EngineError("the engine was closed; open it again before use")
        return row_by_row(self._run, feeds)

    def _run(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        try:
            for name, index in self._given.items():
                self._interpreter.set_tensor(index, feeds[name])
            self._interpreter.invoke()
            # `get_tensor` copies: the runtime's buffers are overwritten by the next run.
            return {name: self._interpreter.get_tensor(index) for name, index in self._got.items()}
        except KeyError as e:
            raise EngineError(f"LiteRT was given no {e}, only {', '.join(feeds)}") from e
        except (RuntimeError, ValueError) as e:
            raise EngineError(f"LiteRT failed: {e}") from e

    def close(self) -> None:
        """Free the engine. May be called twice."""
        self._interpreter = None


def _runtime() -> Any:
    return load("ai_edge_litert.interpreter", "LiteRT", "pip install 'dms[lite]'")


def _delegate(runtime: Any, library: Path, model: Path) -> Any:
    """The delegate in a shared library; one that needs a compiled form of the model is told where it lies."""
    _require_delegate(library)
    compiled = model.with_suffix(".artifacts")
    options = {"artifacts_folder": str(compiled)} if compiled.is_dir() else {}
    try:
        return runtime.load_delegate(str(library), options)
    except ValueError as e:
        why = " ".join(str(e).split())
        raise EngineUnavailable(f"the delegate {library} refused to start ({why}); {_CURE}") from e


def _require_delegate(library: Path) -> None:
    """Look before LiteRT does: where its own loading fails, it leaves half an object that fails once more."""
    try:
        found = ctypes.PyDLL(str(library))
    except OSError as e:
        raise EngineUnavailable(f"the delegate {library} cannot be loaded ({e}); {_CURE}") from e
    lacking = [entry for entry in _ENTRIES if not hasattr(found, entry)]
    if lacking:
        raise EngineUnavailable(f"{library} is no LiteRT delegate: it lacks {lacking[0]}; {_CURE}")


def _specs(tensors: Any) -> dict[str, TensorSpec]:
    return {
        name: free_batch(TensorSpec(name, tuple(map(int, tensor["shape"])), np.dtype(tensor["dtype"]).name))
        for name, tensor in tensors.items()
    }
