"""The loaded run at one look: latencies and level, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dms import pictures
from dms.control.levels import LEVELS
from dms.tools.control.stress import CONTROLLED, FIXED, Block

COLORS = {FIXED: "#c1553b", CONTROLLED: "#1b6ca8"}
FAR_BUDGETS = 6.0
"""Latencies above so many budgets are cut off."""


def draw(blocks: Sequence[Block], budget_s: float, title: str, path: Path) -> None:
    """A dot a judged frame over a line of levels.

    Raises:
        ConfigError: matplotlib is not installed.
        InputError: the file cannot be written.
    """
    figure = pictures.figure(12, 6)
    latency, level = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for block in blocks:
        _latencies(latency, block, budget_s)
        level.plot(
            [block.begun_s + seen.at_s for seen in block.seen],
            [seen.level for seen in block.seen],
            color=COLORS[block.rule],
            drawstyle="steps-post",
        )
    latency.axhline(1e3 * budget_s, color="#a00000", linewidth=0.9)
    latency.annotate(" budget", (1, 1e3 * budget_s), xycoords=("axes fraction", "data"), fontsize=8)
    latency.set_ylim(0, 1.12 * FAR_BUDGETS * 1e3 * budget_s)
    latency.set_ylabel("capture to judgement, ms")
    level.set_yticks(range(len(LEVELS)))
    level.set_ylim(-0.3, len(LEVELS) - 0.7)
    level.set_ylabel("level")
    level.set_xlabel("seconds")
    for panel in (latency, level):
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11)
    pictures.save(figure, path)


def _latencies(panel: Any, block: Block, budget_s: float) -> None:
    far_s = FAR_BUDGETS * budget_s
    panel.scatter(
        [block.begun_s + seen.at_s for seen in block.seen],
        [1e3 * min(seen.latency_s, far_s) for seen in block.seen],
        s=4,
        color=COLORS[block.rule],
        linewidth=0,
    )
    panel.annotate(
        f"{block.rule}\nmissed {block.missed_percent:.0f} %",
        (block.begun_s + 1, 1.02 * 1e3 * far_s),
        fontsize=9,
        color=COLORS[block.rule],
    )
