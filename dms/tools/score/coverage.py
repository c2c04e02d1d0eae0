"""The time that both files of a recording cover: what lies beyond it can be neither told nor missed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dms.summary import AlertRecord
from dms.tools.event_truth import SLACK_S, Event
from dms.tools.score.record import Told


@dataclass(frozen=True)
class Coverage:
    """From when to when each file reaches, seconds of the timeline, and how much beyond is left out.

    `truth_ends_s` is None where the timeline does not say: it is as long as the record. `events_cut` are
    counted as far as they were recorded.
    """

    record_begins_s: float
    record_ends_s: float
    truth_ends_s: float | None
    events_before: int
    events_after: int
    events_cut: int
    alerts_before: int
    alerts_after: int

    def lines(self) -> Iterator[str]:
        """What is left out, for a person."""
        if self.events_before:
            began = f"record begins at {self.record_begins_s:.1f} s"
            yield f"{began}: {_uncounted(self.events_before, 'event', 'before')}"
        if self.alerts_before:
            yield f"timeline begins at 0 s: {_uncounted(self.alerts_before, 'alert', 'before')}"
        if self.events_after:
            ended = f"record ends at {self.record_ends_s:.1f} s"
            yield f"{ended}: {_uncounted(self.events_after, 'event', 'after')}"
        if self.events_cut:
            yield f"{_number(self.events_cut, 'event')} counted only as far as recorded"
        if self.truth_ends_s is not None and self.truth_ends_s + SLACK_S < self.record_ends_s:
            beyond_s = self.record_ends_s - self.truth_ends_s
            ended = f"truth ends at {self.truth_ends_s:.1f} s, {beyond_s:.1f} s before the record"
            yield f"{ended}: {_uncounted(self.alerts_after, 'alert', 'after')}"


def covered(
    events: Sequence[Event], truth_ends_s: float | None, told: Told
) -> tuple[list[Event], list[AlertRecord], Coverage]:
    """The events that were recorded and the alerts whose truth is known, cut to that time."""
    begins_s, ends_s = max(0.0, told.begins_s), told.ends_s
    known_until_s = math.inf if truth_ends_s is None else truth_ends_s
    recorded = [e for e in events if e.start_s < ends_s and e.end_s > begins_s]
    cut = [
        e.model_copy(update={"start_s": max(begins_s, e.start_s), "end_s": min(ends_s, e.end_s)})
        for e in recorded
    ]
    judgeable = [a for a in told.alerts if 0 <= a.onset_s <= known_until_s]
    return (
        cut,
        [replace(a, ended_s=min(a.ended_s, known_until_s)) for a in judgeable],
        Coverage(
            record_begins_s=told.begins_s,
            record_ends_s=ends_s,
            truth_ends_s=truth_ends_s,
            events_before=sum(e.end_s <= begins_s for e in events),
            events_after=sum(e.start_s >= ends_s for e in events),
            events_cut=sum(e.start_s < begins_s - SLACK_S or e.end_s > ends_s + SLACK_S for e in recorded),
            alerts_before=sum(a.onset_s < 0 for a in told.alerts),
            alerts_after=sum(a.onset_s > known_until_s for a in told.alerts),
        ),
    )


def _uncounted(count: int, what: str, where: str) -> str:
    return f"{_number(count, what)} {where} that {'is' if count == 1 else 'are'} not counted"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
