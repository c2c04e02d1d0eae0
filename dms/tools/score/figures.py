"""Recall, precision, delays, false alerts per hour and availability, by class of event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dms.alerts import Profile
from dms.summary import AlertRecord
from dms.tools.event_truth import SIGNALS
from dms.tools.events import ClipScore
from dms.tools.score import intervals
from dms.tools.score.intervals import Interval

ALL, OTHER = "all", "other"


@dataclass(frozen=True)
class Run:
    """One recording: what happened and what was told of it, and how much of it was judged."""

    score: ClipScore
    judged_s: float


@dataclass(frozen=True)
class Delays:
    """Seconds from the moment a rule is met to its alert."""

    n: int
    p10_s: float
    median_s: float
    p90_s: float
    worst_s: float
    median_interval_s: Interval | None


@dataclass(frozen=True)
class ClassFigures:
    """One class of events. A figure with nothing to count is None; intervals are of 95 %.

    `due` events had to be told and `found` were; of `alerts` so many were `false`, fitting no event.
    """

    due: int
    found: int
    alerts: int
    false: int
    recall: float | None
    recall_interval: Interval | None
    precision: float | None
    precision_interval: Interval | None
    false_per_hour: float | None
    false_per_hour_interval: Interval | None
    delays: Delays | None


@dataclass(frozen=True)
class Figures:
    """All recordings together."""

    recordings: int
    hours: float
    availability: float | None
    availability_range: Interval | None
    classes: Mapping[str, ClassFigures]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"schema": "dms.score/1", **asdict(self)}


def figures(runs: Sequence[Run], profile: Profile) -> Figures:
    """Score recordings of one profile; classes nothing is known of are left out.

    Availability over several recordings comes with the lowest and highest of them, because its parts are not
    independent and an interval would claim too much.
    """
    seconds = sum(run.score.seconds for run in runs)
    shares = [run.judged_s / run.score.seconds for run in runs if run.score.seconds]
    names = (ALL, *SIGNALS, OTHER)
    classes = {name: _of_class(name, runs, profile, seconds / 3600) for name in names}
    return Figures(
        recordings=len(runs),
        hours=seconds / 3600,
        availability=sum(run.judged_s for run in runs) / seconds if seconds else None,
        availability_range=(min(shares), max(shares)) if len(shares) > 1 else None,
        classes={name: of for name, of in classes.items() if name == ALL or of.due or of.alerts},
    )


def _of_class(name: str, runs: Sequence[Run], profile: Profile, hours: float) -> ClassFigures:
    kinds = _kinds_by_chain(profile)

    def own(alert: AlertRecord) -> bool:
        return name == ALL or _kind(alert, profile, kinds) == name

    due = [t for run in runs for t in run.score.told if t.due and name in (ALL, t.event.kind)]
    found = [t for t in due if t.alert is not None]
    alerts = sum(own(alert) for run in runs for alert in run.score.alerts)
    false = sum(own(alert) for run in runs for alert in run.score.false)
    delays = sorted(t.delay_s for t in found if t.delay_s is not None)
    return ClassFigures(
        due=len(due),
        found=len(found),
        alerts=alerts,
        false=false,
        recall=len(found) / len(due) if due else None,
        recall_interval=intervals.share(len(found), len(due)),
        precision=1 - false / alerts if alerts else None,
        precision_interval=intervals.share(alerts - false, alerts),
        false_per_hour=false / hours if hours else None,
        false_per_hour_interval=intervals.rate(false, hours),
        delays=_delays(delays) if delays else None,
    )


def _delays(ordered: Sequence[float]) -> Delays:
    return Delays(
        n=len(ordered),
        p10_s=intervals.quantile(ordered, 0.1),
        median_s=intervals.quantile(ordered, 0.5),
        p90_s=intervals.quantile(ordered, 0.9),
        worst_s=ordered[-1],
        median_interval_s=intervals.median(ordered),
    )


def _kinds_by_chain(profile: Profile) -> dict[str, str]:
    """The class of event each chain of rules tells: the first whose signal one of its rules asks."""
    kinds: dict[str, str] = {}
    for kind, signal in SIGNALS.items():
        for rule in profile.rules:
            if signal in rule.when:
                kinds.setdefault(rule.chain, kind)
    return kinds


def _kind(alert: AlertRecord, profile: Profile, kinds: Mapping[str, str]) -> str:
    chains = (rule.chain for rule in profile.rules if rule.type == alert.types[0])
    return next((kinds[chain] for chain in chains if chain in kinds), OTHER)
