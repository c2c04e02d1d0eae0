"""Compiled engines kept on the device they were built on: what each is for, and when it must be built anew.

`PLANS` in the cache folder holds, for each engine file, a plan, a note beside it that vouches for it, and one
timing cache a device and version. Nothing here knows what a plan is made with.
"""

from __future__ import annotations

import hashlib
import re
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dms.engines.lock import locked
from dms.errors import InputError
from dms.files import write_bytes_atomically, write_together

PLANS = "plans"
WAIT_S = 900.0
"""How long another process may hold the folder before this one builds for itself. A guess: nets of this size
take seconds to minutes."""

T = TypeVar("T")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlanKey(_Strict):
    """All that a plan depends on: one difference, and it is built anew.

    `cuda` is the newest CUDA that the driver speaks, `driver` its own version, None where the system does not
    tell; `compute_capability` is 87 for 8.7. `l4t` and `power_mode` tell a Jetson's system and mode, None
    elsewhere; a mode of None beside an `l4t` could not be read. `options` are those of the builder.
    """

    onnx_sha256: str
    flavour: str
    version: str
    cuda: str
    driver: str | None
    gpu: str
    compute_capability: int
    multiprocessors: int
    l4t: str | None
    power_mode: str | None
    options: dict[str, int]

    def differences(self, other: PlanKey) -> str:
        """What of `other` is not as here, for a reader; empty where a plan for `other` will do.

        A mode that cannot be read now is no difference: a plan computes the same in every mode, and may at
        worst be slower than another.
        """
        mine, its = self.model_dump(exclude=self._unread), other.model_dump(exclude=self._unread)
        return ", ".join(
            f"{name} {its[name]} is now {mine[name]}" for name in mine if mine[name] != its[name]
        )

    @property
    def _unread(self) -> set[str]:
        return {"power_mode"} if self.l4t is not None and self.power_mode is None else set()

    @property
    def timing_file(self) -> str:
        """Where the timings of this device and version are kept."""
        words = f"{self.flavour} {self.version} {self.gpu} sm{self.compute_capability}"
        return re.sub(r"[^A-Za-z0-9.]+", "-", words) + ".timing"


class PlanNote(_Strict):
    """What lies beside a plan: its key, its hash, how it was made, and what was measured of it here.

    `strongly_typed` is False where the builder refused that and chose types by its flags. The median and 95th
    percentile of one run, and the loss of the task's metric against FP32, are filled by the gate.
    """

    key: PlanKey
    sha256: str
    build_s: float
    strongly_typed: bool
    p50_ms: float | None = None
    p95_ms: float | None = None
    loss_points: float | None = None

    def content(self) -> bytes:
        """As it is written to the disk."""
        return (self.model_dump_json(indent=2) + "\n").encode("utf-8")


@dataclass(frozen=True)
class Built:
    """What a builder made: the plan, and the timings it found on the way (empty: it keeps none)."""

    plan: bytes
    timing: bytes = b""
    strongly_typed: bool = True


Build = Callable[[bytes], Built]
"""Makes a plan, given the timings of earlier builds (or nothing)."""


