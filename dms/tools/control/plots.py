"""A simulated drive at one look: heat, clock, level, latency and misses under the three rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dms import pictures
from dms.control.device import ENTER_BELOW_TRIP_C
from dms.control.levels import LEVELS
from dms.tools.control.figures import Outcome
from dms.tools.control.simulation import SAMPLE_S, Sample, Trace

COLORS = {"fixed": "#e58b74", "naive": "#8a6100", "controlled": "#1b6ca8"}
"""Drawn in this order: the controller on top."""
NAMES = {
    "controlled": "the controller",
    "fixed": "fixed: level 0, best engines",
    "naive": "naive: load > 0.7 means INT8",
}
WIDTHS = {"fixed": 3.2, "naive": 1.1, "controlled": 1.8}
"""The fixed setting is broad, so that it shows where the naive rule does the same."""
LOST, TOLD = "#bbbbbb", "#555555"
LEAST_SHOWN_PERCENT = 10.0
"""The axis of misses reaches at least so far, or single frames would look like trouble."""
TOP_BUDGETS = 4.0
"""Latencies above so many budgets are cut off: too late is too late."""


def draw(outcome: Outcome, path: Path) -> None:
    """Five panels below each other over the same minutes.

    Raises:
        ConfigError: matplotlib is not installed.
        InputError: the file cannot be written.
    """
    figure = pictures.figure(11, 12)
    panels = figure.subplots(5, 1, sharex=True, height_ratios=(3, 1.2, 1.6, 2, 1.6))
    for panel, fill in zip(panels, (_heat, _clock, _level, _latency, _misses), strict=True):
        fill(panel, outcome)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
        for begin, end in outcome.scenario.lost:
            panel.axvspan(begin, end, color=LOST, alpha=0.35, linewidth=0)
    panels[-1].set_xlabel("minutes")
    panels[-1].set_xlim(0, outcome.scenario.minutes)
    figure.suptitle(_heading(outcome), fontsize=12)
    lines = [panels[1].get_lines()[list(COLORS).index(rule)] for rule in NAMES]
    figure.legend(lines, NAMES.values(), loc="outside lower center", ncols=3, frameon=False)
    pictures.save(figure, path)


def _heading(outcome: Outcome) -> str:
    device = outcome.traces["controlled"].device
    missed = ", ".join(f"{rule} {figures.missed_percent:.1f} %" for rule, figures in outcome.figures.items())
    lost = "; grey: the sensor is silent" if outcome.scenario.lost else ""
    lines = (
        f"{outcome.scenario.title} ({outcome.scenario.fps:g} frames a second{lost})",
        f"Simulated device: {device.title}",
        f"Missed of the frames asked for: {missed}",
    )
    return "\n".join(lines)


def _series(panel: Any, outcome: Outcome, value: Callable[[Sample], float], **style: Any) -> None:
    for rule, color in COLORS.items():
        samples = outcome.traces[rule].samples
        minutes = [sample.end_s / 60 for sample in samples]
        panel.plot(minutes, [value(s) for s in samples], color=color, linewidth=WIDTHS[rule], **style)


def _heat(panel: Any, outcome: Outcome) -> None:
    """Die temperatures, the air, and the lines that matter to the controller."""
    _series(panel, outcome, lambda sample: sample.die_c)
    trace = outcome.traces["controlled"]
    minutes = [sample.end_s / 60 for sample in trace.samples]
    air_c = [trace.scenario.around(sample.end_s).air_c for sample in trace.samples]
    panel.plot(minutes, air_c, color=TOLD, linewidth=1, linestyle=":")
    panel.annotate("air", (minutes[0], air_c[0]), fontsize=8, color=TOLD)
    trip_c = trace.device.trip_c
    _line(panel, trip_c, f"trip {trip_c:g}", "#a00000", "-", align="bottom")
    for number, below_k in enumerate(ENTER_BELOW_TRIP_C, start=1):
        _line(panel, trip_c - below_k, f"level {number}", TOLD, "--", align="top")
    panel.set_ylabel("die °C")


def _line(panel: Any, y: float, text: str, color: str, style: str, align: str) -> None:
    panel.axhline(y, color=color, linewidth=0.8, linestyle=style)
    panel.annotate(
        f" {text}",
        (1, y),
        xycoords=("axes fraction", "data"),
        fontsize=8,
        color=color,
        verticalalignment=align,
    )


def _clock(panel: Any, outcome: Outcome) -> None:
    _series(panel, outcome, lambda sample: 100 * sample.clock)
    panel.set_ylim(-5, 109)
    panel.set_ylabel("clock %")


def _level(panel: Any, outcome: Outcome) -> None:
    """The controller's level, with its reasons as marks; below, whether the naive rule runs INT8."""
    controlled, naive = outcome.traces["controlled"], outcome.traces["naive"]
    panel.step(*_steps(controlled, scale=1.0), where="post", color=COLORS["controlled"], linewidth=1.8)
    panel.step(*_steps(naive, scale=2.0), where="post", color=COLORS["naive"], linewidth=0.8)
    panel.set_yticks(range(len(LEVELS)))
    panel.set_ylim(-0.3, len(LEVELS) - 0.7)
    panel.set_ylabel("level\n(naive INT8: 2)")


def _steps(trace: Trace, scale: float) -> tuple[list[float], list[float]]:
    """Minutes and levels, a point for each change."""
    end = len(trace.samples) * SAMPLE_S / 60
    minutes = [0.0, *(change.at_s / 60 for change in trace.changes), end]
    levels = [0.0, *(scale * change.level for change in trace.changes)]
    return minutes, [*levels, levels[-1]]


def _latency(panel: Any, outcome: Outcome) -> None:
    budget_ms = 1e3 * outcome.traces["controlled"].budget_s
    far_ms = TOP_BUDGETS * budget_ms
    _series(
        panel,
        outcome,
        lambda sample: (
            float("nan") if sample.latency_p95_s is None else min(1e3 * sample.latency_p95_s, far_ms)
        ),
    )
    _line(panel, budget_ms, "budget", "#a00000", "-", align="center")
    panel.set_ylim(bottom=0)
    panel.set_ylabel(f"latency p95, ms\n(of {SAMPLE_S:g} s)")


def _misses(panel: Any, outcome: Outcome) -> None:
    _series(panel, outcome, lambda sample: 100 * sample.missed / max(1, sample.asked))
    panel.set_ylim(0, max(LEAST_SHOWN_PERCENT, panel.get_ylim()[1]))
    panel.set_ylabel(f"missed, % of\nasked for (in {SAMPLE_S:g} s)")
