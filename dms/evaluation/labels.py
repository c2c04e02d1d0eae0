"""What is known of a user's own pictures: `labels.csv` and `landmarks.csv`, read strictly and written whole.

One row a picture, one face a picture; blank means unknown. See docs/datasets.md for every column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

import numpy as np

from dms import landmarks as lm
from dms.engines.contract import ACTIVITIES
from dms.errors import InputError
from dms.evaluation.cells import Cells, Faults, nearest, read_rows, to_csv
from dms.files import write_together
from dms.records import Box, Points

LABELS, LANDMARKS = "labels.csv", "landmarks.csv"
SPLITS = ("train", "val")
EYES = ("open", "closed")
GLASSES = ("none", "clear", "dark")
ENGINE = "engine"
BY = ("hand", "truth", ENGINE)
"""Who says so: a person, the simulator, or this project's own engines, which must not be judged by it."""

SHUT, OPEN, SEEN = 0.2, 0.35, 0.4
"""Lid opening below which an eye is shut, above which it is not; visibility from which it can be judged."""

_BOX = ("x1", "y1", "x2", "y2")
_HEAD = ("head_yaw_deg", "head_pitch_deg", "head_roll_deg")
_GAZE = ("gaze_yaw_deg", "gaze_pitch_deg")
_OPENNESS = ("openness_right", "openness_left")
_VISIBILITY = ("visibility_right", "visibility_left")
COLUMNS = (
    "path", "by", "split", "person", "group", "face", *_BOX, "eyes", "yawn", "mouth_covered", "glasses",
    "activity", "infrared", *_HEAD, *_GAZE, *_OPENNESS, *_VISIBILITY, "source", "captured_s",
)  # fmt: skip
_POINTS = tuple(f"{name}_{axis}" for name in lm.NAMES for axis in "xy")


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """All that is known of one picture. None, NaN and "" mean unknown; angles follow `dms.records`.

    `face` False: nobody is in the picture. `landmarks` (60, 2) are pixels, NaN where a point is unknown.
    `openness`, `visibility`: right eye, left eye. `activity` holds every activity that may be going on.
    """

    path: str
    by: str = "hand"
    split: str = ""
    person: str = ""
    group: str = ""
    face: bool = True
    box: Box | None = None
    eyes: str = ""
    yawn: bool | None = None
    mouth_covered: bool | None = None
    glasses: str = ""
    activity: tuple[str, ...] = ()
    infrared: bool | None = None
    head: tuple[float, float, float] = (nan, nan, nan)
    gaze: tuple[float, float] = (nan, nan)
    openness: tuple[float, float] = (nan, nan)
    visibility: tuple[float, float] = (nan, nan)
    source: str = ""
    captured_s: float = nan
    landmarks: Points | None = None
    line: int = 0
    """Its line in `labels.csv`, for messages."""


def read(folder: Path) -> list[Label]:
    """The labels of a folder.

    Raises:
        InputError: no labels, or faults in them, each with file, line, column and cure.
    """
    faults = Faults()
    rows = read_rows(folder / LABELS, COLUMNS, faults)
    if not rows and not faults:
        raise InputError(
            f"{folder / LABELS} labels no picture: write a line for each, beginning with its path"
        )
    points = _read_points(folder / LANDMARKS, faults)
    labels = [_label(Cells(folder / LABELS, line, row, faults), points) for line, row in rows]
    known = {label.path for label in labels}
    for path in sorted(points.keys() - known):
        faults.add(f"{folder / LANDMARKS}: {path} has no line in {LABELS}: add one, or take these points out")
    _refuse_doubles(folder, labels, faults)
    _refuse_shared(folder, labels, faults)
    faults.raise_if_any()
    return labels


def write(folder: Path, labels: Sequence[Label]) -> None:
    """Write both files, whole or not at all; columns nothing is known of are left out.

    Raises:
        InputError: the folder cannot be written to or is full; the old files are left as they were.
    """
    rows = [_to_row(label) for label in labels]
    columns = [c for c in COLUMNS if c == "path" or any(row[c] for row in rows)]
    contents = {folder / LABELS: to_csv(columns, ([row[c] for c in columns] for row in rows))}
    marked = [label for label in labels if label.landmarks is not None]
    if marked or (folder / LANDMARKS).exists():
        contents[folder / LANDMARKS] = to_csv(("path", *_POINTS), map(_points_row, marked))
    # Points without a label would be a fault, a label without points is none: so the labels come first.
    write_together({path: text.encode() for path, text in contents.items()})


