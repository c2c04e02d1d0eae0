"""Pictures of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dms import pictures
from dms.errors import InputError
from dms.evaluation.uncertainty import UNITS, Calibration

COLORS = {"simulated": "#1b6ca8", "teachers": "#c8553d", "labels": "#c8553d"}


def reliability(found: Sequence[Calibration], path: Path, title: str) -> None:
    """Error against predicted sigma: one panel an output, one line a truth; the diagonal is calibrated."""
    outputs = [o for o in UNITS if any(c.output == o for c in found)]
    if not outputs:
        raise InputError("no reliability plot: the data has too few labels for the eyes engine")
    figure = pictures.figure(4.2 * len(outputs), 4.2)
    axes = figure.subplots(1, len(outputs), squeeze=False)
    for axis, output in zip(axes[0], outputs, strict=True):
        _panel(axis, output, [c for c in found if c.output == output])
    figure.suptitle(title)
    pictures.save(figure, path)


def _panel(axis: Any, output: str, found: Sequence[Calibration]) -> None:
    top = 1.1 * max(max(c.bins[:, 0].max(), c.bins[:, 3].max()) for c in found)
    axis.plot([0, top], [0, top], color="0.6", linestyle="--", linewidth=1, label="calibrated")
    for c in found:
        sigma, error, low, high = c.bins.T
        label = f"{c.truth}: error / sigma {c.ratio.value:.2f}, n {c.n}"
        axis.errorbar(
            sigma, error, [error - low, high - error], marker="o", markersize=4, capsize=2,
            color=COLORS[c.truth], label=label,
        )  # fmt: skip
    axis.set(xlim=(0, top), ylim=(0, top), title=output, aspect="equal")
    axis.set_xlabel(f"predicted sigma [{UNITS[output]}]")
    axis.set_ylabel(f"mean error seen [{UNITS[output]}]")
    axis.legend(fontsize=7, loc="lower right")


@dataclass(frozen=True)
class Lane:
    """One kind on a timeline: spans (start, end) of the truth, of right alerts and of false ones."""

    name: str
    truth: Sequence[tuple[float, float]]
    alerts: Sequence[tuple[float, float]]
    false: Sequence[tuple[float, float]]


def timeline(clips: Sequence[tuple[str, float, Sequence[Lane]]], path: Path, title: str) -> None:
    """Alerts above the truth: one panel a clip (name, seconds, lanes), one lane a kind."""
    heights = [max(1, len(lanes)) for _, _, lanes in clips]
    figure = pictures.figure(11, 0.9 * len(clips) + 0.55 * sum(heights))
    axes = figure.subplots(len(clips), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for axis, (name, seconds, lanes) in zip(axes[:, 0], clips, strict=True):
        for row, lane in enumerate(lanes):
            for spans, offset, color in (
                (lane.truth, 0.0, "#7a8b99"), (lane.alerts, -0.38, "#2a9d4f"), (lane.false, -0.38, "#d1342f"),
            ):  # fmt: skip
                bars = [(start, max(end - start, 0.02 * seconds / 10)) for start, end in spans]
                axis.broken_barh(bars, (row + offset, 0.34), facecolors=color)
        axis.set(xlim=(0, seconds), ylim=(-0.6, max(len(lanes), 1) - 0.4), title=name)
        axis.set_yticks(range(len(lanes)), [lane.name for lane in lanes])
        axis.invert_yaxis()
        axis.grid(axis="x", alpha=0.3)
    axes[-1, 0].set_xlabel("seconds")
    figure.suptitle(f"{title}\ngrey: truth, green: alert, red: alert without an event, or too long")
    pictures.save(figure, path)
