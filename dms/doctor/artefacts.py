"""The engines' files: are they the ones that were made, simplified, quantised by real data, proved.

An aspect that is well for all engines is one finding; each engine with a trouble has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from dms.config import EnginesConfig
from dms.doctor import graph
from dms.doctor.check import Check, Grade, fail, ok, warn
from dms.engines.contract import CONTRACTS
from dms.engines.gate import load_verdict
from dms.engines.limits import LEAST_IMAGES
from dms.engines.manifest import Manifest, load_manifest
from dms.engines.opening import artefact_for, cache_of, folder_of, options_of
from dms.engines.table import RANGES
from dms.errors import EngineError
from dms.files import sha256

RESTORE = "restore the folder engines/ from the release, or install the package again"


def checks(config: EnginesConfig) -> Iterator[Check]:
    """All checks of this module."""
    notes = []
    for net in CONTRACTS:
        try:
            notes.append(load_manifest(folder_of(config) / net))
        except EngineError as error:
            yield fail(f"manifest {net}", str(error), RESTORE)
    if notes:
        yield from _all("files", [files(note) for note in notes])
        yield from _all("simplified", [simplified(note) for note in notes])
        yield from _all("calibration", [calibration(note) for note in notes])
        yield from _all("proof", [proof(note, config) for note in notes])


def files(note: Manifest) -> Check:
    """Is every artefact there, whole and unchanged."""
    for precision in note.files:
        try:
            note.verified_path(precision)
        except EngineError as error:
            return fail(f"files {note.net}", str(error), RESTORE)
    return ok(note.net, f"{note.net} {len(note.files)}")


def simplified(note: Manifest) -> Check:
    """Was the graph freed of what an exporter leaves."""
    idle = 0
    for file in note.files.values():
        if not file.path.endswith(".onnx"):
            continue
        try:
            found = graph.operations(note.folder / file.path)
        except (OSError, ValueError) as error:
            return warn(f"simplified {note.net}", f"{file.path} cannot be read: {error}", RESTORE)
        idle += sum(found[name] for name in graph.IDLE)
    if not idle:
        return ok(note.net, note.net)
    cure = f"dms engines simplify {note.net}, then quantize and verify it again"
    return warn(f"simplified {note.net}", f"{idle} idle nodes ({', '.join(graph.IDLE)})", cure)


def calibration(note: Manifest) -> Check:
    """Were the ranges of INT8 taken from enough pictures, and are they the ones noted."""
    cure = f"dms engines quantize {note.net} --data <pictures>; docs/calibration.md collects them"
    name, pictures = f"calibration {note.net}", note.calibration.get("images")
    if not any("int8" in precision for precision in note.files):
        return ok(note.net, f"{note.net} has no INT8 file")
    if not isinstance(pictures, int):
        return warn(name, "nothing is noted of the pictures that the INT8 files were made with", cure)
    if pictures < LEAST_IMAGES:
        return warn(name, f"{pictures} pictures, fewer than {LEAST_IMAGES}", cure)
    ranges = note.folder / RANGES
    if not ranges.is_file() or sha256(ranges) != note.calibration.get("ranges_sha256"):
        return warn(name, f"{ranges} is missing or not the one that the INT8 files were made from", cure)
    return ok(note.net, f"{note.net} {pictures} pictures ({note.calibration.get('method')})")


def proof(note: Manifest, config: EnginesConfig) -> Check:
    """Was the artefact that is to run compared with FP32, on the runtime that is to run it."""
    own = getattr(config, note.net)
    try:
        artefact = artefact_for(note, own.precision, own.backend, options_of(own, config, lambda step: None))
    except EngineError as error:
        return warn(f"proof {note.net}", str(error), "choose another precision or backend")
    if artefact == "fp32":
        return ok(note.net, f"{note.net} runs FP32")
    name = f"proof {note.net}"
    found = note.proofs.get(artefact, {}).get(own.backend)
    if found is None and (loss := _gated_loss(note, artefact, own.backend, cache_of(config))) is not None:
        return ok(note.net, f"{note.net} {artefact} {loss:+.2f} (by the gate)")
    if found is None:
        detail = f"{artefact} was not compared with FP32 on the backend {own.backend}"
        return warn(
            name,
            detail,
            "the gate does it: dms engines build all --gate (with your --config; --data outside the sources)",
        )
    lost = f"{note.net} {artefact} {found.loss_points:+.2f}"
    if found.passed:
        return ok(note.net, lost)
    return warn(
        name, f"{lost} points lost, more than {found.limit_points:g} ({found.metric})", "choose fp16 or fp32"
    )


def _gated_loss(note: Manifest, artefact: str, runtime: str, cache: Path) -> float | None:
    """Points that the gate found lost here; None where it did not judge this file."""
    verdict = load_verdict(cache, note.net, runtime)
    for candidate in verdict.candidates if verdict else ():
        if candidate.sha256 == note.files[artefact].sha256 and candidate.figures:
            return candidate.figures.loss_points
    return None


_TOLD: dict[str, Callable[[Sequence[str]], str]] = {
    "files": lambda said: f"sizes and SHA-256 as the manifests say: {', '.join(said)}",
    "simplified": lambda said: f"no idle node in any ONNX graph: {', '.join(said)}",
    "calibration": lambda said: f"{', '.join(said)}",
    "proof": lambda said: f"points lost against FP32: {', '.join(said)}",
}


def _all(aspect: str, findings: Sequence[Check]) -> Iterator[Check]:
    """One finding for the engines that are well, and those of the others; the same of several is one."""
    well = [finding.detail for finding in findings if finding.grade is Grade.OK]
    if well:
        yield ok(aspect, _TOLD[aspect](well))
    alike: dict[tuple[Grade, str, str], list[Check]] = {}
    for finding in findings:
        if finding.grade is not Grade.OK:
            alike.setdefault((finding.grade, finding.detail, finding.cure), []).append(finding)
    for first, *more in alike.values():
        nets = ", ".join(finding.name.removeprefix(f"{aspect} ") for finding in (first, *more))
        several = replace(first, name=f"{aspect} ({1 + len(more)})", detail=f"{nets}: {first.detail}")
        yield several if more else first
