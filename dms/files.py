"""Writing files whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from dms.errors import InputError


def require_folder(path: Path) -> None:
    """Make sure, before long work, that `path` can be written after it.

    Raises:
        InputError: its folder is missing or cannot be written to.
    """
    folder = path.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"cannot write {path}: {folder} is no folder this user may write to")


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
