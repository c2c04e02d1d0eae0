"""What a frame costs at each level of the ladder on this device, from what its engines take. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from dms.control.levels import LEVELS, Level

EVERY_FRAME = "eyes"
"""The engine that runs on every frame; the scheduler lets one other run beside it."""


def level_costs(configured_s: Mapping[str, float], cheapest_s: Mapping[str, float]) -> tuple[float, ...]:
    """What the dearest usual frame takes at each level, relative to level 0: `eyes` and one more engine.

    It tells how latency changes with the level. What an hour takes falls further, for lower rates make no
    frame cheaper. Where no engine could be timed, all levels are taken to cost the same.

    Args:
        configured_s: seconds of one run of each engine as configured.
        cheapest_s: the same of those that have a cheaper form.
    """
    frame_s = [
        _frame_s(level, {**configured_s, **cheapest_s} if level.cheapest else configured_s)
        for level in LEVELS
    ]
    return tuple(seconds / frame_s[0] if min(frame_s) > 0 else 1.0 for seconds in frame_s)


def _frame_s(level: Level, run_s: Mapping[str, float]) -> float:
    others = [seconds for name, seconds in run_s.items() if name != EVERY_FRAME and name not in level.off]
    return run_s.get(EVERY_FRAME, 0.0) + max(others, default=0.0)
