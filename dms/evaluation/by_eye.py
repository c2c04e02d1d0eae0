"""What a person saw in pictures of the data pack: the tables `configs/*/…_by_eye.csv`.

Their column `picture` is a key made from the picture's path: file names of public data sets may name people,
and nothing in the repository shall say of a named person what somebody saw.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dms.errors import InputError
from dms.resources import configs_folder

KEY_DIGITS = 16
"""64 bits: among a million pictures two alike have a chance of 1 in 40 million."""
Row = dict[str, str]


def picture_key(path: str) -> str:
    """The first 16 hex digits of the SHA-256 of a path, as the data pack's manifest has it, in UTF-8."""
    return hashlib.sha256(path.encode()).hexdigest()[:KEY_DIGITS]


def rows(name: str) -> list[Row]:
    """The rows of a table under `configs/`, such as `training/faces_by_eye.csv`.

    Raises:
        InputError: the file is missing or has no column `picture`.
    """
    file = configs_folder() / name
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as e:
        raise InputError(f"cannot read {file}: {e.strerror}; restore it from the repository") from e
    found = list(csv.DictReader(lines))
    if found and "picture" not in found[0]:
        raise InputError(f"{file} has no column picture; restore it from the repository")
    return found


def column(name: str, field: str, paths: Iterable[str]) -> NDArray[np.str_]:
    """One field of a table for each path (n,); empty where nobody looked."""
    seen = {row["picture"]: row[field] for row in rows(name)}
    return np.array([seen.get(picture_key(str(path)), "") for path in paths], str)
