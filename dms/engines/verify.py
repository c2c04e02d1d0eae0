"""Proving artefacts: each against FP32 on real inputs, by its outputs and by the task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dms.backends import BACKENDS, Backend, open_backend
from dms.control.sensors import processor
from dms.engines.limits import LIMIT_POINTS
from dms.engines.manifest import (
    DataNote,
    Manifest,
    OutputNote,
    Proof,
    check_signature,
    is_foreign,
    load_manifest,
    rewrite,
)
from dms.engines.running import Images, Infer, Task, over_batches
from dms.engines.table import RANGES
from dms.errors import EngineMismatch, EngineMissing, EngineUnavailable
from dms.files import sha256

Speeds = Mapping[tuple[str, str], float]
"""Milliseconds of one picture by (runtime, precision)."""


@dataclass(frozen=True)
class Verified:
    """Proofs by artefact; and which artefacts the runtime did not load, with its reason.

    `skipped` are those that it is never given (`ARTEFACTS`), such as the INT8 form made for another runtime.
    `refused` are those that it is: nothing was proved of what would run.
    """

    proofs: dict[str, Proof]
    skipped: dict[str, str]
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the runtime loads every artefact that it is given, and every one proved passed its gate."""
        return not self.refused and all(proof.passed for proof in self.proofs.values())


class Prover:
    """Holds what FP32, on ONNX Runtime, says and scores: all files on all runtimes are compared with it.

    Args:
        folder: the engine's folder.
        images: inputs to compare outputs on, uint8 (n, 1, height, width).
        task: the judge.
        data: the pictures that images and task were made from.
        limit_points: what may be lost.

    Raises:
        EngineError: the FP32 file or the ranges are missing, changed, or not those recorded.
    """

    def __init__(
        self, folder: Path, images: Images, task: Task, data: DataNote, limit_points: float = LIMIT_POINTS
    ) -> None:
        self._note = load_manifest(folder)
        self._images, self._task, self._data, self._limit_points = images, task, data, limit_points
        _check_ranges(self._note)
        with closing(_opened(self._note, "fp32", "ort")) as running:
            infer = over_batches(running)
            self._score, self._outputs = task.score(infer), infer(images)

    def prove(self, backend: str, told: Callable[[str], None] = lambda precision: None) -> Verified:
        """Compare every file in the format of a runtime; `told` hears which one is at work.

        Returns:
            The proofs, those that failed the gate among them, and what the runtime did not load.

        Raises:
            EngineUnavailable: the runtime can run none of the files here.
            EngineError: a file is missing, changed or of another signature, or the runtime cannot load one
                it must load.
        """
        proofs: dict[str, Proof] = {}
        unloaded: dict[str, str] = {}
        for precision in self._note.readable(backend):
            if (precision, backend) == ("fp32", "ort"):
                continue
            told(precision)
            try:
                running = _opened(self._note, precision, backend)
            except (_Foreign, EngineUnavailable) as why:
                unloaded[precision] = str(why)
                continue
            with closing(running):
                proofs[precision] = self._proof(over_batches(running))
        if not proofs:
            raise EngineUnavailable(
                "; ".join(dict.fromkeys(unloaded.values()))
                or f"engine {self._note.net} has no file for {BACKENDS[backend].title}"
            )
        skipped = {p: why for p, why in unloaded.items() if is_foreign(p, backend)}
        refused = {p: why for p, why in unloaded.items() if p not in skipped}
        return Verified(proofs, skipped, refused)

    def _proof(self, infer: Infer) -> Proof:
        after, outputs = self._task.score(infer), infer(self._images)
        loss = self._task.loss_points(self._score, after)
        return Proof(
            metric=self._task.metric,
            data=self._data,
            before=round(self._score, 6),
            after=round(after, 6),
            loss_points=round(loss, 4),
            limit_points=self._limit_points,
            passed=loss <= self._limit_points,
            inputs=len(self._images),
            outputs={name: _difference(outputs[name], values) for name, values in self._outputs.items()},
        )


