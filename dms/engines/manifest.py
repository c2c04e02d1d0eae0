"""The note beside every engine: which files belong to it, what goes in and out, what it was trained on.

Nothing is loaded that the note does not vouch for: a missing, truncated, changed or foreign file is refused
before a runtime sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, field_validator

from dms.backends import BACKENDS, TensorSpec
from dms.engines.contract import CONTRACTS
from dms.errors import EngineMismatch, EngineMissing
from dms.files import sha256, write_bytes_atomically

NAME = "manifest.json"
CURE = "restore the folder from the release, or make it again (`dms engines export`, then `quantize`)"
ARTEFACTS = {backend: runtime.artefacts for backend, runtime in BACKENDS.items()}
"""Which artefact a runtime is given for a precision."""
INT8_FORMS = {backend: forms["int8"] for backend, forms in ARTEFACTS.items()}
PRECISIONS = ("fp32", "fp16", "cpu.int8", "trt.int8", "qnn.int8", "lite.fp32", "lite.int8")
"""The artefacts there are, in the order of tables."""
OPTIONAL = frozenset({"lite.fp32", "qnn.int8"})
"""Artefacts that only a checkout has: without its file, such a row of a manifest does not count."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineFile(_Strict):
    """One artefact: file name within the engine's folder, SHA-256 in hex, size."""

    path: str
    sha256: str
    bytes: int


