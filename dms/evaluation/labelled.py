"""Opening labelled pictures, whichever way they lie: a pack, or a folder of one's own."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from dms.errors import InputError
from dms.evaluation import folder, pack
from dms.evaluation.labels import LABELS
from dms.evaluation.pack import Pack

FORMS = f"""\
  a labelled folder     pictures and {LABELS}, a line for each picture (docs/datasets.md);
                        `dms calibrate collect --source … --out DIR` makes one from a camera or clips
  a pack                images-00.npz … and tables.npz;
                        `python -m dms.training pack --out DIR` makes one from the training data"""


def open_labelled(path: Path) -> Pack:
    """Read a pack or a labelled folder (one that `dms calibrate collect` wrote as well).

    Raises:
        InputError: it is neither, and the text says what each looks like; this user may not read it; or
            something in it is wrong.
    """
    try:
        return _read(path)
    except PermissionError as e:
        raise InputError(
            f"{Path(e.filename or path).absolute()} may not be read by user {psutil.Process().username()}; "
            "a folder above it may be what is closed, as home folders are. Copy the pictures to where that "
            "user may read (the service's: `sudo cp -r`, to /var/lib/dms), and name the copy"
        ) from e


def _read(path: Path) -> Pack:
    try:
        os.listdir(path)  # Path.is_dir() answers differently from Python to Python where reading is forbidden
    except (FileNotFoundError, NotADirectoryError) as e:
        why = "does not exist" if isinstance(e, FileNotFoundError) else "is a file, not a folder"
        raise InputError(f"{path} {why}. Labelled pictures are one of:\n{FORMS}") from e
    if folder.is_labelled(path):
        return folder.read(path)
    if (path / pack.TABLES).is_file() or any(path.glob("images-*.npz")):
        return pack.read(path)
    raise InputError(f"{path} holds no labelled pictures. They are one of:\n{FORMS}")
