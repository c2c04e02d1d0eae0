"""What `dms evaluate --clips` found, as text, Markdown, JSON and a timeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dms.alerts import Profile
from dms.evaluation import plots
from dms.summary import AlertRecord
from dms.tools.event_truth import SIGNALS, SLACK_S
from dms.tools.events import ClipScore, Told, told_by, total


def text(scores: Sequence[ClipScore]) -> str:
    """A line an event and a line a false alarm, then the totals."""
    lines: list[str] = []
    for score in scores:
        lines.append(f"{score.clip}  {score.seconds:.1f} s")
        lines += [f"  {_told_line(told)}" for told in score.told]
        lines += [f"  {a.onset_s:6.1f} s  FALSE {' > '.join(a.types)}: {a.cause}" for a in score.false]
        lines += [
            f"  {o.alert.onset_s:6.1f} s  {' > '.join(o.alert.types)} STOOD {o.seconds:.2f} s TOO LONG"
            for o in score.overlong
        ]
    return "\n".join([*lines, "", *total_lines(scores)])


def _told_line(told: Told) -> str:
    event = told.event
    head = f"{event.start_s:6.1f} to {event.end_s:5.1f} s  {event.kind:<12}"
    if told.alert is None:
        return f"{head} {'MISSED' if told.due else 'too short for an alert, none came'}"
    late = f", {told.delay_s:+.2f} s after its rule" if told.due and told.delay_s is not None else ""
    return f"{head} {' > '.join(told.alert.types)} at {told.alert.detected_s:.1f} s{late}"


def total_lines(scores: Sequence[ClipScore]) -> list[str]:
    """Recall, false alarms per hour, delays."""
    of = total(scores)
    kinds = ", ".join(f"{kind} {found}/{due}" for kind, (found, due) in of.by_kind.items())
    recall = f"{of.found} of {of.due} events that a rule must tell ({kinds})" if of.due else "no event due"
    rate = f", {of.false_per_hour:.1f} an hour" if of.false_per_hour is not None else ""
    lines = [
        f"told {recall}",
        f"{of.false_alarms} false alarms in {60 * of.hours:.1f} minutes{rate}",
        f"{of.overlong} alerts stood too long after their event; {of.false_s:.1f} s of false alert in all",
    ]
    if of.median_delay_s is not None:
        lines.append(
            f"after the rule's time: median {of.median_delay_s:+.2f} s, worst {of.worst_delay_s:+.2f} s; "
            f"onset off by {of.median_onset_error_s:+.2f} s (median)"
        )
    return lines


def markdown(scores: Sequence[ClipScore]) -> list[str]:
    """A section for a page."""
    lines = [
        "## End to end: events and alerts",
        "",
        "The whole system on recordings whose events are known (`dms evaluate --clips`). An event is due",
        "when it lasts longer than the profile's rule asks. An alert is right when it begins while its event",
        f"lasts ({SLACK_S:g} s of slack), and false time counts from when it should have ended. Few minutes",
        "of driving: the rate of false alarms is coarse.",
        "",
        "| clip | seconds | due | told | false alarms | seconds of false alert |",
        "|---|---|---|---|---|---|",
    ]
    for s in scores:
        of = total([s])
        lines.append(
            f"| {s.clip} | {s.seconds:.1f} | {of.due} | {of.found} | {of.false_alarms} | {of.false_s:.1f} |"
        )
    return [*lines, "", *(f"* {line}" for line in total_lines(scores)), ""]


def to_dict(scores: Sequence[ClipScore]) -> dict[str, Any]:
    """Plain values for JSON."""
    return {
        "total": total(scores).to_dict(),
        "clips": [
            {
                "clip": s.clip,
                "seconds": s.seconds,
                "events": [
                    {
                        **t.event.model_dump(),
                        "due": t.due,
                        "alert": list(t.alert.types) if t.alert else None,
                        "delay_s": t.delay_s,
                        "onset_error_s": t.onset_error_s,
                    }
                    for t in s.told
                ],
                "false": [{"types": list(a.types), "onset_s": a.onset_s, "cause": a.cause} for a in s.false],
                "overlong": [
                    {"types": list(o.alert.types), "onset_s": o.alert.onset_s, "seconds": o.seconds}
                    for o in s.overlong
                ],
            }
            for s in scores
        ],
    }


def timeline(scores: Sequence[ClipScore], profile: Profile, path: Path) -> None:
    """A picture of truth over alerts, a lane a kind."""
    clips = [(s.clip, s.seconds, _lanes(s, profile)) for s in scores]
    plots.timeline(clips, path, "Events and alerts")


def _lanes(score: ClipScore, profile: Profile) -> list[plots.Lane]:
    chain_of = {rule.type: rule.chain for rule in profile.rules}
    lanes = []
    claimed: set[str] = set()
    for kind in SIGNALS:
        signals = told_by(kind)
        chains = {rule.chain for rule in profile.rules if not rule.when.keys().isdisjoint(signals)}
        alerts = [a for a in score.alerts if chain_of.get(a.types[0]) in chains and a.id not in claimed]
        claimed |= {a.id for a in alerts}
        truth = [(t.event.start_s, t.event.end_s) for t in score.told if t.event.kind == kind]
        if truth or alerts:
            lanes.append(_lane(kind, truth, alerts, score))
    rest = [a for a in score.alerts if a.id not in claimed]
    return [*lanes, *([_lane("other", [], rest, score)] if rest else [])]


def _lane(
    name: str, truth: list[tuple[float, float]], alerts: Sequence[AlertRecord], score: ClipScore
) -> plots.Lane:
    """Of an alert that stood too long, what is too much is false."""
    wrong = {a.id for a in score.false}
    too_long_s = {o.alert.id: o.seconds for o in score.overlong}
    good = [(a.onset_s, a.ended_s - too_long_s.get(a.id, 0.0)) for a in alerts if a.id not in wrong]
    false = [(a.onset_s, a.ended_s) for a in alerts if a.id in wrong]
    false += [(a.ended_s - too_long_s[a.id], a.ended_s) for a in alerts if a.id in too_long_s]
    return plots.Lane(name, truth, good, false)
