"""The course of a run: a CSV with a row a check, and the same as a picture."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

from dms import pictures
from dms.errors import ConfigError
from dms.files import write_atomically

log = logging.getLogger(__name__)
Row = Mapping[str, float]
ACROSS = 4
"""Panels in a row of the picture."""


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write `training.csv`.

    Raises:
        InputError: the folder cannot be written to.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = StringIO()
    writer = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(folder / "training.csv", text.getvalue())


def picture(rows: Sequence[Row], folder: Path) -> None:
    """Write `training.png` where matplotlib is installed.

    Raises:
        InputError: the folder cannot be written to.
    """
    try:
        draw(rows, folder / "training.png")
    except ConfigError as error:
        log.warning("no picture of the curves: %s", error)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Losses in the first panel, each validation score in one of its own, over the steps.

    Raises:
        ConfigError: matplotlib is not installed.
        InputError: `path` cannot be written.
    """
    losses = [n for n in rows[-1] if n.startswith("loss_")]
    scores = [n for n in rows[-1] if n not in losses and n not in ("step", "seconds")]
    count = 1 + len(scores)
    down = -(-count // ACROSS)
    figure = pictures.figure(3.2 * ACROSS, 2.3 * down)
    axes = figure.subplots(down, ACROSS, squeeze=False).flat
    steps = [row["step"] for row in rows]
    for name in losses:
        axes[0].plot(steps, [row[name] for row in rows], marker=".", label=name.removeprefix("loss_"))
    axes[0].set_yscale("log")
    axes[0].legend(fontsize=6)
    axes[0].set_title("losses", fontsize=9)
    for panel, name in zip(axes[1:count], scores, strict=True):
        panel.plot(steps, [row[name] for row in rows], marker=".", color="black")
        panel.set_title(f"{name} {rows[-1][name]:.4g}", fontsize=9)
    for panel in axes[count:]:
        panel.set_visible(False)
    pictures.save(figure, path)
