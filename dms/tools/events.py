"""From frames to alerts: are events told, how late, and how often is one told that is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dms.alerts import Profile, load_profiles
from dms.alerts.rules import Limit, Rule
from dms.assess.attend import FULL_S
from dms.config import Config
from dms.summary import AlertRecord
from dms.tools.analyze import analyze
from dms.tools.event_truth import MAY_TELL, SIGNALS, SLACK_S, Event, joined, truth_of

CLEARLY_S = 0.25
"""An event that lasts only this much longer than its rule asks may be told or not."""
LATE_CHAINS = {"drowsy": ("eyes_closed", 180.0), "ddaw": ("eyes_closed", 180.0)}
"""Chains that look back: they are right for so many seconds after an event of that kind."""


@dataclass(frozen=True)
class Told:
    """One true event and what became of it.

    `required_s` is how long it must last before a rule must tell it (None: none must); `delay_s` how much
    later than that the alert came, `onset_error_s` how far its own idea of the beginning is off.
    """

    event: Event
    required_s: float | None
    alert: AlertRecord | None

    @property
    def due(self) -> bool:
        """Whether an alert must come: the event lasts clearly longer than the rule asks."""
        lasted_s = self.event.end_s - self.event.start_s
        return self.required_s is not None and lasted_s >= self.required_s + CLEARLY_S

    @property
    def delay_s(self) -> float | None:
        """Seconds between the moment the rule is met and the alert; None of one that stood already."""
        if self.alert is None or self.required_s is None or self.alert.detected_s < self.event.start_s:
            return None
        return self.alert.detected_s - self.event.start_s - self.required_s

    @property
    def onset_error_s(self) -> float | None:
        """Seconds between the true beginning and the alert's; None of one that stood already."""
        if self.alert is None or self.alert.detected_s < self.event.start_s:
            return None
        return self.alert.onset_s - self.event.start_s


@dataclass(frozen=True)
class Overlong:
    """An alert that was right once and stood on for `seconds` after it had to end."""

    alert: AlertRecord
    seconds: float


@dataclass(frozen=True)
class ClipScore:
    """One recording: its events with their alerts, the alerts that fit none or stood too long, its length."""

    clip: str
    seconds: float
    told: tuple[Told, ...]
    alerts: tuple[AlertRecord, ...]
    false: tuple[AlertRecord, ...]
    overlong: tuple[Overlong, ...] = ()

    @property
    def false_s(self) -> float:
        """Seconds in which an alert stood that no event asked for."""
        return sum(a.ended_s - a.onset_s for a in self.false) + sum(o.seconds for o in self.overlong)


