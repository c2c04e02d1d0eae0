"""A user's own labelled folder as a `Pack`: the same tables the data pack gives, for all four nets.

What is not labelled has weight 0 or is left out of a net's table. Pictures the engines labelled themselves
(`by` = engine, what `dms calibrate collect` writes) give crops to calibrate with, and nothing to judge by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from dms import landmarks as lm
from dms.errors import InputError
from dms.evaluation import labels as notes
from dms.evaluation.boxes import BOX_ROUND_LANDMARKS, Array, known_box, relative_box
from dms.evaluation.cells import Faults
from dms.evaluation.folder_tables import tables
from dms.evaluation.labels import Label
from dms.evaluation.pack import JPEG_QUALITY, Pack
from dms.records import Box
from dms.sources.opencv import hush_opencv

_BEGIN_END = ((b"\xff\xd8", b"\xff\xd9"), (b"\x89PNG", b"IEND"))
"""How JPEG and PNG files begin and end."""
_TAIL = 4096
"""Cameras append notes behind a JPEG's end."""


def is_labelled(folder: Path) -> bool:
    """Whether there is a `labels.csv`."""
    return (folder / notes.LABELS).is_file()


def read(folder: Path) -> Pack:
    """Read a labelled folder to measure on, or to calibrate with.

    Raises:
        InputError: a picture is missing or broken, a label is wrong or lies outside its picture, nothing is
            held out, or a person is on both sides; each with file, line and cure.
    """
    blobs, labels = pictures(folder)
    return Pack(blobs, tables(labels, held_out(folder, labels)))


def pictures(folder: Path, longest_side: int | None = None) -> tuple[list[bytes], list[Label]]:
    """All pictures and their labels, in order; every label with a face then has a box.

    Args:
        folder: holds `labels.csv`, the pictures it names and, if any, `landmarks.csv`.
        longest_side: pictures larger than this are shrunk, their labels with them, and all are stored grey.

    Raises:
        InputError: as `read`, but for the splits.
    """
    hush_opencv()
    faults = Faults()
    blobs: list[bytes] = []
    labels: list[Label] = []
    for label in notes.read(folder):
        data = _bytes(folder, label, faults)
        picture = None if data is None else _decoded(folder, label, data, faults)
        if data is not None and picture is not None:
            placed = _placed(folder, label, picture.shape, faults)
            if longest_side is not None:
                data, scale = _small(picture, longest_side)
                placed = _scaled(placed, scale)
            blobs.append(data)
            labels.append(placed)
    faults.raise_if_any()
    return blobs, labels


def held_out(folder: Path, labels: Sequence[Label]) -> Array:
    """Which rows are to be measured on (n,): those of the split `val`, all of them where there are no splits.

    Rows the engines labelled are never among them.

    Raises:
        InputError: there are splits and `val` is empty, or a line belongs to none.
    """
    judged = np.array([label.by != "engine" for label in labels])
    splits = np.array([label.split for label in labels])
    if not (splits[judged] != "").any():
        return judged
    table = folder / notes.LABELS
    lost = next((label for label in labels if label.by != "engine" and not label.split), None)
    if lost is not None:
        raise InputError(
            f"{table}, line {lost.line}, column split: empty, while other lines have one; write train or val "
            "in every line, or leave the column out to measure on all pictures"
        )
    if "val" not in splits[judged]:
        raise InputError(
            f"{table}: the split val is empty; write val for some people, or leave the column out to measure "
            "on all pictures"
        )
    return np.asarray(judged & (splits == "val"))


def _bytes(folder: Path, label: Label, faults: Faults) -> bytes | None:
    try:
        return (folder / label.path).read_bytes()
    except OSError as e:
        faults.add(
            f"{_place(folder, label)}, column path: cannot read {folder / label.path}: {e.strerror}; paths "
            "are relative to the folder"
        )
    return None


def _decoded(folder: Path, label: Label, data: bytes, faults: Faults) -> Array | None:
    """The picture; decoders fill up one that is cut off, so its end is looked for as well."""
    cut_off = any(data.startswith(b) and e not in data[-_TAIL:] for b, e in _BEGIN_END)
    picture = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data and not cut_off else None
    )
    if picture is None:
        faults.add(
            f"{_place(folder, label)}, column path: {folder / label.path} is cut off or no "
            "picture; copy it again"
        )
    return picture


def _place(folder: Path, label: Label) -> str:
    return f"{folder / notes.LABELS}, line {label.line}"


def _placed(folder: Path, label: Label, shape: tuple[int, ...], faults: Faults) -> Label:
    """The label with a box, and checked to lie within its picture (one pixel of rounding is forgiven)."""
    height, width = shape[:2]
    line = _place(folder, label)
    size = f"the picture {label.path} is {width}x{height}; give pixels of the stored picture"
    if label.box is not None:
        for column, limit in (("x1", width), ("y1", height), ("x2", width), ("y2", height)):
            value = getattr(label.box, column)
            if not -1 <= value <= limit + 1:
                faults.add(f"{line}, column {column}: {value:g} lies outside: {size}")
    if label.landmarks is not None:
        out = ((label.landmarks < -1) | (label.landmarks > np.array([width, height]) + 1)).any(axis=1)
        for k in np.flatnonzero(out)[:1]:
            x, y = label.landmarks[k]
            faults.add(
                f"{folder / notes.LANDMARKS}, {label.path}, point {lm.NAMES[k]}: ({x:g}, {y:g}) lies "
                f"outside: {size}, and leave points beyond its edge empty"
            )
    if not label.face or label.box is not None:
        return label
    if label.landmarks is None or np.isnan(label.landmarks).all():
        faults.add(
            f"{line}: nothing says where the face is: give x1,y1,x2,y2, or its points in {notes.LANDMARKS}, "
            "or face=0 where nobody is in the picture (`dms calibrate collect` finds faces by itself)"
        )
        return replace(label, face=False)
    box = relative_box(known_box(label.landmarks)[None], BOX_ROUND_LANDMARKS)[0]
    return replace(label, box=Box(*map(float, np.clip(box, 0, [width, height] * 2))))


def _small(picture: Array, longest_side: int) -> tuple[bytes, float]:
    """The picture as grey JPEG of at most that size, and the scale of its labels."""
    scale = min(1.0, longest_side / max(picture.shape))
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes(), scale


def _scaled(label: Label, scale: float) -> Label:
    box, points = label.box, label.landmarks
    if scale == 1 or box is None:
        return label
    small = Box(box.x1 * scale, box.y1 * scale, box.x2 * scale, box.y2 * scale)
    return replace(label, box=small, landmarks=None if points is None else points * np.float32(scale))
