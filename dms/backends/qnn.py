"""Qualcomm's Hexagon processor (extra `qualcomm`), by ONNX Runtime's plug-in; on x86-64, its emulator."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from dms.backends import Options, emulated
from dms.backends.kept import Kept
from dms.backends.ort import (
    ORT_ERRORS,
    OneRowBackend,
    cpu_session,
    refusals_named,
    session_options,
    whole_options,
)
from dms.backends.packages import load
from dms.errors import EngineUnavailable

log = logging.getLogger(__name__)

MakeOptions = Callable[[], ort.SessionOptions]

_PROVIDER = "QNN"
FARTHEST = 0.5
"""How far an answer may lie from the processor's, in distances between its answers to two pictures.
Measured: 0.01 to 0.24 where all is well, 1.2 to 7.5 for the files this is to catch."""


class QnnBackend(OneRowBackend):
    """One ONNX file, compiled for one picture; a batch runs row by row.

    What was compiled is kept under `options.cache` and taken from there the next time.

    Raises:
        EngineMismatch: ONNX Runtime cannot read the file.
        EngineUnavailable: the plug-in or its device is missing, a node is not for it (the text names it), or
            it does not compute what the processor does.
    """

    emulated_soc = "43"
    """The chip that the emulator stands for, by Qualcomm's number: SM8550, whose Hexagon v73 takes FP16."""

    def _opened(self, path: Path, options: Options) -> ort.InferenceSession:
        plugin = _plugin()
        settings = {"backend_path": plugin.get_qnn_htp_path()}
        if emulated("qnn"):
            settings["soc_model"] = self.emulated_soc
        devices = _devices(plugin)

        def make_options() -> ort.SessionOptions:
            made = session_options(options.threads)
            made.add_provider_for_devices(devices, settings)
            return made

        folder = options.cache and options.cache / "qnn"
        kept = Kept(folder, path, plugin.__version__, ort.__version__, settings.get("soc_model", ""))
        compiled = kept.read()
        if compiled is not None:
            try:
                return _loaded(compiled, path, make_options)
            except EngineUnavailable as e:
                log.warning("%s; compiling anew", e)
        options.told(f"compiling {path.parent.name}/{path.name} for Hexagon")
        compiled = _compiled(path, make_options)
        session = _loaded(compiled, path, make_options)
        _check_answers(session, path)
        kept.write(compiled)
        return session


def _plugin() -> ModuleType:
    install = "pip install 'dms[qualcomm]' (Python 3.11 or newer: there is none for 3.10)"
    return load("onnxruntime_qnn", "the QNN plug-in of ONNX Runtime", install)


def _devices(plugin: ModuleType) -> list[Any]:
    """The plug-in's devices; it is registered once a process, whoever asks first."""
    if not _found():
        try:
            ort.register_execution_provider_library(_PROVIDER, plugin.get_library_path())
        except ORT_ERRORS as e:
            raise EngineUnavailable(f"the QNN plug-in cannot be loaded: {e}; choose the backend `ort`") from e
    devices = _found()
    if not devices:
        raise EngineUnavailable(
            "the QNN plug-in finds no Hexagon processor here; install the board's QNN drivers, or choose the "
            "backend `ort`"
        )
    return devices


def _found() -> list[Any]:
    return [device for device in ort.get_ep_devices() if device.ep_name == _PROVIDER]


def _compiled(path: Path, make_options: MakeOptions) -> bytes:
    """The file as an ONNX whose one node holds what the chip runs."""
    with refusals_named(path, make_options, _PROVIDER):
        compiler = ort.ModelCompiler(
            whole_options(make_options()),
            str(path),
            embed_compiled_data_into_model=True,
            # Without, what computes shapes would stay, and is not for the chip.
            graph_optimization_level=ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
        )
        made: bytes = compiler.compile_to_bytes()
    return made


def _loaded(compiled: bytes, path: Path, make_options: MakeOptions) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(compiled, make_options(), enable_fallback=False)
    except ORT_ERRORS as e:
        raise EngineUnavailable(
            f"{path}: QNN cannot load what was compiled: {e}; choose the backend `ort`"
        ) from e


def _check_answers(session: ort.InferenceSession, path: Path) -> None:
    """Compare with the processor: QNN 2.7 takes each pixel for 0 or 1 where a file casts bytes to FP32."""
    one, other = (_picture(session, seed) for seed in (0, 1))
    there = cpu_session(path)
    runs = ((session, one), (there, one), (there, other))
    try:
        here, right, elsewhere = (who.run(None, {"image": picture}) for who, picture in runs)
    except ORT_ERRORS as e:
        raise EngineUnavailable(
            f"{path}: the first run on QNN, or beside it on the processor, failed: {e}; choose another "
            "precision, or the backend `ort`"
        ) from e
    apart = float(np.mean([_far(*answers) for answers in zip(here, right, elsewhere, strict=True)]))
    if not apart <= FARTHEST:  # so that NaN is refused as well
        raise EngineUnavailable(
            f"{path}: QNN does not compute what ONNX Runtime does on the processor (its answers lie "
            f"{apart:.1f} times as far off as those to another picture, {FARTHEST} is borne); choose the "
            "precision int8 or fp16, or the backend `ort`"
        )


def _picture(session: ort.InferenceSession, seed: int) -> NDArray[np.uint8]:
    """Blocks of even brightness: a net answers very differently to two of them."""
    _, _, height, width = session.get_inputs()[0].shape
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 16, width // 16), dtype=np.uint8)
    return blocks.repeat(16, axis=0).repeat(16, axis=1)[None, None]


def _far(here: NDArray[Any], right: NDArray[Any], elsewhere: NDArray[Any]) -> float:
    return float(np.linalg.norm(here - right) / (np.linalg.norm(elsewhere - right) + 1e-6))
