"""A soak at one look: memory, threads and handles, level, and what came when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dms import pictures
from dms.tools.soak.text import by_kind
from dms.tools.soak.verdict import WARM_UP_SHARE, Run, after_warm_up, growth_mb_per_h

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SETTLED, DISTURBED, LIMIT = "#1b6ca8", "#c9b8a8", "#c1553b"
ROOM = 1.2
"""The axis of the memory begins at 0: what looks steep on a cut axis is mostly nothing."""
GOOD, BAD = "#4b8b3b", "#c1553b"


def draw(run: Run, path: Path) -> None:
    """Four panels below each other over the same hours.

    Raises:
        ConfigError: matplotlib is not installed.
        InputError: the file cannot be written.
    """
    figure = pictures.figure(12, 12)
    memory, held, level, faults = figure.subplots(4, 1, sharex=True, height_ratios=(2.2, 1.6, 1.2, 4))
    for panel in (memory, held, level, faults):
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
        panel.axvspan(0, WARM_UP_SHARE * run.planned_s / 3600, color="#eeeeee", linewidth=0)
    _memory(memory, run)
    _held(held, run)
    _level(level, run)
    _faults(faults, run)
    faults.set_xlim(0, run.driven_s / 3600)
    faults.set_xlabel("hours of driving")
    figure.suptitle(
        f"{run.driven_s / 3600:.1f} h of driving in {run.wall_s / 60:.0f} min, {len(run.outcomes)} faults "
        "(grey: warm-up, not judged)"
    )
    pictures.save(figure, path)


def _memory(panel: Axes, run: Run) -> None:
    for settled, color, label in ((False, DISTURBED, "around faults"), (True, SETTLED, "settled")):
        chosen = [sample for sample in run.samples if sample.settled is settled]
        panel.plot(
            [s.driven_s / 3600 for s in chosen],
            [s.rss_mb for s in chosen],
            ".",
            color=color,
            ms=3,
            label=label,
        )
    samples = after_warm_up(run)
    if len(samples) > 1:
        label = f"{growth_mb_per_h(samples):+.2f} MB an hour"
        begin, end = samples[0].driven_s / 3600, samples[-1].driven_s / 3600
        middle = sorted(sample.rss_mb for sample in samples)[len(samples) // 2]
        half = growth_mb_per_h(samples) * (end - begin) / 2
        panel.plot([begin, end], [middle - half, middle + half], color=LIMIT, lw=1.5, label=label)
    panel.set_ylabel("resident memory, MB")
    panel.set_ylim(0, ROOM * max(sample.rss_mb for sample in run.samples))
    panel.legend(loc="lower right", ncols=3, frameon=False)


def _held(panel: Axes, run: Run) -> None:
    hours = [sample.driven_s / 3600 for sample in run.samples]
    panel.step(hours, [sample.handles for sample in run.samples], where="post", label="file handles")
    panel.step(hours, [sample.threads for sample in run.samples], where="post", label="threads")
    panel.set_ylim(bottom=0)
    panel.set_ylabel("open, running")
    panel.legend(loc="lower right", ncols=2, frameon=False)


def _level(panel: Axes, run: Run) -> None:
    hours = [sample.driven_s / 3600 for sample in run.samples]
    panel.step(hours, [sample.level for sample in run.samples], where="post", color=SETTLED)
    panel.set_ylim(-0.2, 4.2)
    panel.set_yticks(range(5))
    panel.set_ylabel("level")


def _faults(panel: Axes, run: Run) -> None:
    names = []
    for row, (name, outcomes) in enumerate(by_kind(run.outcomes)):
        names.append(name)
        for outcome in outcomes:
            color = GOOD if outcome.passed else BAD
            over_s = outcome.ended_s + (outcome.recovered_s or 0.0)
            panel.plot([outcome.begun_s / 3600, over_s / 3600], [row, row], color=color, lw=2, alpha=0.4)
            panel.plot(outcome.begun_s / 3600, row, "|", color=color, ms=10)
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.set_title(
        "faults: | begin, line until nothing of it is told any more; red: not told or not over", fontsize=9
    )
