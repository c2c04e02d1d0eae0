"""Proving artefacts: each against FP32 on real inputs, by its outputs and by the task."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dms.backends import Backend, open_backend
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
from dms.engines.running import Images, Infer, Outputs, Task, over_batches
from dms.engines.table import RANGES
from dms.errors import EngineMismatch, EngineMissing

Speeds = Mapping[tuple[str, str], float]
"""Milliseconds of one picture by (runtime, precision)."""


@dataclass(frozen=True)
class Verified:
    """Proofs by artefact; and which artefacts were skipped because the runtime refuses them, with its reason.

    Only the INT8 form made for another runtime may be skipped.
    """

    proofs: dict[str, Proof]
    skipped: dict[str, str]

    @property
    def passed(self) -> bool:
        """Whether every artefact that was proved passed its gate."""
        return all(proof.passed for proof in self.proofs.values())


def verify(
    folder: Path,
    images: Images,
    task: Task,
    data: DataNote,
    backend: str = "ort",
    limit_points: float = LIMIT_POINTS,
    told: Callable[[str], None] = lambda precision: None,
) -> Verified:
    """Compare every artefact that a runtime can run with the engine's FP32 file.

    Args:
        folder: the engine's folder.
        images: inputs to compare outputs on, uint8 (n, 1, height, width).
        task: the judge.
        data: the pictures that images and task were made from.
        backend: the runtime the artefacts run on; FP32, the reference, runs on ONNX Runtime.
        limit_points: what may be lost.
        told: hears which artefact is being proved.

    Returns:
        The proofs, those that failed the gate among them.

    Raises:
        EngineError: a file is missing, changed, of another signature, or of other ranges than recorded, or
            the runtime cannot load one it must load.
    """
    note = load_manifest(folder)
    _check_ranges(note)
    told("fp32")
    with closing(_opened(note, "fp32", "ort")) as running:
        reference = _Reference.of(over_batches(running), images, task)
    proofs: dict[str, Proof] = {}
    skipped: dict[str, str] = {}
    for precision in note.readable(backend):
        if (precision, backend) == ("fp32", "ort"):
            continue
        told(precision)
        try:
            running = _opened(note, precision, backend)
        except _Refused as refused:
            skipped[precision] = str(refused)
            continue
        with closing(running):
            proofs[precision] = reference.proof(over_batches(running), data, limit_points)
    return Verified(proofs, skipped)


def record(
    folder: Path,
    backend: str,
    proofs: Mapping[str, Proof],
    speeds_ms: Speeds | None = None,
) -> None:
    """Write the proofs on a runtime, and speeds by (runtime, precision) if any, into an engine's manifest.

    Raises:
        EngineError: there is no sound manifest.
        InputError: it cannot be written.
    """
    note = load_manifest(folder)
    merged = {p: {**note.proofs.get(p, {}), backend: proof} for p, proof in proofs.items()}
    changes: dict[str, Any] = {"proofs": {**note.proofs, **merged}}
    if speeds_ms is not None:
        changes |= {"speed_ms": _by_runtime(speeds_ms), "measured_on": processor()}
    rewrite(folder, **changes)


def to_dict(found: Verified, speeds_ms: Speeds | None = None) -> dict[str, Any]:
    """Plain values for JSON: proofs and reasons of what was skipped by artefact, milliseconds by runtime."""
    plain: dict[str, Any] = {
        "proofs": {
            precision: proof.model_dump(exclude={"data"}) for precision, proof in found.proofs.items()
        },
        "skipped": found.skipped,
    }
    return plain if speeds_ms is None else {**plain, "ms": _by_runtime(speeds_ms)}


def text(net: str, backend: str, found: Verified, speeds_ms: Speeds | None = None) -> str:
    """The proofs for a terminal."""
    lines = [f"{net} on {backend}"]
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
    lines += [
        f"  {precision:<9} skipped, made for another runtime: {why}"
        for precision, why in found.skipped.items()
    ]
    for runtime, by_precision in _by_runtime(speeds_ms or {}).items():
        times = ", ".join(f"{precision} {spent:.2f}" for precision, spent in by_precision.items())
        lines.append(f"  ms on {runtime}: {times}")
    return "\n".join(lines)


def _by_runtime(speeds_ms: Speeds) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for (runtime, precision), spent_ms in speeds_ms.items():
        found.setdefault(runtime, {})[precision] = round(spent_ms, 4)
    return found


def processor() -> str:
    """The processor's name, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


class _Refused(EngineMismatch):
    """A runtime cannot load the INT8 form that was made for another one."""


def _opened(note: Manifest, precision: str, backend: str) -> Backend:
    path = note.verified_path(precision)
    try:
        running = open_backend(backend, path)
    except EngineMismatch as error:
        if is_foreign(precision, backend):
            raise _Refused(str(error)) from error
        raise
    check_signature(running.inputs, running.outputs, note)
    return running


@dataclass(frozen=True)
class _Reference:
    """What FP32 says and how it is judged: all others are compared with it."""

    images: Images
    task: Task
    score: float
    outputs: Outputs

    @classmethod
    def of(cls, infer: Infer, images: Images, task: Task) -> _Reference:
        return cls(images, task, task.score(infer), infer(images))

    def proof(self, infer: Infer, data: DataNote, limit_points: float) -> Proof:
        after, outputs = self.task.score(infer), infer(self.images)
        loss = self.task.loss_points(self.score, after)
        return Proof(
            metric=self.task.metric,
            data=data,
            before=round(self.score, 6),
            after=round(after, 6),
            loss_points=round(loss, 4),
            limit_points=limit_points,
            passed=loss <= limit_points,
            inputs=len(self.images),
            outputs={name: _difference(values, outputs[name]) for name, values in self.outputs.items()},
        )


def _difference(one: np.ndarray, other: np.ndarray) -> OutputNote:
    apart = np.abs(one - other)
    return OutputNote(max_error=round(float(apart.max()), 6), mean_error=round(float(apart.mean()), 6))


def _check_ranges(note: Manifest) -> None:
    recorded = note.calibration.get("ranges_sha256")
    if recorded is None:
        return
    path = note.folder / RANGES
    if not path.is_file():
        raise EngineMissing(
            f"{path} is missing, from which the INT8 files were made; quantise {note.net} again"
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != recorded:
        raise EngineMismatch(f"{path} was changed since the INT8 files were made; quantise {note.net} again")
