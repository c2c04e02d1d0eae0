"""Opening labelled pictures, whichever way they lie: a pack, or a folder of one's own."""

from __future__ import annotations

from pathlib import Path

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
        InputError: it is neither, and the text says what each looks like; or something in it is wrong.
    """
    if not path.is_dir():
        why = "is a file, not a folder" if path.exists() else "does not exist"
        raise InputError(f"{path} {why}. Labelled pictures are one of:\n{FORMS}")
    if folder.is_labelled(path):
        return folder.read(path)
    if (path / pack.TABLES).is_file() or any(path.glob("images-*.npz")):
        return pack.read(path)
    raise InputError(f"{path} holds no labelled pictures. They are one of:\n{FORMS}")
