"""The stored form of the training data: grey JPEG parts of some 36 MiB, and one file of tables."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dms.errors import InputError

log = logging.getLogger(__name__)
Array = NDArray[Any]

LONGEST_SIDE = 448
JPEG_QUALITY = 85
PART_BYTES = 36 << 20
TABLES = "tables.npz"


@dataclass(frozen=True)
class Pack:
    """Images as grey JPEG bytes and the sample tables of the nets (`tables["eyes"]["landmarks"]` ...)."""

    blobs: list[bytes]
    tables: dict[str, dict[str, Array]]


def data_hash(pack: Pack) -> str:
    """SHA-256 over all pictures and tables of a pack, as hexadecimal digits."""
    found = hashlib.sha256()
    for blob in pack.blobs:
        found.update(blob)
    for table in sorted(pack.tables):
        for column, values in sorted(pack.tables[table].items()):
            found.update(f"{table}/{column}/{values.dtype}/{values.shape}".encode())
            found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def write_images(images: Iterable[bytes], out: Path) -> int:
    """Write JPEG bytes as `images-NN.npz` parts of about 36 MiB; returns how many parts."""
    part: list[bytes] = []
    size = parts = 0
    for blob in images:
        if size + len(blob) > PART_BYTES:
            _write_part(part, out / f"images-{parts:02d}.npz")
            part, size, parts = [], 0, parts + 1
        part.append(blob)
        size += len(blob)
    _write_part(part, out / f"images-{parts:02d}.npz")
    return parts + 1


def _write_part(blobs: list[bytes], path: Path) -> None:
    offsets = np.cumsum([0, *map(len, blobs)], dtype=np.int64)
    np.savez(path, blob=np.frombuffer(b"".join(blobs), np.uint8), offsets=offsets)
    log.info("%s: %d images, %.1f MiB", path.name, len(blobs), offsets[-1] / 2**20)


def grey_jpegs(paths: Iterable[Path]) -> Iterator[bytes]:
    """Each file as a grey JPEG with its longest side at most 448 px.

    Raises:
        InputError: a file is missing or no picture.
    """
    import cv2

    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise InputError(f"{path} is missing or no picture; is the data pack complete?")
        yield cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def split_blob(blob: Array, offsets: Array) -> Iterator[bytes]:
    """The pieces of concatenated bytes."""
    for start, end in pairwise(offsets):
        yield blob[start:end].tobytes()


def write_tables(tables: dict[str, dict[str, Array]], out: Path) -> None:
    """Write the sample tables as one compressed file."""
    flat = {f"{net}/{field}": column for net, table in tables.items() for field, column in table.items()}
    np.savez_compressed(out / TABLES, **flat)  # type: ignore[arg-type]


def read(folder: Path) -> Pack:
    """Read a pack.

    Raises:
        InputError: the folder holds no pack, or its parts and tables do not fit.
    """
    parts = sorted(folder.glob("images-*.npz"))
    if not parts or not (folder / TABLES).is_file():
        raise InputError(f"no pack in {folder}; make one with `python -m dms.training pack`")
    blobs: list[bytes] = []
    for part in parts:
        with np.load(part) as file:
            blobs += split_blob(file["blob"], file["offsets"])
    tables: dict[str, dict[str, Array]] = {}
    with np.load(folder / TABLES) as file:
        for key in file.files:
            net, field = key.split("/")
            tables.setdefault(net, {})[field] = file[key]
    if len(tables["face"]["image"]) != len(blobs):
        raise InputError(
            f"{folder} has {len(blobs)} images but labels for others; copy all parts or pack again"
        )
    return Pack(blobs, tables)