class TensorNote(_Strict):
    """One input or output; None in `shape` is the free batch dimension, `dtype` a NumPy name."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class OutputNote(_Strict):
    """Largest and mean difference of an output from the FP32 engine's, in the output's unit.

    `spread` is the standard deviation of what FP32 says, in the same unit: a difference is small against it.
    """

    max_error: float
    mean_error: float
    spread: float | None = None


class DataNote(_Strict):
    """The labelled pictures a figure was measured on: name, SHA-256 of pictures and labels, how many."""

    name: str
    sha256: str
    pictures: int

    def __str__(self) -> str:
        """For a reader."""
        return f"`{self.name}` ({self.pictures:,} pictures, SHA-256 {self.sha256:.12})"


class Proof(_Strict):
    """What `dms engines verify` found for one artefact on one runtime, against FP32 on real inputs.

    `metric` is the one that gates, `data` the pictures it was measured on; `outputs` are compared on `inputs`
    of them.
    """

    metric: str
    data: DataNote
    before: float
    after: float
    loss_points: float
    limit_points: float
    passed: bool
    inputs: int
    outputs: dict[str, OutputNote]


class Manifest(_Strict):
    """What is known of one engine.

    `files` holds the artefacts by name, one of `PRECISIONS`. `float_nodes` are the graph nodes kept out of
    INT8, `calibration` tells the ranges they were quantised by. `metrics` are the validation figures of each
    artefact, `proofs` the comparisons with FP32 by artefact and runtime, `speed_ms` the median of one run by
    runtime and artefact on the machine `measured_on`.
    """

    net: str
    version: str
    files: dict[str, EngineFile]
    inputs: tuple[TensorNote, ...]
    outputs: tuple[TensorNote, ...]
    trained_on: tuple[str, ...]
    terms: str
    float_nodes: tuple[str, ...] = ()
    calibration: dict[str, str | int] = {}
    metrics: dict[str, dict[str, float | None]] = {}
    proofs: dict[str, dict[str, Proof]] = {}
    speed_ms: dict[str, dict[str, float]] = {}
    measured_on: str = ""
    training_commit: str = ""
    tools: dict[str, str] = {}
    _folder: Path = PrivateAttr(default=Path())

    @field_validator("proofs", mode="before")
    @classmethod
    def _without_data_no_proof(cls, given: Any) -> Any:
        """Older manifests do not say what a file was proved on: such proofs are worth nothing and dropped."""
        if not isinstance(given, dict):
            return given
        return {
            precision: {runtime: p for runtime, p in by.items() if isinstance(p, Proof) or "data" in p}
            for precision, by in given.items()
        }

    @property
    def folder(self) -> Path:
        """Where the manifest was read."""
        return self._folder

    def content(self) -> bytes:
        """As it is written to the disk."""
        return (self.model_dump_json(indent=2) + "\n").encode("utf-8")

    def precision_for(self, precision: str, backend: str) -> str:
        """The artefact a configuration means: `int8` is the INT8 form made for the runtime."""
        return ARTEFACTS[backend].get(precision, precision)

    def readable(self, backend: str) -> tuple[str, ...]:
        """The artefacts in the format that a runtime reads."""
        return tuple(p for p, file in self.files.items() if file.path.endswith(BACKENDS[backend].reads))

    def verified_path(self, precision: str) -> Path:
        """The artefact of a precision, after checking its size and hash.

        Raises:
            EngineMissing: there is no such precision or no such file.
            EngineMismatch: the file is truncated or changed.
        """
        file = self.files.get(precision)
        if file is None:
            known = ", ".join(sorted(self.files))
            raise EngineMissing(
                f"engine {self.net} has no {precision} file, only {known}; choose one or {CURE}"
            )
        path = self._folder / file.path
        if not path.is_file():
            raise EngineMissing(f"engine file {path} is missing; {CURE}")
        size = path.stat().st_size
        if size != file.bytes:
            raise EngineMismatch(
                f"engine file {path} has {size} bytes, its manifest says {file.bytes}; {CURE}"
            )
        if sha256(path) != file.sha256:
            raise EngineMismatch(f"engine file {path} was changed: its SHA-256 is not the manifest's; {CURE}")
        return path


def is_foreign(artefact: str, backend: str) -> bool:
    """Whether an artefact is not among those that a runtime is given: it may refuse to load such a one."""
    return artefact not in ARTEFACTS[backend].values()


def load_manifest(folder: Path) -> Manifest:
    """Read `manifest.json` of an engine's folder and check it against the contract of its net.

    Raises:
        EngineMissing: there is no manifest.
        EngineMismatch: it is damaged, or describes another net than this software knows.
    """
    path = folder / NAME
    try:
        text = path.read_bytes()
    except OSError as error:
        raise EngineMissing(f"no readable engine manifest at {path}; {CURE}") from error
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        wrong = f"{field}: {first['msg']}" if field else first["msg"]
        raise EngineMismatch(f"engine manifest {path} is damaged: {wrong}; {CURE}") from error
    if manifest.net != folder.name:
        raise EngineMismatch(f"{path} describes the engine {manifest.net!r}, not {folder.name!r}; {CURE}")
    _check_contract(manifest, path)
    here = {p: f for p, f in manifest.files.items() if p not in OPTIONAL or (folder / f.path).is_file()}
    manifest = manifest.model_copy(update={"files": here})
    manifest._folder = folder
    return manifest


def rewrite(folder: Path, **changes: Any) -> None:
    """Change fields of an engine's manifest.

    Raises:
        EngineError: there is no sound manifest.
        InputError: it cannot be written.
    """
    note = load_manifest(folder).model_copy(update=changes)
    write_bytes_atomically(folder / NAME, note.content())


def contract_specs(net: str) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """What a net must take and give by its contract: input specs, output specs.

    Raises:
        EngineMismatch: there is no contract of that name.
    """
    if net not in CONTRACTS:
        raise EngineMismatch(f"{net!r} is no engine of this software, which knows {', '.join(CONTRACTS)}")
    contract = CONTRACTS[net]
    image = TensorSpec("image", (None, 1, contract.height, contract.width), "uint8")
    outputs = tuple(TensorSpec(name, (None, *shape), "float32") for name, shape in contract.outputs.items())
    return (image,), outputs


def check_signature(
    inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec], manifest: Manifest
) -> None:
    """Compare what a runtime found in a loaded file with the manifest.

    Raises:
        EngineMismatch: the file takes or gives something else.
    """
    _compare(manifest.net, "input", inputs.values(), manifest.inputs)
    _compare(manifest.net, "output", outputs.values(), manifest.outputs)


def _check_contract(manifest: Manifest, path: Path) -> None:
    inputs, outputs = contract_specs(manifest.net)
    for kind, specs, notes in (("input", inputs, manifest.inputs), ("output", outputs, manifest.outputs)):
        _compare(f"{manifest.net} ({path})", kind, specs, notes)


def _compare(net: str, kind: str, found: Sequence[TensorSpec] | Any, noted: Sequence[TensorNote]) -> None:
    has = {s.name: (_free_batch(s.shape), s.dtype) for s in found}
    wants = {n.name: (_free_batch(n.shape), n.dtype) for n in noted}
    for name in sorted(has.keys() | wants.keys()):
        if has.get(name) != wants.get(name):
            raise EngineMismatch(
                f"engine {net}: {kind} {name!r} is {has.get(name)}, expected {wants.get(name)}; "
                f"the file holds another net, {CURE}"
            )


def _free_batch(shape: Sequence[int | None]) -> tuple[int | None, ...]:
    return (None, *shape[1:])
