"""Placing artefacts in an engine's folder: files and manifest change together or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from onnx import ModelProto

from dms.engines.manifest import NAME, EngineFile, Manifest, TensorNote, contract_specs, load_manifest
from dms.engines.quantize import FORMS, quantize
from dms.engines.simplify import Simplified, simplify, to_fp16
from dms.engines.storage import declare_outputs, halve_weights, read_model
from dms.engines.table import RANGES, RangesTable
from dms.errors import EngineMissing, InputError
from dms.files import write_together

FP32 = "model.onnx"
NAMES = {"fp32": FP32, "fp16": "model.fp16.onnx", **{form: f"model.{form}.onnx" for form in FORMS}}
"""File name of each precision in ONNX."""
LITE_NAMES = {"lite.fp32": "model.tflite", "lite.int8": "model.int8.tflite"}
"""File name of each precision in LiteRT's format."""
_FILES = {**NAMES, **LITE_NAMES}
RUN = "run.json"
"""What training says of a run, beside the model it exported."""
CURVES = ("training.csv", "training.png")
"""How the training went, beside the model as well."""
VERSION = "1.1.0"
TERMS = (
    "Weights trained on images published for research only, with labels of public teacher models; "
    "check each data set's terms before any other use. No picture is in the weights' folder."
)
_TOOLS = ("onnx", "onnxruntime", "onnxslim", "onnxconverter-common")


def fp32_path(net: str, engines: Path) -> Path:
    """Where the FP32 model of a net lies."""
    return engines / net / FP32


def place(
    net: str, model: Path, engines: Path, trained_on: Sequence[str] | None = None, slim: bool = True
) -> Simplified:
    """Put a float model into `engines/<net>/` as FP32 and FP16; what was made of an older one goes.

    Where the engine's own file is given and simplifying leaves it as it is, nothing is touched.

    Args:
        net: the engine's name.
        model: the ONNX that training exported; the engine's own file will do as well.
        engines: the folder of the engines.
        trained_on: names of the data sets; None keeps what the manifest says.
        slim: simplify the graph first.

    Raises:
        EngineError: the model is missing or not ours.
        InputError: something cannot be written; what was there is unchanged.
    """
    whole = read_model(model, net)
    declare_outputs(whole, net)
    count = len(whole.graph.node)
    found = simplify(whole, net) if slim else Simplified(whole, count, count, 0.0)
    contents = _float_files(found.model, net)
    note, own = _older(net, engines), fp32_path(net, engines).absolute() == model.absolute()
    if own and "fp16" in note.files and contents["fp32"] == model.read_bytes():
        return replace(found, changed=False)
    changes: dict[str, Any] = {"training_commit": _commit(model) or note.training_commit}
    if trained_on is not None:
        changes["trained_on"] = tuple(trained_on)
    fresh = _blank(net).model_copy(update={"terms": note.terms, "trained_on": note.trained_on, **changes})
    curves = [model.parent / name for name in CURVES if not own and (model.parent / name).is_file()]
    put(engines / net, fresh, contents, tool_versions(), {path.name: path.read_bytes() for path in curves})
    orphans = {file.path for file in note.files.values()} - {NAMES[precision] for precision in contents}
    for name in (*orphans, RANGES):
        (engines / net / name).unlink(missing_ok=True)
    return found


def _float_files(model: ModelProto, net: str) -> dict[str, bytes]:
    """FP32, its weights stored as FP16, and FP16."""
    halved = ModelProto.FromString(model.SerializeToString())
    halve_weights(halved)
    return {"fp32": halved.SerializeToString(), "fp16": to_fp16(model, net).SerializeToString()}


def place_int8(net: str, engines: Path, ranges: RangesTable, float_nodes: Sequence[str]) -> dict[str, int]:
    """Put the INT8 forms of an engine, made by one ranges table, beside its FP32 model.

    Returns:
        The size in bytes of each.

    Raises:
        EngineError: the FP32 model is missing, not ours, or not the one the ranges were taken from.
        InputError: something cannot be written; what was there is unchanged.
    """
    folder = engines / net
    model = read_model(folder / FP32, net)
    contents = {form: quantize(model, net, ranges, form, float_nodes).SerializeToString() for form in FORMS}
    table = ranges.text().encode("utf-8")
    note = load_manifest(folder)
    kept = {p: file for p, file in note.files.items() if p not in FORMS}
    note = note.model_copy(
        update={
            "files": kept,
            "float_nodes": tuple(float_nodes),
            "calibration": {
                "method": ranges.method,
                "images": ranges.images,
                "data_sha256": ranges.data_sha256,
                "ranges_sha256": hashlib.sha256(table).hexdigest(),
            },
        }
    )
    put(folder, note, contents, tool_versions(), {RANGES: table})
    return {form: len(content) for form, content in contents.items()}


def tool_versions() -> dict[str, str]:
    """Of the packages that make ONNX artefacts."""
    return {name: version(name) for name in _TOOLS}


def put(
    folder: Path,
    note: Manifest,
    contents: Mapping[str, bytes],
    tools: Mapping[str, str],
    extras: Mapping[str, bytes] | None = None,
) -> None:
    """Write artefacts of an engine and the manifest that vouches for them: all, or nothing.

    Args:
        folder: the engine's; made if it is missing.
        note: the manifest; what it says of older files of these artefacts is dropped.
        contents: artefact → its file.
        tools: the versions of what made them; those of other tools stay.
        extras: file name → what lies beside the artefacts.

    Raises:
        InputError: something cannot be written; what was there is unchanged.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}") from error
    files = {
        precision: EngineFile(
            path=_FILES[precision], sha256=hashlib.sha256(content).hexdigest(), bytes=len(content)
        )
        for precision, content in contents.items()
    }
    speeds = {runtime: _without(by, files) for runtime, by in note.speed_ms.items()}
    note = note.model_copy(
        update={
            "files": {**note.files, **files},
            "metrics": _without(note.metrics, files),
            "proofs": _without(note.proofs, files),
            "speed_ms": {runtime: by for runtime, by in speeds.items() if by},
            "tools": {**note.tools, **tools},
        }
    )
    write_together(
        {
            **{folder / _FILES[precision]: content for precision, content in contents.items()},
            **{folder / name: content for name, content in (extras or {}).items()},
            folder / NAME: note.content(),
        }
    )


def _blank(net: str) -> Manifest:
    inputs, outputs = contract_specs(net)
    notes = [
        tuple(TensorNote(name=s.name, shape=s.shape, dtype=s.dtype) for s in specs)
        for specs in (inputs, outputs)
    ]
    return Manifest(
        net=net, version=VERSION, files={}, inputs=notes[0], outputs=notes[1], trained_on=(), terms=TERMS
    )


def _older(net: str, engines: Path) -> Manifest:
    try:
        return load_manifest(engines / net)
    except EngineMissing:
        return _blank(net)


def _commit(model: Path) -> str:
    """The commit that training ran at, by its own note; empty where there is none."""
    try:
        noted = json.loads((model.parent / RUN).read_bytes())
    except (OSError, ValueError):
        return ""
    return str(noted.get("commit") or "")


def _without(by_precision: Mapping[str, Any], replaced: Mapping[str, Any]) -> dict[str, Any]:
    return {precision: value for precision, value in by_precision.items() if precision not in replaced}
