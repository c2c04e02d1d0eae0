"""Opening an engine as configured: the file, proved; its runtime, or the next one where that cannot."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dms.backends import BACKENDS, Backend, Options, open_backend
from dms.backends.checked import CheckedBackend
from dms.backends.device import DeviceEngine
from dms.config import EngineConfig, EnginesConfig
from dms.engines.gate import Verdict, chosen_precision, conditions, load_verdict
from dms.engines.manifest import OPTIONAL, Manifest, check_signature, load_manifest
from dms.errors import EngineError, EngineMissing, EngineUnavailable
from dms.resources import cache_folder, engines_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """An engine that is ready, and what it is: `runtime` runs the file `artefact` (SHA-256 `sha256`).

    `device` is the engine itself where it computes in the memory of a GPU.
    """

    backend: Backend
    runtime: str
    artefact: str
    version: str
    sha256: str
    device: DeviceEngine | None = None

    def __str__(self) -> str:
        """As every event states it."""
        return f"{self.version} {self.artefact} {self.runtime} sha256:{self.sha256:.12}"


def open_engine(name: str, config: EnginesConfig, told: Callable[[str], None] = lambda step: None) -> Opened:
    """Load the engine `name`, proved against its manifest and contract.

    Where its runtime cannot run it here, the runtime `config.fallback` does, and that is logged as a warning.

    Args:
        name: the net.
        config: which file, which runtime, what else to try.
        told: hears what takes long.

    Raises:
        EngineMissing: no such file.
        EngineMismatch: truncated, changed, or another net.
        EngineUnavailable: no runtime could run it; the text tells why of each.
    """
    own: EngineConfig = getattr(config, name)
    note = load_manifest(folder_of(config) / name)
    options = options_of(own, config, told)
    refused: list[str] = []
    for runtime in dict.fromkeys(filter(None, (own.backend, config.fallback))):
        if refused:
            log.warning("engine %s is tried on %s instead", name, BACKENDS[runtime].title)
        try:
            artefact = artefact_for(note, own.precision, runtime, options)
            path = note.verified_path(artefact)
        except EngineUnavailable as error:  # the gate's; a bad file is no reason to try another runtime
            refused.append(_told_refusal(name, runtime, error))
            continue
        try:
            backend = open_backend(runtime, path, options)
        except EngineError as error:
            refused.append(_told_refusal(name, runtime, error))
            continue
        return proved(backend, note, runtime, artefact)
    raise EngineUnavailable(f"engine {name} cannot be run. " + ". ".join(refused))


def open_cheapest(
    name: str, config: EnginesConfig, opened: Opened, told: Callable[[str], None] = lambda step: None
) -> Opened | None:
    """The other form of an engine that may be the cheaper one, on the runtime that runs it now.

    That is the gate's choice on this device; without a verdict that counts INT8, which passed the release's.
    Whether it is cheaper than `opened` is for those to measure who run both (`stages.views.open_sight`).
    None: `opened` is that form already, or there is no other that may be taken. It never ends the start, for
    the configured engine does the work: what cannot be opened is told as a warning, and so is a configured
    form that failed the gate here.
    """
    own: EngineConfig = getattr(config, name)
    note = load_manifest(folder_of(config) / name)
    options = options_of(own, config, told)
    verdict = _counting_verdict(note, opened.runtime, options)
    if verdict is not None:
        _tell_failed(verdict, opened)
    precision = verdict.chosen if verdict else _released_precision(note, opened.runtime)
    artefact = note.precision_for(precision, opened.runtime) if precision else opened.artefact
    if artefact == opened.artefact or artefact not in note.readable(opened.runtime):
        return None
    try:
        backend = open_backend(opened.runtime, note.verified_path(artefact), options)
        return proved(backend, note, opened.runtime, artefact)
    except EngineError as error:
        log.warning(
            "engine %s: the cheaper %s is not to be had, levels 2 to 4 go without it: %s",
            name,
            artefact,
            error,
        )
        return None


def _counting_verdict(note: Manifest, runtime: str, options: Options) -> Verdict | None:
    """What the gate found on this device, if it counts."""
    verdict = load_verdict(options.cache, note.net, runtime) if options.cache else None
    if verdict is None or verdict.outdated(note, conditions(runtime, options)):
        return None
    return verdict


def _tell_failed(verdict: Verdict, opened: Opened) -> None:
    """Warn where the configured form loses too much on this device, whatever the level."""
    found = next((c.figures for c in verdict.candidates if c.artefact == opened.artefact), None)
    if found is not None and found.loss_points > verdict.limit_points:
        log.warning(
            "engine %s: the configured %s failed the gate on this device: it loses %.2f points, more than "
            "%g; set engines.%s.precision: best to run what passed",
            verdict.net,
            opened.artefact,
            found.loss_points,
            verdict.limit_points,
            verdict.net,
        )


def _released_precision(note: Manifest, runtime: str) -> str | None:
    """INT8, but for a file that is known to fail."""
    proof = note.proofs.get(note.precision_for("int8", runtime), {}).get(runtime)
    return "int8" if proof is None or proof.passed else None


def folder_of(config: EnginesConfig) -> Path:
    """Where the engines lie."""
    return Path(config.folder) if config.folder else engines_folder()


def cache_of(config: EnginesConfig) -> Path:
    """Where what is built on this device is kept."""
    return Path(config.cache) if config.cache else cache_folder()


def options_of(
    own: EngineConfig, config: EnginesConfig, told: Callable[[str], None] = lambda step: None
) -> Options:
    """How the engine configured as `own` is opened; `told` hears what takes long."""
    return Options(
        threads=own.threads,
        delegate=Path(own.delegate) if own.delegate else None,
        cache=cache_of(config),
        max_batch=config.max_batch,
        told=told,
    )


def artefact_for(note: Manifest, precision: str, runtime: str, options: Options) -> str:
    """The file that a runtime is given for a configured precision; for `best` the gate's choice.

    Raises:
        EngineMissing: there is none; the text names those that there are.
        EngineUnavailable: no file passed the gate on this device.
    """
    if precision == "best":
        precision = chosen_precision(note, runtime, options)
    artefact = note.precision_for(precision, runtime)
    if artefact not in note.readable(runtime):
        known = ", ".join(note.readable(runtime)) or "none"
        there = (
            "point engines.folder to a checkout's engines/, which has it, " if artefact in OPTIONAL else ""
        )
        raise EngineMissing(
            f"engine {note.net} has no {precision} file for {BACKENDS[runtime].title}, only {known}; "
            f"{there}choose another precision or another backend"
        )
    return artefact


def proved(backend: Backend, note: Manifest, runtime: str, artefact: str) -> Opened:
    """A loaded backend as an engine: of the right signature, and its answers checked; else it is closed.

    Raises:
        EngineMismatch: the file takes or gives something else than the manifest says.
    """
    try:
        check_signature(backend.inputs, backend.outputs, note)
    except EngineError:
        backend.close()
        raise
    checked = CheckedBackend(note.net, backend)
    device: DeviceEngine | None = getattr(backend, "device", None)
    return Opened(checked, runtime, artefact, note.version, note.files[artefact].sha256, device)


def _told_refusal(name: str, runtime: str, error: EngineError) -> str:
    log.warning("engine %s cannot run on %s: %s", name, BACKENDS[runtime].title, error)
    return f"{BACKENDS[runtime].title}: {error}"
