"""One drive judged by the whole system, and what became of its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dms.alerts import load_profile
from dms.app import judge_recording
from dms.config import Config
from dms.records import Judgement, Message
from dms.tools.campaign.drive import Drive, events_of
from dms.tools.campaign.plan import Group, script_of
from dms.tools.event_truth import joined
from dms.tools.events import compare

SAID_SHARE = 0.5
"""A miss is silent where the driver was said to be fully judged for more than this share of the event."""


@dataclass(frozen=True)
class Fate:
    """One event that had to be told: its kind, whether it was, how late, and if not whether in silence."""

    kind: str
    found: bool
    silent: bool
    delay_s: float | None


@dataclass(frozen=True)
class Trial:
    """One drive: seconds in all, seconds the driver's state was known, the false alerts' first types."""

    group: Group
    seed: int
    seconds: float
    judged_s: float
    fates: tuple[Fate, ...]
    false: tuple[str, ...]


def judged(group: Group, seed: int) -> Trial:
    """Drive, judge, compare; one process needs no other for it."""
    config = Config()
    script = script_of(group, seed)
    told = _Told()
    summary = judge_recording(config, Drive(script, group.condition), lambda origin: [told], lambda: False)
    profile = load_profile(config.alerts.profiles[0])
    score = compare(
        group.name, joined(events_of(script, group.condition)), summary.alerts, summary.recorded_s, profile
    )
    fates = [
        Fate(
            kind=t.event.kind,
            found=t.alert is not None,
            silent=t.alert is None and told.sure_share(t.event.start_s, t.event.end_s) > SAID_SHARE,
            delay_s=t.delay_s,
        )
        for t in score.told
        if t.due
    ]
    false = tuple(alert.types[0] for alert in score.false)
    judged_s = summary.availability * summary.recorded_s
    return Trial(group, seed, summary.recorded_s, judged_s, tuple(fates), false)


class _Told:
    """A sink that keeps when nothing of the driver was said to be unknown."""

    name = "campaign"

    def __init__(self) -> None:
        self._moments: list[tuple[float, bool]] = []

    def publish(self, message: Message) -> None:
        if not isinstance(message, Judgement) or message.observation.frame_id < 0:
            return
        verdict = message.assessment
        self._moments.append((verdict.captured_s, not verdict.unknown_causes))

    def sure_share(self, start_s: float, end_s: float) -> float:
        """Share of the moments between in which nothing was said to be unknown."""
        within = [sure for now_s, sure in self._moments if start_s <= now_s < end_s]
        return sum(within) / len(within) if within else 0.0

    def fault(self) -> str | None:
        return None

    def figures(self) -> Mapping[str, float]:
        return {}

    def close(self) -> None:
        pass


def by_kind(fates: Sequence[Fate]) -> dict[str, tuple[int, int]]:
    """Found and due by kind of event, in the order of their first appearance by name."""
    kinds = sorted({fate.kind for fate in fates})
    return {
        kind: (sum(f.found for f in fates if f.kind == kind), sum(f.kind == kind for f in fates))
        for kind in kinds
    }
