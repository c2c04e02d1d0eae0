"""Writing files whole or not at all, what tells them apart, and the generated parts of pages."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from dms.errors import InputError

PUBLIC, PRIVATE = 0o666, 0o600
"""Rights of files, less the umask: for whoever may look, and for their owner alone (figures of a face)."""


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def require_folder(path: Path) -> None:
    """Make sure, before long work, that `path` can be written after it.

    Raises:
        InputError: its folder is missing or cannot be written to.
    """
    folder = path.absolute().parent
    if not folder.exists():
        raise InputError(f"cannot write {path}: {folder} does not exist; make it first: mkdir -p {folder}")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"cannot write {path}: {folder} is no folder this user may write to")


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make sure, before long work, that `folder` is there and can be written into; make it if need be.

    `mode` is for a folder that is made, less the umask; one that is there keeps its own.

    Raises:
        InputError: it cannot be made or written into.
    """
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"cannot make the folder {folder}: {e.strerror}") from e
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write into {folder}: this user may not")


def write_atomically(path: Path, text: str, mode: int = PUBLIC) -> None:
    """Write `text` beside `path` and rename it into place; `mode` as for `write_together`.

    Raises:
        InputError: the folder is missing or cannot be written to.
    """
    write_together({path: text.encode("utf-8")}, mode)


def write_bytes_atomically(path: Path, content: bytes, mode: int = PUBLIC) -> None:
    """Write `content` beside `path` and rename it into place; `mode` as for `write_together`.

    Raises:
        InputError: the folder is missing, cannot be written to or is full; an older file is left as it was.
    """
    write_together({path: content}, mode)


def write_together(contents: Mapping[Path, bytes], mode: int = PUBLIC) -> None:
    """Write several files that belong together: all of them, or none; with the rights `mode`, less the umask.

    All are written beside their places and to the disk first, then renamed in the order given: put last what
    vouches for the others. When a rename fails, those already done are taken back. Of several processes that
    write one file, the last wins, and a reader sees one or the other whole; sets that they write at once may
    mix, unless they hold a lock.

    Raises:
        InputError: a folder is missing, cannot be written to or is full; older files are left as they were.
    """
    partials = {path: _beside(path, "partial") for path in contents}
    # The last rename has none after it that could fail: one file alone needs no copy.
    kept = {path: _beside(path, "kept") for path in list(contents)[:-1] if path.exists()}
    renamed: list[Path] = []
    path = Path()
    try:
        for path, content in contents.items():
            partials[path].touch(mode)
            partials[path].write_bytes(content)
            _sync(partials[path])
        for path, copy in kept.items():
            shutil.copy2(path, copy)
        for path, partial in partials.items():
            partial.replace(path)
            renamed.append(path)
    except OSError as e:
        torn = _take_back(renamed, kept)
        left = f"new are now {', '.join(map(str, torn))}" if torn else "what was there is unchanged"
        raise InputError(f"cannot write {path}: {e.strerror}; {left}, try again when that is mended") from e
    finally:
        for beside in (*partials.values(), *kept.values()):
            # A disk that turned read-only refuses it even where nothing is left.
            with suppress(OSError):
                beside.unlink(missing_ok=True)
    for folder in {path.parent for path in contents}:
        # The files are in place: that a file system cannot sync a folder does not make them missing.
        with suppress(OSError):
            _sync(folder)


def _beside(path: Path, ending: str) -> Path:
    """A name in the same folder that no other writer has: `tempfile` would make it unreadable for others."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.{ending}")


def _sync(path: Path) -> None:
    """Have what was written to a file, or renamed in a folder, reach the disk: a power cut then spares it."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _take_back(renamed: Iterable[Path], kept: Mapping[Path, Path]) -> list[Path]:
    """Put back what was there; returns those for which the disk refuses it."""
    torn = []
    for path in renamed:
        try:
            if path in kept:
                kept[path].replace(path)
            else:
                path.unlink()
        except OSError:
            torn.append(path)
    return torn


def with_section(text: str, name: str, content: str) -> str | None:
    """`text` with `content` between `<!-- NAME -->` and `<!-- /NAME -->`; None where it has no such marks."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = text.partition(begin)
    _old, closed, after = rest.partition(end)
    return f"{before}{begin}\n{content}\n{end}{after}" if found and closed else None
