"""A bundle: one file that tells an alert, or a whole run, so that it can be judged again elsewhere.

It is a ZIP file of text: `manifest.json` says what is in it and by what it was made, `checkpoint.json` is the
state before the first moment, `moments.jsonl` holds one JSON line a moment. It holds signals and landmarks,
and neither a picture nor a name of a person, a machine, a folder or a network.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from dms.errors import InputError
from dms.files import PRIVATE, write_bytes_atomically
from dms.recording.codec import decode, decode_array, encode, encode_array
from dms.records import Alert, Assessment, Control, Health, Judgement, Message, Observation
from dms.sinks import system_payload

SCHEMA = "dms.bundle/1"
SUFFIX = ".dms"

MANIFEST, CHECKPOINT, MOMENTS = "manifest.json", "checkpoint.json", "moments.jsonl"
MOST_BYTES = {MANIFEST: 2 << 20, CHECKPOINT: 32 << 20, MOMENTS: 8 << 30}
"""What each part may unpack to: a day at 30 frames a second takes about 8 GB of lines."""
MOST_LINE_BYTES = 1 << 20

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """One observation and what was concluded from it; without an assessment, the end of the run."""

    observation: Observation
    assessment: Assessment | None
    alerts: tuple[Alert, ...]


Told = Mapping[str, Any]
"""A `dms.health/1` or `dms.control/1` document that was told between two moments."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bundle, decoded, and as it was written; `where` begins the message of an error."""

    content: Moment | Told
    written: Document
    where: str


def content_of(message: Message, last: Judgement | None) -> Moment | Told | None:
    """What a message adds to a bundle after the judgement `last`; None where that is nothing.

    The end of a run repeats the last judgement: only its alerts are new. What nobody judged is no moment,
    because judged again, it would differ.
    """
    if isinstance(message, Judgement):
        if message.stand_in:
            return None
        ended = last is not None and message.assessment is last.assessment
        return Moment(message.observation, None if ended else message.assessment, message.alerts)
    if isinstance(message, Health):
        return system_payload.health(message, None)
    return system_payload.control(message, None) if isinstance(message, Control) else None


def to_line(content: Moment | Told, *, landmarks: bool = True) -> str:
    """One line of `moments.jsonl`."""
    document = encode(content) if isinstance(content, Moment) else {"told": content}
    if not landmarks:
        drop_landmarks(document)
    return line_of(document)


def line_of(document: Document) -> str:
    """One line of `moments.jsonl`, of a document that is plain values already."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")) + "\n"


def drop_landmarks(document: Document) -> None:
    """Take the points of the face out of a moment; judged again, they read as zeros.

    Only which of them were no numbers stays: eyes with such points are not believed.
    """
    if eyes := document.get("observation", {}).get("eyes"):
        for name in ("landmarks", "landmark_sigma"):
            values = decode_array(eyes[name], name)
            values[np.isfinite(values)] = 0.0
            eyes[name] = encode_array(values) if values.any() else {**eyes[name], "base64": None}


class Writer:
    """Writes a bundle line by line into an open file, which is left open."""

    def __init__(self, file: IO[bytes], checkpoint: Mapping[str, Any]) -> None:
        """Begin with the state before the first moment."""
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        state = json.dumps(checkpoint, allow_nan=False).encode("ascii")
        self._archive.writestr(_entry(CHECKPOINT), state)
        self._sha256 = {CHECKPOINT: hashlib.sha256(state).hexdigest()}
        self._digest = hashlib.sha256()
        self._moments = self._archive.open(_entry(MOMENTS), "w", force_zip64=True)
        self.count = 0
        """Lines so far."""

    def add(self, line: str) -> None:
        """Write one line as `to_line` makes it."""
        raw = line.encode("ascii")
        self._digest.update(raw)
        self._moments.write(raw)
        self.count += 1

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write what tells of the whole."""
        self._moments.close()
        sha256 = {**self._sha256, MOMENTS: self._digest.hexdigest()}
        whole = {"schema": SCHEMA, **manifest, "lines": self.count, "sha256": sha256}
        self._archive.writestr(_entry(MANIFEST), json.dumps(whole, indent=2, allow_nan=False))
        self._archive.close()