def _label(row: Cells, points: Mapping[str, Points]) -> Label:
    """The whole line as a label."""
    path = row.text("path")
    if not path:
        row.fault("path", "is empty: name the picture, relative to this folder")
    return Label(
        path,
        by=row.choice("by", BY) or "hand",
        split=row.choice("split", SPLITS),
        person=row.text("person"),
        group=row.text("group"),
        face=row.flag("face") is not False,
        box=_box(row),
        eyes=row.choice("eyes", EYES),
        yawn=row.flag("yawn"),
        mouth_covered=row.flag("mouth_covered"),
        glasses=row.choice("glasses", GLASSES),
        activity=_activity(row),
        infrared=row.flag("infrared"),
        head=(row.angle(_HEAD[0]), row.angle(_HEAD[1]), row.angle(_HEAD[2])),
        gaze=(row.angle(_GAZE[0]), row.angle(_GAZE[1])),
        openness=(row.share(_OPENNESS[0]), row.share(_OPENNESS[1])),
        visibility=(row.share(_VISIBILITY[0]), row.share(_VISIBILITY[1])),
        source=row.text("source"),
        captured_s=row.number("captured_s"),
        landmarks=points.get(path),
        line=row.line,
    )


def _box(row: Cells) -> Box | None:
    given = [row.number(column) for column in _BOX if row.text(column)]
    if not given or not all(map(isfinite, given)):
        return None
    if len(given) < len(_BOX):
        row.fault("x1", "a box takes all of x1, y1, x2, y2, or none of them")
        return None
    box = Box(*given)
    if box.width <= 0 or box.height <= 0:
        row.fault("x2", "the box is empty: x1 < x2 and y1 < y2, in pixels from the upper left corner")
    return box


def _activity(row: Cells) -> tuple[str, ...]:
    names = [name for name in row.text("activity").split("|") if name]
    for name in names:
        if name not in ACTIVITIES:
            row.fault("activity", f"unknown class {name!r}; {nearest(name, ACTIVITIES)}")
    return tuple(name for name in names if name in ACTIVITIES)


def _read_points(path: Path, faults: Faults) -> dict[str, Points]:
    """Landmarks by picture; a missing file means that there are none."""
    if not path.exists():
        return {}
    found: dict[str, Points] = {}
    for line, cells in read_rows(path, ("path", *_POINTS), faults):
        row = Cells(path, line, cells, faults)
        points = np.array([row.number(column) for column in _POINTS], np.float32).reshape(-1, 2)
        points[np.isnan(points).any(axis=1)] = nan
        if row.text("path") in found:
            row.fault("path", f"{row.text('path')} stands twice; keep one line")
        found[row.text("path")] = points
    return found


def _refuse_doubles(folder: Path, labels: Sequence[Label], faults: Faults) -> None:
    first: dict[Path, Label] = {}
    for label in labels:
        same = first.setdefault((folder / label.path).resolve(), label)
        if same is not label:
            faults.add(
                f"{folder / LABELS}, line {label.line}, column path: {label.path} stands in line {same.line} "
                "already; keep one of the two"
            )


def _refuse_shared(folder: Path, labels: Sequence[Label], faults: Faults) -> None:
    """A person or group on both sides would be recognised, not judged."""
    for column in ("person", "group"):
        sides: dict[str, dict[str, Label]] = {}
        for label in labels:
            name = getattr(label, column)
            if name and label.split:
                sides.setdefault(name, {}).setdefault(label.split, label)
        for name, by in sides.items():
            if len(by) > 1:
                faults.add(
                    f"{folder / LABELS}: {column} {name!r} is in train (line {by['train'].line}) and in val "
                    f"(line {by['val'].line}): move all of its pictures to one side"
                )


def _to_row(label: Label) -> dict[str, str]:
    box = label.box
    numbers = [
        *zip(_BOX, (box.x1, box.y1, box.x2, box.y2) if box else (nan,) * 4, (1,) * 4, strict=True),
        *zip(_HEAD + _GAZE, label.head + label.gaze, (1,) * 5, strict=True),
        *zip(_OPENNESS + _VISIBILITY, label.openness + label.visibility, (2,) * 4, strict=True),
        ("captured_s", label.captured_s, 3),
    ]
    flags = {c: getattr(label, c) for c in ("yawn", "mouth_covered", "infrared")}
    words = ("path", "by", "split", "person", "group", "eyes", "glasses", "source")
    return {
        **{c: str(getattr(label, c)) for c in words},
        **{c: "" if flag is None else str(int(flag)) for c, flag in flags.items()},
        **{c: _short(value, digits) for c, value, digits in numbers},
        "face": "" if label.face else "0",
        "activity": "|".join(label.activity),
    }


def _short(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if isfinite(value) else ""


def _points_row(label: Label) -> list[str]:
    assert label.landmarks is not None
    return [label.path, *(_short(float(v), 1) for v in label.landmarks.ravel())]
