"""Placing an engine: FP32 and INT8 artefacts, manifest, all written whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from dms.engines import manifest as notes
from dms.engines.quantize import quantize
from dms.engines.storage import declare_outputs, halve_weights
from dms.training.crops import calibration_inputs
from dms.training.pack import Pack

FP32, INT8 = "model.onnx", "model.cpu.int8.onnx"
VERSION = "1.0.0"
TERMS = (
    "Weights trained on images published for research only, with labels of public teacher models; "
    "check each data set's terms before any other use. No picture is in the weights' folder."
)


def place(net: str, model: Path, engines: Path) -> None:
    """Put a freshly exported model into `engines/<net>/` with a manifest for FP32 alone."""
    folder = engines / net
    folder.mkdir(parents=True, exist_ok=True)
    whole = onnx.load(str(model))
    declare_outputs(whole, net)
    halve_weights(whole)
    _save_model(whole, folder / FP32)
    (folder / INT8).unlink(missing_ok=True)
    log = model.parent / "training.csv"
    if log.is_file():
        shutil.copyfile(log, folder / "training.csv")


def quantise(net: str, pack: Pack, engines: Path, method: str) -> None:
    """Write the INT8 artefact of an engine and its manifest."""
    folder = engines / net
    images = calibration_inputs(net, pack)
    kept = quantize(folder / FP32, images, folder / INT8, method)
    small = onnx.load(str(folder / INT8))
    declare_outputs(small, net)
    _save_model(small, folder / INT8)
    write_manifest(net, pack, engines, kept, {"method": method, "images": len(images)})


def write_manifest(
    net: str, pack: Pack, engines: Path, kept: tuple[str, ...], calibration: dict[str, str | int]
) -> None:
    """Describe the artefacts that lie in the engine's folder."""
    folder = engines / net
    inputs, outputs = notes.contract_specs(net)
    files = {
        precision: {
            "path": name,
            "sha256": notes.sha256(folder / name),
            "bytes": (folder / name).stat().st_size,
        }
        for precision, name in (("fp32", FP32), ("int8", INT8))
        if (folder / name).is_file()
    }
    rows = pack.tables[net]["image"]
    sets = pack.tables["images"]["set"]
    used = sorted({str(s) for s in np.unique(sets[rows[rows < len(sets)]])})
    note = {
        "net": net,
        "version": VERSION,
        "files": files,
        "inputs": [{"name": s.name, "shape": s.shape, "dtype": s.dtype} for s in inputs],
        "outputs": [{"name": s.name, "shape": s.shape, "dtype": s.dtype} for s in outputs],
        "trained_on": used + (["simulated"] if (rows >= len(sets)).any() else []),
        "terms": TERMS,
        "float_nodes": kept,
        "calibration": calibration,
        "tools": {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__},
    }
    save(folder / notes.NAME, note)


def _save_model(model: onnx.ModelProto, path: Path) -> None:
    part = path.with_suffix(".part")
    onnx.save(model, str(part))
    part.replace(path)


def save(path: Path, value: object) -> None:
    """Write JSON in one step."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    part.replace(path)