def save(path: Path, manifest: Mapping[str, Any], checkpoint: Mapping[str, Any], lines: Iterable[str]) -> int:
    """Write a bundle whole or not at all; return its size in bytes. Lines may come slowly.

    Raises:
        InputError: the folder is missing, cannot be written to or is full.
    """
    packed = io.BytesIO()
    writer = Writer(packed, checkpoint)
    for line in lines:
        writer.add(line)
    writer.finish(manifest)
    write_bytes_atomically(path, packed.getvalue(), PRIVATE)
    return packed.tell()


class Bundle:
    """An open bundle. Nothing of it is believed unchecked, and nothing is ever unpacked to disk."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._archive = archive
        self._require_parts()
        self.manifest = self._document(MANIFEST)
        schema = self.manifest.get("schema")
        if schema != SCHEMA:
            raise InputError(f"{path}: this dms reads {SCHEMA}, not {schema!r:.60}")
        self._require_whole()

    @property
    def checkpoint(self) -> Document:
        """The state before the first moment."""
        return self._document(CHECKPOINT)

    def lines(self) -> Iterator[Line]:
        """All lines in order.

        Raises:
            InputError: a line is none that dms writes; it names the line.
        """
        for number, raw in enumerate(self._raw_lines(), 1):
            yield _read_line(raw, f"{self.path}: {MOMENTS} line {number}")

    def _require_whole(self) -> None:
        """Make sure that the lines are those that were written: a lack is no difference of judgement."""
        digest, count = hashlib.sha256(), 0
        for raw in self._raw_lines():
            digest.update(raw)
            count += 1
        if digest.hexdigest() != self._sha256(MOMENTS) or count != self.manifest.get("lines"):
            raise InputError(f"{self.path}: {MOMENTS} has been changed or cut: get the bundle again")

    def _raw_lines(self) -> Iterator[bytes]:
        total = 0
        with self._opened(MOMENTS) as file:
            while raw := file.readline(MOST_LINE_BYTES + 1):
                total += len(raw)
                if len(raw) > MOST_LINE_BYTES or total > MOST_BYTES[MOMENTS]:
                    raise InputError(f"{self.path}: {MOMENTS} is larger than any that dms writes")
                yield raw

    def _require_parts(self) -> None:
        found = [entry.filename for entry in self._archive.infolist()]
        if sorted(found) != sorted(MOST_BYTES):
            raise InputError(f"{self.path}: no bundle of dms: it holds {', '.join(found)!r:.120}")

    def _document(self, name: str) -> Document:
        with self._opened(name) as file:
            raw = file.read(MOST_BYTES[name] + 1)
        if len(raw) > MOST_BYTES[name]:
            raise InputError(f"{self.path}: {name} is larger than any that dms writes")
        if name != MANIFEST and hashlib.sha256(raw).hexdigest() != self._sha256(name):
            raise InputError(f"{self.path}: {name} has been changed: get the bundle again")
        return _parse(raw, f"{self.path}: {name}")

    def _sha256(self, name: str) -> object:
        parts = self.manifest.get("sha256")
        return parts.get(name) if isinstance(parts, dict) else None

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        with damage(self.path), self._archive.open(name) as file:
            yield file


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Open a bundle for reading.

    Raises:
        InputError: it is missing, no bundle, damaged or of another version.
    """
    try:
        opened = path.open("rb")
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
    with opened as file:
        with damage(path):
            archive = zipfile.ZipFile(file)
        with archive:
            yield Bundle(path, archive)


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """What reading a damaged archive raises, as our error."""
    try:
        yield
    # A method or a password that nobody of us wrote; NotImplementedError is a RuntimeError.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, OverflowError) as e:
        raise InputError(f"{path}: no bundle of dms, or a damaged one: {e!s:.120}") from e


def is_bundle(path: Path) -> bool:
    """Whether a file is a bundle by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry without a date: the same content makes the same file."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _read_line(raw: bytes, where: str) -> Line:
    written = _parse(raw, where)
    if written.keys() == {"told"} and isinstance(written["told"], dict):
        return Line(written["told"], written, where)
    return Line(decode(Moment, written, where), written, where)


def _parse(raw: bytes, where: str) -> Document:
    try:
        document = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError) as e:
        raise InputError(f"{where}: no JSON: {e!s:.120}") from e
    if not isinstance(document, dict):
        raise InputError(f"{where}: expected an object")
    return document


def _refuse(constant: str) -> Callable[[], float]:
    raise ValueError(f"{constant} is no JSON")
