"""What each stage costs, in seconds a run: measured by `dms bench` or `dms control levels`, never guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from dms.control.levels import Level
from dms.errors import InputError

Costs = Mapping[str, Mapping[str, float]]
"""Seconds of one run by precision (`best`, `cheapest`) and stage."""

BEST, CHEAPEST = "best", "cheapest"
STAGES = ("quality", "face", "eyes", "fatigue", "distraction", "judge")
ENGINES = frozenset({"face", "eyes", "fatigue", "distraction"})
TURNS = frozenset({"face", "fatigue", "distraction"})
"""What the scheduler chooses among; all else runs on every frame."""

MEASURED: Costs = {
    BEST: {
        "quality": 0.00010,
        "face": 0.00256,
        "eyes": 0.00354,
        "fatigue": 0.00117,
        "distraction": 0.00276,
        "judge": 0.00023,
    },
    CHEAPEST: {
        "quality": 0.00010,
        "face": 0.00156,
        "eyes": 0.00147,
        "fatigue": 0.00072,
        "distraction": 0.00117,
        "judge": 0.00023,
    },
}
"""ONNX Runtime, FP32 and INT8, one thread, paced: docs/benchmarks.md, inference with a quarter of what goes
before and after; `quality` and `judge`: medians of `dms control levels` on the same kind of machine."""


def load_costs(path: Path) -> Costs:
    """The costs in a report of `dms control levels --json`.

    Raises:
        InputError: unreadable, or no such report.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["stage_s"]
        return {
            precision: {stage: float(found[precision][stage]) for stage in STAGES}
            for precision in (BEST, CHEAPEST)
        }
    except OSError as e:
        raise InputError(f"cannot read {path}: {e.strerror}") from e
    except (ValueError, KeyError, TypeError) as e:
        raise InputError(
            f"{path} is no report of `dms control levels --json` ({type(e).__name__}: {e})"
        ) from e


def of_level(costs: Costs, level: Level) -> Mapping[str, float]:
    """Seconds of one run by stage, at a level."""
    return costs[CHEAPEST if level.cheapest else BEST]


def engines_only(stage_s: Mapping[str, float]) -> dict[str, float]:
    """Seconds of one run of those stages that ask an engine."""
    return {name: seconds for name, seconds in stage_s.items() if name in ENGINES}