@dataclass(frozen=True)
class EventScore:
    """All recordings together. Rates are None where there is nothing to count."""

    due: int
    found: int
    recall: float | None
    false_alarms: int
    hours: float
    false_per_hour: float | None
    overlong: int
    false_s: float
    median_delay_s: float | None
    worst_delay_s: float | None
    median_onset_error_s: float | None
    by_kind: Mapping[str, tuple[int, int]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `by_kind` is found and due."""
        return {
            name: None if isinstance(v, float) and math.isnan(v) else v for name, v in asdict(self).items()
        }


def score_clip(clip: Path, config: Config, progress: Callable[[float], None] | None = None) -> ClipScore:
    """Judge a clip with the whole system and compare its alerts with the truth."""
    events = joined(truth_of(clip))
    summary = analyze(config, str(clip), progress=progress)
    profiles = load_profiles(config.alerts)
    return compare(clip.name, events, summary.alerts, summary.recorded_s, *profiles)


def compare(
    clip: str,
    events: Sequence[Event],
    told_alerts: Iterable[AlertRecord],
    seconds: float,
    *profiles: Profile,
) -> ClipScore:
    """Which events were told, which alerts fit no event, and which stood on after theirs was over.

    Of several profiles the first rule that is met must tell an event, and any may.
    """
    rules = [rule for profile in profiles for rule in profile.rules]
    alerts = tuple(a for a in told_alerts if not a.types[0].startswith("system."))
    own = {a.id: _own_spans(a, events, rules) for a in alerts}
    late = {a.id: _late_spans(a, events, rules) for a in alerts}
    told = tuple(
        _told(event, [a for a in alerts if _tells(a, event, own[a.id], rules)], rules) for event in events
    )
    false = tuple(a for a in alerts if not own[a.id] and not late[a.id])
    overlong = [
        Overlong(a, a.ended_s - max(s.until_s for s in (*own[a.id], *late[a.id])))
        for a in alerts
        if a not in false
    ]
    return ClipScore(clip, seconds, told, alerts, false, tuple(o for o in overlong if o.seconds > 0))


def _told(event: Event, fitting: Sequence[AlertRecord], rules: Sequence[Rule]) -> Told:
    first = min(fitting, key=lambda a: a.detected_s, default=None)
    return Told(event, required_s(event.kind, rules), first)


def required_s(kind: str, rules: Iterable[Rule]) -> float | None:
    """How long an event of this kind must last before the first of the rules tells it; None if none must."""
    limits = [
        _lasts_s(signal, rule.when[signal])
        for rule in rules
        for signal in SIGNALS[kind]
        if signal in rule.when and not rule.only_escalates
    ]
    return min((limit for limit in limits if limit is not None), default=None)


def _lasts_s(signal: str, limit: Limit) -> float | None:
    """How long an event lasts when its signal reaches a limit. A full buffer of AttenD drains with time."""
    if signal == "attend_buffer_s" and limit.at_most is not None:
        return FULL_S - limit.at_most
    return limit.at_least


def told_by(kind: str) -> tuple[str, ...]:
    """The signals whose rules tell events of a kind, whether they must or may."""
    return (*SIGNALS[kind], *MAY_TELL.get(kind, ()))


@dataclass(frozen=True)
class _Span:
    """When an alert may begin, and until when it may stand."""

    from_s: float
    to_s: float
    until_s: float


def _own_spans(alert: AlertRecord, events: Sequence[Event], rules: Sequence[Rule]) -> list[_Span]:
    """The spans of events of the alert's kind that it began in: not before, and not after.

    Events so close that the alert need not end between them are one span.
    """
    chained = [rule for rule in rules if rule.chain in _chains(alert, rules)]
    signals = {signal for rule in chained for signal in rule.when}
    lingers_s = (
        max((rule.clear_after_s for rule in chained if rule.type in alert.types), default=0.0) + SLACK_S
    )
    spans: list[_Span] = []
    for event in sorted(events, key=lambda e: e.start_s):
        if signals.isdisjoint(told_by(event.kind)):
            continue
        until_s = event.end_s + lingers_s
        if spans and event.start_s <= spans[-1].until_s:
            last = spans[-1]
            spans[-1] = _Span(last.from_s, max(last.to_s, event.end_s + SLACK_S), max(last.until_s, until_s))
        else:
            spans.append(_Span(event.start_s - SLACK_S, event.end_s + SLACK_S, until_s))
    return [s for s in spans if s.from_s <= alert.onset_s < s.to_s]


def _late_spans(alert: AlertRecord, events: Sequence[Event], rules: Sequence[Rule]) -> list[_Span]:
    """The same for chains that look back: such an alert may come, and stand, long after its events."""
    chains = _chains(alert, rules)
    lingers_s = max((rule.clear_after_s for rule in rules if rule.chain in chains), default=0.0)
    spans = [
        _Span(event.start_s, event.end_s + seconds, event.end_s + seconds + lingers_s)
        for chain, (kind, seconds) in LATE_CHAINS.items()
        for event in events
        if chain in chains and event.kind == kind
    ]
    return [s for s in spans if s.from_s <= alert.detected_s <= s.to_s]


def _tells(alert: AlertRecord, event: Event, spans: Sequence[_Span], rules: Sequence[Rule]) -> bool:
    """Whether an alert tells an event: of its kind, begun rightly, and standing while the event lasts."""
    chains, signals = _chains(alert, rules), told_by(event.kind)
    kin = any(rule.chain in chains and not rule.when.keys().isdisjoint(signals) for rule in rules)
    within = any(s.from_s <= event.start_s and event.end_s <= s.until_s for s in spans)
    overlap = alert.onset_s < event.end_s + SLACK_S and alert.ended_s > event.start_s
    return kin and within and overlap


def _chains(alert: AlertRecord, rules: Sequence[Rule]) -> set[str]:
    return {rule.chain for rule in rules if rule.type == alert.types[0]}


def total(scores: Sequence[ClipScore]) -> EventScore:
    """All clips together."""
    due = [t for s in scores for t in s.told if t.due]
    found = [t for t in due if t.alert is not None]
    hours = sum(s.seconds for s in scores) / 3600
    false = sum(len(s.false) for s in scores)
    delays = [t.delay_s for t in found if t.delay_s is not None]
    onsets = [t.onset_error_s for t in found if t.onset_error_s is not None]
    kinds = {kind: [t for t in due if t.event.kind == kind] for kind in SIGNALS}
    return EventScore(
        due=len(due),
        found=len(found),
        recall=len(found) / len(due) if due else None,
        false_alarms=false,
        hours=hours,
        false_per_hour=false / hours if hours else None,
        overlong=sum(len(s.overlong) for s in scores),
        false_s=sum(s.false_s for s in scores),
        median_delay_s=float(np.median(delays)) if delays else None,
        worst_delay_s=max(delays, default=None),
        median_onset_error_s=float(np.median(onsets)) if onsets else None,
        by_kind={k: (sum(t.alert is not None for t in ts), len(ts)) for k, ts in kinds.items() if ts},
    )
