"""Whether the alerts of the recording come lap after lap, wherever no fault is in the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from dms import app
from dms.config import Config
from dms.errors import InputError, SourceEnded
from dms.records import Judgement, Phase
from dms.sources import open_source
from dms.tools.soak.witness import Heard

SLACK_S = 1.0
"""An alert may come so much earlier or later than in the first hearing: a few tenths by the level, and what
takes turns runs at other moments in each lap."""
LEAD_S = 5.0
"""What leads up to an alert must have been seen undisturbed for so long."""
CUMULATED = ("fatigue.drowsy",)
"""Alerts over minutes: whether they come hangs on the laps before. They are counted, not asked for."""

NOT_AT_TOP = ("distraction.phone",)
"""What the top level of the controller does not see (`control.levels`)."""
Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Recording:
    """What one undisturbed hearing of the recording told: its length, alerts, and a calm part of it."""

    length_s: float
    alerts: tuple[Heard, ...]
    calm: tuple[float, float]


@dataclass(slots=True)
class Tally:
    """Alerts by type: asked for, and come."""

    expected: Counter[str] = field(default_factory=Counter)
    came: Counter[str] = field(default_factory=Counter)
    unforeseen: Counter[str] = field(default_factory=Counter)
    """What came though nothing called for it, and when."""
    cumulated: Counter[str] = field(default_factory=Counter)
    disturbed: int = 0
    """Alerts not asked for, because a fault was in the way."""
    missed: Counter[str] = field(default_factory=Counter)
    """What did not come, and when it was due."""


def hear(config: Config) -> Recording:
    """Judge the recording once, undisturbed and as fast as it goes.

    Raises:
        InputError: it raises no alert, or never shows a driver who can be judged.
    """
    source_config = config.source.model_copy(update={"realtime": False})
    source = open_source(source_config)
    judgements: list[Judgement] = []
    try:
        with app.open_pipeline(config, session="hearing") as pipeline:
            while True:
                judgements.append(pipeline.step(source.newest(1.0)))
    except SourceEnded:
        pass
    finally:
        source.close()
    return _recording(judgements, 1 / source.fps, config.source.uri)


def _recording(judgements: Sequence[Judgement], period_s: float, uri: str) -> Recording:
    begun = [alert for judgement in judgements for alert in judgement.alerts if alert.phase is Phase.START]
    alerts = tuple(Heard(alert.type, alert.detected_s) for alert in begun if alert.type not in CUMULATED)
    runs = [
        [judgement.assessment.captured_s for judgement in run]
        for known, run in groupby(judgements, key=lambda judgement: not judgement.assessment.unknown_causes)
        if known
    ]
    if not alerts or not runs:
        raise InputError(
            f"{uri} raises no alert, or shows no driver: a soak that judges nothing proves nothing; "
            "give another recording, or none for the demonstration clip"
        )
    calm = max(runs, key=lambda times: times[-1] - times[0])
    return Recording(judgements[-1].assessment.captured_s + period_s, alerts, (calm[0], calm[-1]))


def tally_lap(
    tally: Tally,
    recording: Recording,
    begun_s: float,
    heard: Sequence[Heard],
    disturbed: Spans,
    at_top: Spans = (),
) -> None:
    """Compare one lap, begun at `begun_s`, with the recording.

    Args:
        tally: is added to.
        recording: what is to come.
        begun_s: of the lap, driving time.
        heard: alerts of late, those of this lap among them.
        disturbed: from and to, in order.
        at_top: the same, when the level was the highest.
    """

    def in_the_way(alert: Heard) -> Spans:
        return [*disturbed, *at_top] if alert.type in NOT_AT_TOP else disturbed

    left = [alert for alert in heard if begun_s <= alert.told_s < begun_s + recording.length_s]
    for alert in recording.alerts:
        due_s = begun_s + alert.told_s
        match = next((h for h in left if h.type == alert.type and abs(h.told_s - due_s) <= SLACK_S), None)
        if match is not None:
            left.remove(match)
        if _overlaps(in_the_way(alert), due_s - LEAD_S, due_s + SLACK_S):
            tally.disturbed += 1
            continue
        tally.expected[alert.type] += 1
        if match is not None:
            tally.came[alert.type] += 1
        else:
            tally.missed[f"{alert.type} due at second {alert.told_s:.0f} of the lap"] += 1
    for extra in left:
        if extra.type in CUMULATED:
            tally.cumulated[extra.type] += 1
        elif not _overlaps(in_the_way(extra), extra.told_s - 2 * LEAD_S, extra.told_s):
            tally.unforeseen[f"{extra.type} at second {extra.told_s - begun_s:.0f} of a lap"] += 1


def _overlaps(spans: Spans, begin_s: float, end_s: float) -> bool:
    return any(begin <= end_s and begin_s <= end for begin, end in spans)
