"""The coverage of a set as a picture: bars of what it has and wants, and a sheet of its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dms import pictures
from dms.calibration import coverage
from dms.calibration.check import Report
from dms.calibration.coverage import FACETS
from dms.evaluation.labels import Label
from dms.records import Box, Luma

ROWS, COLUMNS, TILE_PX = 8, 8, 96
_HAVE, _LACK, _WANT = "#3b7ea1", "#c65d3b", "#222222"


def draw(report: Report, folder: Path, labels: Sequence[Label], out: Path) -> None:
    """Write the picture (PNG).

    Raises:
        ConfigError: matplotlib is not installed.
        InputError: `out` cannot be written.
    """
    figure = pictures.figure(13, 8.5)
    bars, sheet = figure.subplots(1, 2, width_ratios=(1, 1.25))
    _bars(bars, report)
    sheet.imshow(contact_sheet(folder, labels), cmap="gray", vmin=0, vmax=255)
    sheet.set_axis_off()
    sheet.set_title(f"some of {report.pictures} pictures, cut round the face", fontsize=10)
    pictures.save(figure, out)


def _bars(axes: Any, report: Report) -> None:
    wanted = coverage.wanted(report.count)
    rows = [(facet, name) for facet, bins in FACETS.items() for name in bins]
    have = np.array([report.counts[facet][name] for facet, name in rows])
    want = np.array([wanted[facet][name] for facet, name in rows])
    places = np.array([k + 0.6 * list(FACETS).index(facet) for k, (facet, _) in enumerate(rows)])
    longest = max(1.0, 3.0 * want.max())
    colours = [_HAVE if h >= w else _LACK for h, w in zip(have, want, strict=True)]
    axes.barh(places, np.minimum(have, longest), color=colours, height=0.75)
    axes.vlines(want, places - 0.42, places + 0.42, color=_WANT, linewidth=1.6)
    for place, n, mark in zip(places, have, want, strict=True):
        at = mark if n <= mark else n  # beside the mark, never upon it
        axes.text(min(at, longest) + 0.012 * longest, place, str(n), va="center", fontsize=8)
    axes.set_yticks(places, [f"{facet}: {name}" for facet, name in rows], fontsize=8)
    axes.set_xlim(0, 1.1 * longest)
    axes.invert_yaxis()
    axes.set_xlabel(
        f"pictures (bars are cut at {longest:.0f}); the black mark is what a set of {report.count} wants"
    )
    axes.set_title(f"{report.pictures} pictures: {'fit' if report.fit else 'not fit yet'}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def contact_sheet(folder: Path, labels: Sequence[Label]) -> Luma:
    """Up to 64 pictures spread over the set, cut round the face; the whole picture where there is none."""
    sheet = np.full((ROWS * TILE_PX, COLUMNS * TILE_PX), 255, np.uint8)
    picks = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), ROWS * COLUMNS)).round().astype(int))
    for slot, pick in enumerate(picks):
        picture = cv2.imread(str(folder / labels[pick].path), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            continue
        y, x = (TILE_PX * k for k in divmod(slot, COLUMNS))
        tile = _tile(np.asarray(picture, np.uint8), labels[pick].box)
        sheet[y + 1 : y + TILE_PX, x + 1 : x + TILE_PX] = cv2.resize(
            tile, (TILE_PX - 1, TILE_PX - 1), interpolation=cv2.INTER_AREA
        )
    return sheet


def _tile(picture: Luma, box: Box | None) -> Luma:
    """A square of the picture: 1.8 faces wide, or its middle."""
    height, width = picture.shape
    side = min(height, width)
    x, y = width / 2, height / 2
    if box is not None:
        side, (x, y) = min(side, round(1.8 * max(box.width, box.height))), box.center
    left = int(np.clip(x - side / 2, 0, width - side))
    top = int(np.clip(y - side / 2, 0, height - side))
    return picture[top : top + side, left : left + side]
