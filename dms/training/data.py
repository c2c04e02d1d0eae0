"""What is trained on: a pack, or a labelled folder of one's own, on the device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dms.errors import InputError
from dms.evaluation.labels import LABELS
from dms.evaluation.pack import TABLES, Pack, data_hash
from dms.evaluation.pack import read as read_pack
from dms.training.datasets.bank import ImageBank
from dms.training.recipe import device


@dataclass(frozen=True)
class Data:
    """A pack on the device, and what it is known by."""

    pack: Pack
    bank: ImageBank
    sha256: str


def open_data(folder: Path) -> Data:
    """A pack or a labelled folder, its pictures on the device.

    Raises:
        InputError: it is missing or damaged, or a person is on both sides of the split.
    """
    require_data(folder)
    if (folder / TABLES).is_file():
        found = read_pack(folder)
    else:
        # Reads pictures with OpenCV, which a training machine may lack.
        from dms.training.datasets import own

        found = own.read(folder)
    return Data(found, ImageBank(found.blobs, device()), data_hash(found))


def require_data(folder: Path) -> None:
    """Look for a pack or a labelled folder before anything else is done.

    Raises:
        InputError: there is neither.
    """
    if not (folder / TABLES).is_file() and not (folder / LABELS).is_file():
        raise InputError(
            f"{folder} is neither a pack ({TABLES}; `python -m dms.training pack --out {folder}` makes one) "
            f"nor a labelled folder ({LABELS}; docs/datasets.md)"
        )
