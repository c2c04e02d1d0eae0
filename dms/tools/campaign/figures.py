"""Misses, silent misses, false alerts and availability, by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dms.tools.campaign.trial import Trial, by_kind
from dms.tools.score import intervals
from dms.tools.score.intervals import Interval


@dataclass(frozen=True)
class GroupFigures:
    """One group. Of `due` events so many were `missed`, of these so many in silence: nothing said unknown.

    A figure with nothing to count is None. Intervals are of 95 % and count events as if they were
    independent, which those of one face are not.
    """

    factor: str
    name: str
    drives: int
    hours: float
    due: int
    missed: int
    silent: int
    miss_rate: float | None
    miss_interval: Interval | None
    false: dict[str, int]
    false_per_hour: float | None
    false_interval: Interval | None
    availability: float | None
    kinds: dict[str, tuple[int, int]]
    median_delay_s: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def figures(trials: Sequence[Trial]) -> list[GroupFigures]:
    """One entry a group, in the order of the plan."""
    keys = dict.fromkeys((trial.group.factor, trial.group.name) for trial in trials)
    return [
        _of([t for t in trials if (t.group.factor, t.group.name) == (factor, name)]) for factor, name in keys
    ]


def _of(trials: Sequence[Trial]) -> GroupFigures:
    fates = [fate for trial in trials for fate in trial.fates]
    seconds = sum(trial.seconds for trial in trials)
    missed = sum(not fate.found for fate in fates)
    false = sorted(kind for trial in trials for kind in trial.false)
    hours = seconds / 3600
    delays = sorted(fate.delay_s for fate in fates if fate.delay_s is not None)
    return GroupFigures(
        factor=trials[0].group.factor,
        name=trials[0].group.name,
        drives=len(trials),
        hours=hours,
        due=len(fates),
        missed=missed,
        silent=sum(fate.silent for fate in fates),
        miss_rate=missed / len(fates) if fates else None,
        miss_interval=intervals.share(missed, len(fates)),
        false={kind: false.count(kind) for kind in dict.fromkeys(false)},
        false_per_hour=len(false) / hours if hours else None,
        false_interval=intervals.rate(len(false), hours),
        availability=sum(trial.judged_s for trial in trials) / seconds if seconds else None,
        kinds=by_kind(fates),
        median_delay_s=intervals.quantile(delays, 0.5) if delays else None,
    )