def record(folder: Path, found: Mapping[str, Verified], speeds_ms: Speeds | None = None) -> None:
    """Write the proofs of each runtime, and speeds by (runtime, precision) if any, into an engine's manifest.

    Raises:
        EngineError: there is no sound manifest.
        InputError: it cannot be written.
    """
    proofs = {precision: dict(by) for precision, by in load_manifest(folder).proofs.items()}
    for backend, verified in found.items():
        for precision, proof in verified.proofs.items():
            proofs.setdefault(precision, {})[backend] = proof
    changes: dict[str, Any] = {"proofs": proofs}
    if speeds_ms is not None:
        changes |= {"speed_ms": speeds_to_dict(speeds_ms), "measured_on": processor()}
    rewrite(folder, **changes)


def to_dict(found: Verified) -> dict[str, Any]:
    """Plain values for JSON: proofs and reasons of what was skipped or refused, by artefact."""
    return {
        "proofs": {
            precision: proof.model_dump(exclude={"data"}) for precision, proof in found.proofs.items()
        },
        "skipped": found.skipped,
        "refused": found.refused,
    }


def text(net: str, backend: str, found: Verified) -> str:
    """The proofs for a terminal."""
    lines = [f"{net} on {BACKENDS[backend].title}"]
    for precision, proof in found.proofs.items():
        verdict = "ok" if proof.passed else f"FAILED: more than {proof.limit_points:g} points lost"
        lines.append(
            f"  {precision:<9} {proof.metric} {100 * proof.before:.2f} -> {100 * proof.after:.2f} % "
            f"(lost {proof.loss_points:+.3f})  {verdict}"
        )
        lines += [
            f"    {name:<15} max error {output.max_error:.4g}, mean {output.mean_error:.4g}"
            for name, output in proof.outputs.items()
        ]
    lines += [f"  {precision:<9} skipped: {why}" for precision, why in found.skipped.items()]
    lines += [f"  {precision:<9} REFUSED: {why}" for precision, why in found.refused.items()]
    return "\n".join(lines)


def speeds_text(speeds_ms: Speeds) -> str:
    """Milliseconds for a terminal, a line a runtime."""
    return "\n".join(
        f"  ms on {BACKENDS[runtime].title}: " + ", ".join(f"{p} {spent:.2f}" for p, spent in by.items())
        for runtime, by in speeds_to_dict(speeds_ms).items()
    )


def speeds_to_dict(speeds_ms: Speeds) -> dict[str, dict[str, float]]:
    """Milliseconds by runtime and precision."""
    found: dict[str, dict[str, float]] = {}
    for (runtime, precision), spent_ms in speeds_ms.items():
        found.setdefault(runtime, {})[precision] = round(spent_ms, 4)
    return found


class _Foreign(EngineMismatch):
    """A runtime cannot load what it is never given."""


def _opened(note: Manifest, precision: str, backend: str) -> Backend:
    path = note.verified_path(precision)
    try:
        running = open_backend(backend, path)
    except EngineMismatch as error:
        if is_foreign(precision, backend):
            raise _Foreign(str(error)) from error
        raise
    check_signature(running.inputs, running.outputs, note)
    return running


def _difference(found: np.ndarray, reference: np.ndarray) -> OutputNote:
    apart = np.abs(found - reference)
    return OutputNote(
        max_error=round(float(apart.max()), 6),
        mean_error=round(float(apart.mean()), 6),
        spread=round(float(reference.std()), 6),
    )


def _check_ranges(note: Manifest) -> None:
    recorded = note.calibration.get("ranges_sha256")
    if recorded is None:
        return
    path = note.folder / RANGES
    if not path.is_file():
        raise EngineMissing(
            f"{path} is missing, from which the INT8 files were made; quantise {note.net} again"
        )
    if sha256(path) != recorded:
        raise EngineMismatch(f"{path} was changed since the INT8 files were made; quantise {note.net} again")
