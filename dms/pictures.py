"""Drawing with matplotlib (extra `plot`), which is imported only when a picture is drawn."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from dms.errors import ConfigError
from dms.files import write_bytes_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 110


def figure(width_in: float, height_in: float) -> Figure:
    """An empty figure with no window behind it; `figure.subplots(…)` gives its axes.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("pictures need matplotlib: pip install 'dms[plot]'") from error
    return Figure(figsize=(width_in, height_in), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_PER_INCH)
    write_bytes_atomically(path, content.getvalue())
