"""Writing files whole or not at all."""

from __future__ import annotations

from pathlib import Path

from dms.errors import InputError


def write_atomically(path: Path, text: str) -> None:
    """Write `text` beside `path` and rename it into place.

    Raises:
        InputError: the folder is missing or cannot be written to.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as e:
        partial.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {e.strerror}") from e
