"""Judges and changed files for the gate."""

from __future__ import annotations

import hashlib

from dms.engines.candidates import Judge
from dms.engines.manifest import DataNote, Manifest, load_manifest, rewrite
from dms.engines.running import Infer, Task
from tests.unit.engines.tiny import pictures

IMAGES = pictures(16)
DATA = DataNote(name="mine", sha256="0" * 64, pictures=16)
STILL = Judge(Task(lambda infer: {"auc": 0.9 + 0 * float(infer(IMAGES)["state"][0, 0])}, "auc", 1), DATA)
"""Every file that runs is equally good."""


def with_file(note: Manifest, artefact: str, content: bytes) -> Manifest:
    """The engine with another file in the place of one, and a manifest that vouches for it."""
    file = note.files[artefact]
    (note.folder / file.path).write_bytes(content)
    told = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    rewrite(note.folder, files={**note.files, artefact: file.model_copy(update=told)})
    return load_manifest(note.folder)


def scored(*values: float) -> Judge:
    """The reference, the float file and INT8 score these, in this order."""
    left = iter(values)

    def measure(infer: Infer) -> dict[str, float]:
        infer(IMAGES)
        return {"auc": next(left)}

    return Judge(Task(measure, "auc", 1), DATA)