class Plans:
    """The plans below a cache folder; None keeps none. `told` hears what is done and why."""

    def __init__(self, cache: Path | None, told: Callable[[str], None], wait_s: float = WAIT_S) -> None:
        self._folder = cache / PLANS if cache else None
        self._told = told
        self._wait_s = wait_s

    def load(self, name: str, key: PlanKey, read: Callable[[bytes], T | None], build: Build) -> T | None:
        """What `read` makes of the plan kept as `name`, or of a new one; None if it can read neither.

        Args:
            name: of the plan, a file name without ending.
            key: what the plan must be for.
            read: makes an engine of a plan; None where it cannot.
            build: called at most once; what it raises passes through, and nothing is kept.
        """
        kept, reason = self._kept(name, key)
        loaded = None if kept is None else read(kept)
        if loaded is not None:
            self._tell_mode(name, key)
            return loaded
        self._told(f"{name}: {reason or 'the kept plan cannot be loaded'}; it is built now")
        with ExitStack() as stack:
            folder = self._writable(name, stack)
            made = self._kept(name, key)[0] if folder else None
            # Another process may have built it while this one waited.
            loaded = None if made is None or made == kept else read(made)
            return read(self._build(name, key, build, folder)) if loaded is None else loaded

    def note(self, name: str) -> PlanNote | None:
        """The note of the plan `name`; None if there is none that can be read."""
        return _read_note(_note_path(self._folder, name)) if self._folder else None

    def record(self, name: str, key: PlanKey, p50_ms: float, p95_ms: float, loss_points: float) -> None:
        """Add to a kept plan's note what was measured of it.

        Raises:
            InputError: there is no such plan for `key`, or its note cannot be written.
        """
        measured = {"p50_ms": p50_ms, "p95_ms": p95_ms, "loss_points": loss_points}
        with ExitStack() as stack:
            # Held, or a plan that another process builds meanwhile would get the note of the older one.
            folder = self._writable(name, stack) if self.note(name) else None
            note = self.note(name)
            if folder is None or note is None or key.differences(note.key):
                raise InputError(
                    f"no plan {name} for this device is kept in a folder that can be written to; build it "
                    "first: `dms engines build`"
                )
            write_bytes_atomically(_note_path(folder, name), note.model_copy(update=measured).content())

    def _tell_mode(self, name: str, key: PlanKey) -> None:
        note = self.note(name)
        if note is not None and note.key.power_mode != key.power_mode:
            self._told(
                f"{name}: the power mode cannot be read, so the plan built for {note.key.power_mode} is "
                "used; `nvpmodel -q` must answer the user that runs this"
            )

    def _kept(self, name: str, key: PlanKey) -> tuple[bytes | None, str]:
        """The plan kept for `key`, whole and unchanged; or None and the reason."""
        note = self.note(name)
        if self._folder is None or note is None:
            return None, "no plan is kept"
        differences = key.differences(note.key)
        if differences:
            return None, f"the kept plan is for another case ({differences})"
        try:
            plan = _plan_path(self._folder, name).read_bytes()
        except OSError as error:
            return None, f"the kept plan cannot be read ({error.strerror})"
        if hashlib.sha256(plan).hexdigest() != note.sha256:
            return None, "the kept plan is truncated or was changed"
        return plan, ""

    def _writable(self, name: str, stack: ExitStack) -> Path | None:
        """The folder, held against other processes until `stack` ends; None where nothing can be kept."""
        if self._folder is None:
            return None

        def waiting(holder: str) -> None:
            self._told(f"{name}: waiting for process {holder}, which is building in {self._folder}")

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(self._folder / "build.lock", self._wait_s, waiting))
        except OSError as error:
            why = error.strerror or error
            self._told(f"{name}: cannot write to {self._folder} ({why}); the plan will not be kept")
            return None
        return self._folder

    def _build(self, name: str, key: PlanKey, build: Build, folder: Path | None) -> bytes:
        self._told(f"{name}: building for {key.gpu}, {self._estimate(name, key)}")
        started_s = time.monotonic()
        built = build(_read_timing(folder / key.timing_file) if folder else b"")
        build_s = time.monotonic() - started_s
        self._told(f"{name}: built in {build_s:.1f} s, {len(built.plan) / 2**20:.1f} MB")
        if folder is not None:
            self._keep(folder, name, key, built, build_s)
        return built.plan

    def _keep(self, folder: Path, name: str, key: PlanKey, built: Built, build_s: float) -> None:
        note = PlanNote(
            key=key,
            sha256=hashlib.sha256(built.plan).hexdigest(),
            build_s=round(build_s, 3),
            strongly_typed=built.strongly_typed,
        )
        files = {folder / key.timing_file: built.timing} if built.timing else {}
        files[_plan_path(folder, name)] = built.plan
        files[_note_path(folder, name)] = note.content()  # last: it vouches for the plan
        try:
            write_together(files)
        except InputError as error:
            self._told(f"{name}: the plan cannot be kept and will be built again at the next start: {error}")

    def _estimate(self, name: str, key: PlanKey) -> str:
        """How long earlier builds took on this GPU: of this very net if there was one."""
        found = self._folder.glob("*.json") if self._folder else ()
        notes = {path.name.removesuffix(".json"): _read_note(path) for path in found}
        took_s = {n: note.build_s for n, note in notes.items() if note and note.key.gpu == key.gpu}
        if name in took_s:
            return f"which took {took_s[name]:.0f} s the last time"
        if took_s:
            builds = "1 earlier build" if len(took_s) == 1 else f"{len(took_s)} earlier builds"
            return f"about {statistics.median(took_s.values()):.0f} s by {builds} here"
        return "no earlier build here tells how long it takes"


def _plan_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.plan"


def _note_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def _read_note(path: Path) -> PlanNote | None:
    try:
        return PlanNote.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _read_timing(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
