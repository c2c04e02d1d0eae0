"""Recall, precision, delays, false alerts per hour and availability, by class of event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dms.alerts import Profile
from dms.alerts.rules import Rule
from dms.summary import AlertRecord
from dms.tools.event_truth import MAY_TELL, SIGNALS
from dms.tools.events import ClipScore
from dms.tools.score import intervals
from dms.tools.score.coverage import Coverage
from dms.tools.score.intervals import Interval

ALL, OTHER = "all", "other"
_KINDS = {
    signal: kind for told_by in (SIGNALS, MAY_TELL) for kind in reversed(told_by) for signal in told_by[kind]
}
"""What an alert is counted as whose rule asks a signal: the first kind that may be told by it, else must."""


@dataclass(frozen=True)
class Run:
    """One recording: what happened, what was told, how much was judged, and by whose rules it counts."""

    score: ClipScore
    judged_s: float
    profiles: tuple[Profile, ...]
    coverage: Coverage | None = None


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
class LeftOut:
    """What is in no figure of one recording: events by kind that no rule must tell, and what is not covered.

    `profiles` are those it was scored by, as name and hash.
    """

    recording: str
    profiles: Mapping[str, str]
    events_without_rule: Mapping[str, int]
    coverage: Coverage | None


@dataclass(frozen=True)
class Figures:
    """All recordings together."""

    recordings: int
    hours: float
    availability: float | None
    availability_range: Interval | None
    classes: Mapping[str, ClassFigures]
    left_out: tuple[LeftOut, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"schema": "dms.score/1", **asdict(self)}


def figures(runs: Sequence[Run]) -> Figures:
    """Score recordings, each by its profiles; classes nothing is known of are left out.

    Availability over several recordings comes with the lowest and highest of them, because its parts are not
    independent and an interval would claim too much.
    """
    seconds = sum(run.score.seconds for run in runs)
    shares = [run.judged_s / run.score.seconds for run in runs if run.score.seconds]
    names = (ALL, *SIGNALS, OTHER)
    classes = {name: _of_class(name, runs, seconds / 3600) for name in names}
    return Figures(
        recordings=len(runs),
        hours=seconds / 3600,
        availability=sum(run.judged_s for run in runs) / seconds if seconds else None,
        availability_range=(min(shares), max(shares)) if len(shares) > 1 else None,
        classes={name: of for name, of in classes.items() if name == ALL or of.due or of.alerts},
        left_out=tuple(_left_out(run) for run in runs),
    )


def _left_out(run: Run) -> LeftOut:
    profiles = {profile.name: profile.hash for profile in run.profiles}
    without_rule = Counter(told.event.kind for told in run.score.told if told.required_s is None)
    return LeftOut(run.score.clip, profiles, dict(without_rule), run.coverage)


def _of_class(name: str, runs: Sequence[Run], hours: float) -> ClassFigures:
    def own(alerts: Sequence[AlertRecord], run: Run) -> int:
        rules = [rule for profile in run.profiles for rule in profile.rules]
        return sum(name in (ALL, _kind(alert, rules)) for alert in alerts)

    due = [t for run in runs for t in run.score.told if t.due and name in (ALL, t.event.kind)]
    found = [t for t in due if t.alert is not None]
    alerts = sum(own(run.score.alerts, run) for run in runs)
    false = sum(own(run.score.false, run) for run in runs)
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


def _kind(alert: AlertRecord, rules: Sequence[Rule]) -> str:
    """The class of an alert: the kind of event whose signal the rules of its chain ask first."""
    chains = {rule.chain for rule in rules if rule.type == alert.types[0]}
    asked = (signal for rule in rules if rule.chain in chains for signal in rule.when)
    return next((_KINDS[signal] for signal in asked if signal in _KINDS), OTHER)
