"""Which precision to take on this device: what `dms engines build --gate` found, and where it is kept.

One verdict a net and runtime, `<cache>/gate/<net>.<runtime>.json`. It counts only on the device, with the
versions and for the very files that it was found with.
"""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from dms.backends import BACKENDS, Options
from dms.control.sensors import Sensors, processor
from dms.engines.manifest import DataNote, Manifest
from dms.errors import EngineUnavailable, InputError
from dms.files import require_folder, write_atomically

log = logging.getLogger(__name__)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Conditions(_Strict):
    """Where engines were timed: what may change which of two files is the faster one.

    `gpu` is None for runtimes of the processor, and where the bindings that could tell are not installed.
    `l4t` and `power_mode` are those of a Jetson, None elsewhere; a mode of None beside an `l4t` could not be
    read. `max_batch` is the most pictures of one call.
    """

    device: str
    gpu: str | None
    l4t: str | None
    power_mode: str | None
    runtime: str
    threads: int
    max_batch: int
    delegate: str | None


class Figures(_Strict):
    """What a candidate takes for one image, and how well it does on the task."""

    p50_ms: float
    p95_ms: float
    score: float
    loss_points: float


class Candidate(_Strict):
    """A file that may be taken; `refused` tells why there are no figures, where it does not run here."""

    precision: str
    artefact: str
    sha256: str | None
    figures: Figures | None
    refused: str = ""


class SpeedUp(_Strict):
    """How many times as fast INT8 is as the float file: the middle turn, and the quartiles of all turns."""

    median: float
    low: float
    high: float


class Verdict(_Strict):
    """What the gate found for one net and runtime on this device.

    `chosen` is the precision to take, None where no file passed. Losses are in points of `metric` against
    `reference`, the score of FP32 on ONNX Runtime, on the pictures `data`.
    """

    version: Literal[1] = 1
    net: str
    runtime: str
    chosen: str | None
    reason: str
    candidates: tuple[Candidate, ...]
    speed_up: SpeedUp | None
    metric: str
    reference: float
    limit_points: float
    data: DataNote
    conditions: Conditions
    dms: str
    date: str

    def save(self, cache: Path) -> Path:
        """Keep it, whole or not at all; returns where.

        Raises:
            InputError: the folder cannot be written to, or is full.
        """
        path = _path(cache, self.net, self.runtime)
        make_room(cache)
        write_atomically(path, self.model_dump_json(indent=2) + "\n")
        return path

    def outdated(self, note: Manifest, now: Conditions) -> str:
        """What has changed since, or cannot be known; empty where the verdict still counts."""
        for candidate in self.candidates:
            file = note.files.get(candidate.artefact)
            if candidate.sha256 != (file.sha256 if file else None):
                return f"the {candidate.artefact} file is another one"
        if now.l4t is not None and now.power_mode is None:
            return "the power mode cannot be read: `nvpmodel -q` must answer the user that runs this"
        for name in Conditions.model_fields:
            was, is_now = getattr(self.conditions, name), getattr(now, name)
            if was != is_now:
                return f"{name.replace('_', ' ')} was {was}, is {is_now}"
        return ""


def load_verdict(cache: Path, net: str, runtime: str) -> Verdict | None:
    """The verdict kept for a net and runtime; None where there is none, or a damaged one, which is logged."""
    path = _path(cache, net, runtime)
    try:
        return Verdict.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("%s is damaged and left aside: %s", path, str(error).splitlines()[0])
        return None


def make_room(cache: Path) -> None:
    """Make the folder of the verdicts: before minutes of judging, not after.

    Raises:
        InputError: it cannot be made or written to.
    """
    folder = _path(cache, "any", "any").parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"cannot make {folder}: {e.strerror}; choose another folder by --cache") from e
    require_folder(folder / "any")


def chosen_precision(note: Manifest, runtime: str, options: Options) -> str:
    """The precision that passed the gate for this net, runtime and device.

    Without a verdict that counts it is the float precision of the runtime, for nobody knows that INT8 does
    here; `int8`, which passed the gate of the release, only where the float file is not there. Both is told.

    Raises:
        EngineUnavailable: the gate found no file fit to run here.
    """
    found = load_verdict(options.cache, note.net, runtime) if options.cache else None
    kept = f" --cache {options.cache}" if options.cache else ""
    cure = (
        f"run `dms engines build {note.net} --backend {runtime} --gate{kept}` with your --config, and with "
        "--data calib_data outside the sources"
    )
    changed = found.outdated(note, conditions(runtime, options)) if found else ""
    if found is None or changed:
        precision, lacking = _without_verdict(note, runtime)
        why = (f"the gate counts no more ({changed})" if changed else "no gate was run") + lacking
        log.warning("engine %s on %s: best means %s, %s; %s", note.net, runtime, precision, why, cure)
        return precision
    if found.chosen is None:
        raise EngineUnavailable(f"engine {note.net} failed the gate on this device: {found.reason}; {cure}")
    return found.chosen


def _without_verdict(note: Manifest, runtime: str) -> tuple[str, str]:
    """The precision to take, and what is lacking for a better one."""
    precision = BACKENDS[runtime].float_precision
    artefact = note.precision_for(precision, runtime)
    if artefact in note.files:
        return precision, ""
    return "int8", f" and there is no {artefact} file"


def conditions(runtime: str, options: Options, sensors: Sensors | None = None) -> Conditions:
    """Where an engine opened on `runtime` with these options runs now; `sensors`: those of this machine."""
    sensors = sensors or Sensors()
    return Conditions(
        device=sensors.model() or processor(),
        gpu=_gpu() if BACKENDS[runtime].nvidia else None,
        l4t=sensors.l4t(),
        power_mode=sensors.power_mode(),
        runtime=_version(runtime),
        threads=options.threads,
        max_batch=options.max_batch,
        delegate=str(options.delegate) if options.delegate else None,
    )


def _gpu() -> str | None:
    from dms.backends.cuda.runtime import Device

    try:
        return str(Device().info)
    except EngineUnavailable:
        return None


def _version(runtime: str) -> str:
    """Package and version of the library that the adapter takes."""
    if BACKENDS[runtime].tensorrt:
        return _tensorrt()
    refused = "not installed"
    for package in filter(find_spec, BACKENDS[runtime].packages):
        try:
            return f"{package} {import_module(package).__version__}"
        except (ImportError, OSError) as error:  # OSError: the package is here, its libraries are not
            refused = f"{package} that cannot be imported ({error})"
    return refused


def _tensorrt() -> str:
    from dms.backends.trt_api import load_tensorrt

    try:
        api = load_tensorrt()
    except EngineUnavailable as error:
        return str(error)
    return f"{api.flavour} {api.version}"


def _path(cache: Path, net: str, runtime: str) -> Path:
    return cache / "gate" / f"{net}.{runtime}.json"
