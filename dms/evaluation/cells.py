"""Tables a person wrote, read cell by cell: every fault with file, line, column and cure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from math import isfinite, nan
from pathlib import Path

import numpy as np

from dms.errors import InputError

_FAULTS_SHOWN = 8
_MEANT_SHOWN = 3


class Faults:
    """What is wrong in a folder, gathered so that a person mends it in one go."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, line: str) -> None:
        """Note one fault."""
        self._lines.append(line)

    def raise_if_any(self) -> None:
        """Raise what was gathered.

        Raises:
            InputError: the first few faults, a line each.
        """
        more = len(self._lines) - _FAULTS_SHOWN
        shown = self._lines[:_FAULTS_SHOWN] + ([f"… and {more} more like these"] if more > 0 else [])
        if shown:
            raise InputError("\n".join(shown))


def read_rows(path: Path, columns: Sequence[str], faults: Faults) -> list[tuple[int, dict[str, str]]]:
    """The lines of a table: its number and its cells by column.

    Raises:
        InputError: unreadable, no CSV, or faults in the heading; those in the lines go to `faults`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is no UTF-8 text; save it as UTF-8"
        raise InputError(f"cannot read {path}: {why}") from e
    reader = csv.reader(io.StringIO(text))
    try:
        numbered = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as e:
        raise InputError(f"{path}, line {reader.line_num}: this is no CSV: {e}") from e
    heading = numbered[0][1] if numbered else []
    if "path" not in heading:
        raise InputError(
            f"{path}, line 1: no column `path`; the first line names the columns: {_some(columns)}"
        )
    for name in heading:
        if name not in columns:
            faults.add(f"{path}, line 1: unknown column {name!r}; {nearest(name, columns)}")
        elif heading.count(name) > 1:
            faults.add(f"{path}, line 1: column {name} stands twice; keep one")
    faults.raise_if_any()
    rows = []
    for line, cells in numbered[1:]:
        if len(cells) not in (0, len(heading)):
            faults.add(
                f"{path}, line {line}: {len(cells)} cells under {len(heading)} columns; empty cells need "
                "their commas too"
            )
        elif any(cells):
            rows.append((line, dict(zip(heading, cells, strict=True))))
    return rows


def _some(columns: Sequence[str]) -> str:
    return ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")


def nearest(given: str, valid: Sequence[str]) -> str:
    """The end of a message: the valid words that were probably meant, else what is valid."""
    near = (
        [word for word in valid if word.startswith(given) or given.startswith(word)]
        or [word for word in valid if given in word]
        or get_close_matches(given, valid, n=1)
    )
    if 0 < len(near) <= _MEANT_SHOWN:
        return f"did you mean {' or '.join(near)}?"
    return f"use one of: {', '.join(valid)}"


class Cells:
    """One line of a table, read cell by cell; what is wrong is noted and read as unknown."""

    def __init__(self, path: Path, line: int, cells: Mapping[str, str], faults: Faults) -> None:
        self._path, self.line, self._cells, self._faults = path, line, cells, faults

    def fault(self, column: str, what: str) -> None:
        """Note what is wrong with one cell."""
        self._faults.add(f"{self._path}, line {self.line}, column {column}: {what}")

    def text(self, column: str) -> str:
        """The cell as it stands; empty where there is none."""
        return self._cells.get(column, "")

    def choice(self, column: str, valid: Sequence[str]) -> str:
        """One of `valid`, or empty."""
        value = self.text(column)
        if value and value not in valid:
            self.fault(column, f"unknown class {value!r}; {nearest(value, valid)}")
            return ""
        return value

    def flag(self, column: str) -> bool | None:
        """1, 0 or unknown."""
        value = self.text(column)
        if value not in ("", "0", "1"):
            self.fault(column, f"{value!r} is neither 1 nor 0; leave it empty where nobody knows")
        return {"0": False, "1": True}.get(value)

    def number(self, column: str, low: float = -np.inf, high: float = np.inf) -> float:
        """A finite number within bounds, or NaN where the cell is empty."""
        value = self.text(column)
        try:
            number = float(value) if value else nan
        except ValueError:
            number = np.inf
        if value and not (isfinite(number) and low <= number <= high):
            bounds = f" from {low:g} to {high:g}" if isfinite(low) else ""
            self.fault(column, f"{value!r} is no number{bounds}; leave it empty where nobody knows")
            return nan
        return number

    def angle(self, column: str) -> float:
        """Degrees."""
        return self.number(column, -180, 180)

    def share(self, column: str) -> float:
        """A number from 0 to 1."""
        return self.number(column, 0, 1)


def to_csv(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table as CSV text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
