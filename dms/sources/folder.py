r"""A folder of pictures, in the order of their times.

Times come from the first of these that fits:

1. `timestamps.csv` in the folder: lines of `name,seconds` (a heading line is allowed).
2. File names, if all of them end in a time: `…12.345.png` or `…12.345s.png` (seconds), `…12345ms.png`
   (milliseconds), or 13 digits (milliseconds since 1970).
3. The configured rate, in the natural order of the names (`2.png` before `10.png`).
"""

from __future__ import annotations

import csv
import logging
import re
import statistics
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2

from dms.config import SourceConfig
from dms.errors import InputError
from dms.records import Luma
from dms.sources.luma import bit_depth, to_luma
from dms.sources.opencv import hush_opencv
from dms.sources.recorded import RecordedSource, Shot, Shots

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"})
TIMES_FILE = "timestamps.csv"

# The decimal point of "12.345.png" is no suffix: it belongs to the stem.
_SECONDS = re.compile(r"(\d+\.\d+|\d+(?=s))s?$")
_MILLISECONDS = re.compile(r"(?<!\d)(\d+(?=ms)|\d{13})(ms)?$")
_DIGITS = re.compile(r"(\d+)")

_TimedPath = tuple[float, Path]


class FolderSource(RecordedSource):
    """Plays the pictures of the folder `config.uri`; one that is broken is skipped with a warning.

    Raises:
        InputError: no picture there, none readable, or times that do not fit the pictures.
    """

    def __init__(self, config: SourceConfig) -> None:
        folder = Path(config.uri)
        self._bits = 10
        timed = _timed_pictures(folder, config.fps)
        hush_opencv()
        if not any(self._read(path) is not None for _, path in timed):
            raise InputError(f"none of the {len(timed)} pictures in {folder} can be decoded")
        super().__init__(self._play(timed), fps=_rate(timed, config.fps), realtime=config.realtime)

    def _play(self, timed: list[_TimedPath]) -> Shots:
        for captured_s, path in timed:
            yield Shot(captured_s, partial(self._read, path))

    def _read(self, path: Path) -> Luma | None:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
        if image is None:
            log.warning("skipping %s: it cannot be decoded", path)
            return None
        # One scale for the whole folder: a dark picture must not be taken for one of fewer bits.
        self._bits = max(self._bits, bit_depth(image))
        return to_luma(image, self._bits)


def _rate(timed: list[_TimedPath], fallback_fps: float) -> float:
    if len(timed) < 2:
        return fallback_fps
    return 1 / statistics.median(later_s - earlier_s for (earlier_s, _), (later_s, _) in pairwise(timed))


def _timed_pictures(folder: Path, fps: float) -> list[_TimedPath]:
    times_file = folder / TIMES_FILE
    timed = _listed(times_file) if times_file.exists() else _named(folder, fps)
    timed.sort(key=lambda item: item[0])
    for (earlier_s, earlier), (later_s, later) in pairwise(timed):
        if later_s <= earlier_s:
            raise InputError(f"{folder}: {earlier.name} and {later.name} have the same time, {later_s} s")
    return timed


def _listed(times_file: Path) -> list[_TimedPath]:
    try:
        text = times_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"cannot read {times_file}: {e}") from e
    rows = [(line, row) for line, row in enumerate(csv.reader(text.splitlines()), 1) if row]
    if rows and len(rows[0][1]) == 2 and not _is_number(rows[0][1][1]):
        rows = rows[1:]
    if not rows:
        raise InputError(f"{times_file} lists no picture: expected lines of name,seconds")
    return [_listed_row(times_file, line, row) for line, row in rows]


def _listed_row(times_file: Path, line: int, row: list[str]) -> _TimedPath:
    if len(row) != 2 or not _is_number(row[1]):
        raise InputError(f"{times_file}, line {line}: expected name,seconds; found {','.join(row)!r}")
    path = times_file.parent / row[0].strip()
    if not path.is_file():
        raise InputError(f"{times_file}, line {line}: no picture {row[0]!r} in {times_file.parent}")
    return float(row[1]), path


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*-?\d+(\.\d*)?([eE][+-]?\d+)?\s*", text) is not None


def _named(folder: Path, fps: float) -> list[_TimedPath]:
    paths = sorted((p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES), key=_natural)
    if not paths:
        raise InputError(f"{folder} holds no picture ({', '.join(sorted(SUFFIXES))})")
    times = [_time_in_name(path.stem) for path in paths]
    if all(time_s is None for time_s in times):
        return [(i / fps, path) for i, path in enumerate(paths)]
    for path, time_s in zip(paths, times, strict=True):
        if time_s is None:
            raise InputError(f"{path}: other names in this folder hold a time, this one does not")
    return [(time_s, path) for path, time_s in zip(paths, times, strict=True) if time_s is not None]


def _time_in_name(stem: str) -> float | None:
    if match := _SECONDS.search(stem):
        return float(match[1])
    if match := _MILLISECONDS.search(stem):
        return int(match[1]) / 1000
    return None


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts `2.png` before `10.png`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(path.name)]
