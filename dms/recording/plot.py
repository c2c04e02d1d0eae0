"""The timeline of an alert as a picture (extra `plot`)."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from dms import pictures
from dms.recording.explanation import Explanation

_COLOUR_BY_SEVERITY = {
    "caution": "#7fb3d5",
    "warning": "#f4c542",
    "urgent": "#e67e22",
    "emergency": "#c0392b",
}
_COLOUR_BY_STATE = {
    "attentive": "#7dbb7d", "distracted": "#f4c542", "drowsy": "#e9a23b", "asleep": "#e67e22",
    "unresponsive": "#c0392b", "unknown": "#b9b9b9", "fault": "#6c6c6c",
}  # fmt: skip


def draw(told: Explanation, path: Path) -> None:
    """One panel a signal that decided, with its limits and the phases of the alert; below them the state.

    Raises:
        ConfigError: matplotlib is not installed.
        InputError: the picture cannot be written.
    """
    names = told.signals
    figure = pictures.figure(9.0, 1.9 + 1.8 * len(names))
    heights = [3.0] * len(names) + [0.6]
    axes = figure.subplots(
        len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for axis, name in zip(axes[:, 0], names, strict=False):
        _signal(axis, told, name)
    _states(axes[-1, 0], told)
    first = told.phases[0]
    figure.suptitle(f"{' → '.join(dict.fromkeys(p['type'] for p in told.phases))}  (alert {first['id']})")
    axes[-1, 0].set_xlabel("seconds from the alert")
    pictures.save(figure, path)


def _signal(axis: Any, told: Explanation, name: str) -> None:
    times = [frame["captured_s"] - told.started_s for frame in told.frames]
    values = [frame["signals"].get(name) for frame in told.frames]
    axis.plot(times, [math.nan if v is None else v for v in values], color="#1b3a57", linewidth=1.6)
    for limit in told.limits:
        if limit.signal == name and limit.kind in ("at_least", "at_most"):
            axis.axhline(limit.value, color="#c0392b", linestyle="--", linewidth=1)
            axis.annotate(
                f"limit {limit.value:g}", (times[0], limit.value), color="#c0392b", fontsize=8, va="bottom"
            )
    for begin_s, end_s, severity in _spans(told):
        axis.axvspan(begin_s, end_s, color=_COLOUR_BY_SEVERITY.get(severity, "0.8"), alpha=0.25, linewidth=0)
    for phase in told.phases:
        if phase.get("t_acknowledged") is not None:
            axis.axvline(phase["t_acknowledged"] - told.started_s, color="#2e7d32", linestyle=":")
    axis.set_ylabel(name)
    axis.set_ylim(bottom=0)
    axis.margins(x=0)


def _spans(told: Explanation) -> list[tuple[float, float, str]]:
    """From when to when which severity stood, in seconds from the alert."""
    begins = [(p["t_onset"] + p["duration_s"] - told.started_s, p["severity"]) for p in told.phases]
    last_s = told.frames[-1]["captured_s"] - told.started_s
    ends = [at_s for at_s, _ in begins[1:]]
    if told.phases[-1]["phase"] == "end":
        begins.pop()
    else:
        ends.append(last_s)
    return [(at_s, end_s, severity) for (at_s, severity), end_s in zip(begins, ends, strict=True)]


def _states(axis: Any, told: Explanation) -> None:
    frames = told.frames
    shown: dict[str, None] = {}
    for frame, after in pairwise(frames):
        begin_s, end_s = (moment["captured_s"] - told.started_s for moment in (frame, after))
        state = str(frame.get("state"))
        shown.setdefault(state)
        axis.axvspan(begin_s, end_s, color=_COLOUR_BY_STATE.get(state, "0.8"), linewidth=0)
    axis.set_yticks([])
    axis.set_ylabel("state", rotation=0, ha="right", va="center")
    for state in shown:
        axis.plot([], [], color=_COLOUR_BY_STATE.get(state, "0.8"), linewidth=6, label=state)
    axis.figure.legend(loc="outside lower center", ncols=7, fontsize=8, frameon=False)
