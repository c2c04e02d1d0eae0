"""The benchmark of the pipeline at one look: where a frame's time goes, and how it compares with the peer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dms import pictures
from dms.tools.bench.text import environment_lines, milliseconds
from dms.tools.bench_pipeline.records import Middle, PipelineReport, Played
from dms.tools.bench_pipeline.targets import Verdict, verdicts

COLORS = {
    "quality": "#9db4c0",
    "face": "#5b8e7d",
    "eyes": "#1b6ca8",
    "fatigue": "#e09f3e",
    "distraction": "#9e2a2b",
    "judge": "#6a4c93",
}
REST, REST_COLOR = "rest", "#bbbbbb"
OURS_COLOR, PEER_COLOR, DARK = "#1b6ca8", "#e09f3e", "#333333"
PACES = ("unpaced", "paced")
PERCENTILES = ("p50", "p95", "p99")
BAR = 0.36


def draw(report: PipelineReport, path: Path) -> None:
    """Bars of the mean frame by stage, engines plain and the rest hatched, beside bars of percentiles.

    Raises:
        ConfigError: matplotlib is not installed.
        InputError: the file cannot be written.
    """
    figure = pictures.figure(13, 4.2 + 0.5 * len(report.sizes))
    stages, percentiles = figure.subplots(1, 2)
    _stages(stages, report)
    _percentiles(percentiles, report)
    lines = [environment_lines(report.environment)[0], *map(_told, verdicts(report))]
    if report.disturbed:
        lines.insert(1, "Not a quiet machine: take the ratios, not the milliseconds")
    figure.suptitle("\n".join(lines), fontsize=10)
    figure.legend(handles=_legend(report), loc="outside lower center", ncols=10, fontsize=8, frameon=False)
    pictures.save(figure, path)


def _told(verdict: Verdict) -> str:
    return str(verdict).replace("`", "")


def _runs(report: PipelineReport, size: str, pace: str, who: str = "ours") -> list[Played]:
    sides = [getattr(turn, who) for turn in report.turns(size)]
    return [getattr(side, pace) for side in sides if side]


def _stages(axis: Any, report: PipelineReport) -> None:
    names: list[str] = []
    for size in report.sizes:
        for pace in PACES:
            _stage_bar(axis, len(names), _runs(report, size, pace))
            names.append(f"{size}\n{pace}")
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set(
        xlabel="ms of a mean frame; hatched: outside the engines", title="Where the time of a frame goes"
    )
    axis.grid(axis="x", alpha=0.3)


def _stage_bar(axis: Any, y: int, runs: Sequence[Played]) -> None:
    whole = Middle.of(run.frame.mean for run in runs).value
    left = 0.0
    for name in runs[0].stages:
        each = [run.stages[name] for run in runs if name in run.stages]
        color = COLORS.get(name, REST_COLOR)
        inside = Middle.of(stage.engine_ms or 0.0 for stage in each).value
        outside = Middle.of(stage.mean_ms for stage in each).value - inside
        for width, hatch in ((inside, ""), (max(0.0, outside), "////")):
            axis.barh(y, width, 0.7, left, color=color, hatch=hatch, edgecolor="white", linewidth=0)
            left += width
    axis.barh(
        y, max(0.0, whole - left), 0.7, left, color=REST_COLOR, hatch="////", edgecolor="white", linewidth=0
    )
    axis.text(max(left, whole), y, f" {milliseconds(whole)}", va="center", fontsize=9)


def _percentiles(axis: Any, report: PipelineReport) -> None:
    """Grouped bars of the median of the runs, a dot for each run; unpaced is pale."""
    names: list[str] = []
    for size in report.sizes:
        for pace in PACES:
            for name in PERCENTILES:
                _pair(axis, len(names), report, size, pace, name)
                names.append(f"{name}\n{pace}\n{size}" if name == "p95" else name)
    axis.set_xticks(range(len(names)), names, fontsize=8)
    axis.set(ylabel="ms", title="Time of a frame; dots: each run")
    axis.set_ylim(bottom=0)
    axis.grid(axis="y", alpha=0.3)


def _pair(axis: Any, x: int, report: PipelineReport, size: str, pace: str, name: str) -> None:
    sides = {"ours": OURS_COLOR, "peer": PEER_COLOR}
    known = {who: runs for who in sides if (runs := _runs(report, size, pace, who))}
    for k, (who, runs) in enumerate(known.items()):
        at = x + BAR * (k - (len(known) - 1) / 2)
        values = [getattr(run.frame, name) for run in runs]
        middle = Middle.of(values).value
        axis.bar(at, middle, BAR, color=sides[who], alpha=0.65 if pace == "unpaced" else 1.0)
        axis.plot([at] * len(values), values, ".", color=DARK, markersize=4)


def _legend(report: PipelineReport) -> list[Any]:
    from matplotlib.patches import Patch

    found = [Patch(color=color, label=name) for name, color in COLORS.items()]
    found += [Patch(color=REST_COLOR, label=REST), Patch(color=OURS_COLOR, label="dms")]
    return [*found, Patch(color=PEER_COLOR, label=report.peer.partition(" (")[0])] if report.peer else found
