"""What an alert rests on: what was seen when, which limits were in force, and what was not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dms.assess.signals import SIGNALS
from dms.control.levels import LEVELS
from dms.recording.documents import Document, Excerpt
from dms.records import Severity

DECIDING = ("at_least", "at_most", "unheeded_s")
"""Kinds of limits that a signal reaches; the others only arm a rule."""

_ORDER = [severity.value for severity in Severity]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened. `at_s` is seconds from the alert's beginning, negative before."""

    at_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in force: the signal it is for, what kind it is (`at_least`, …), and its value."""

    signal: str
    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage that an alert reached: when, the limits of its rule, and the frame that reached them."""

    at_s: float
    type: str
    limits: list[Limit]
    frame: Document


@dataclass(frozen=True, slots=True)
class Explanation:
    """All there is to tell of one alert. `phases` begin with its start, or the first phase in the record.

    `limits` are those of all phases; `stages` are empty where the alert's beginning is not in the record.
    """

    run: Document
    phases: list[Document]
    frames: list[Document]
    limits: list[Limit]
    stages: list[Stage]
    steps: list[Step]

    @property
    def started_s(self) -> float:
        """When the alert was raised, on the clock of the source."""
        return float(self.phases[0]["t_detect"])

    @property
    def at_start(self) -> Document | None:
        """The frame on which the alert was raised; None where its beginning is not in the record."""
        return self.stages[0].frame if self.stages else None

    @property
    def cause(self) -> str | None:
        """The cause told last, as lists of alerts show it; None where only its end is in the record."""
        told = [str(phase["cause"]) for phase in self.phases if phase["phase"] != "end"]
        return told[-1] if told else None

    @property
    def signals(self) -> list[str]:
        """The signals that decided, in the order of the rules; not those that only armed them."""
        return list(dict.fromkeys(limit.signal for limit in self.limits if limit.kind in DECIDING))


def explain(found: Excerpt) -> Explanation:
    """Tell one alert."""
    started_s = float(found.phases[0]["t_detect"])
    limits = list(dict.fromkeys(limit for phase in found.phases for limit in limits_of(phase)))
    stages = list(_stages(found, started_s)) if found.phases[0]["phase"] == "start" else []
    steps = [
        *_crossings(found.frames, limits, started_s),
        *_onsets(stages, started_s),
        *_phases(found.phases, started_s),
        *_changes(found.frames, started_s),
        *_told(found.told, started_s),
    ]
    return Explanation(
        found.run, found.phases, found.frames, limits, stages, sorted(steps, key=lambda step: step.at_s)
    )


def limits_of(alert: Mapping[str, Any]) -> Iterator[Limit]:
    """The limits that an alert's evidence names."""
    for name, value in alert["evidence"].items():
        signal, _, kind = name.partition(".")
        if signal in SIGNALS and kind and isinstance(value, int | float):
            yield Limit(signal, kind, float(value))


def to_dict(told: Explanation) -> Document:
    """The story as plain values."""
    return {
        "schema": "dms.explanation/1",
        "run": told.run,
        "phases": told.phases,
        "limits": [{"signal": x.signal, "kind": x.kind, "value": x.value} for x in told.limits],
        "steps": [{"at_s": round(step.at_s, 3), "text": step.text} for step in told.steps],
        "stages": [_stage_to_dict(stage) for stage in told.stages],
        "at_start": told.at_start and {k: v for k, v in told.at_start.items() if k != "alerts"},
        "engines": engines_in_force(told),
        "unknown_signals": unknown_signals(told.at_start) if told.at_start else None,
    }


def _stage_to_dict(stage: Stage) -> Document:
    return {
        "at_s": round(stage.at_s, 3),
        "type": stage.type,
        "limits": [
            {
                "signal": limit.signal,
                "kind": limit.kind,
                "value": limit.value,
                "reached": stage.frame["signals"].get(limit.signal),
            }
            for limit in stage.limits
        ],
    }


def engines_in_force(told: Explanation) -> dict[str, str]:
    """The engines at the level at which the alert was raised; empty where the record does not tell."""
    if told.at_start is None and told.run.get("cheapest"):
        return {}  # they depend on the level
    level = (told.at_start or {}).get("level") or 0
    cheapest = told.run.get("cheapest") if LEVELS[level].cheapest else None
    return {**(told.run.get("engines") or {}), **(cheapest or {})}


def gravest(phases: Iterable[Mapping[str, Any]]) -> str:
    """The gravest severity that an alert reached."""
    reached = {str(phase["severity"]) for phase in phases}
    return next((severity for severity in reversed(_ORDER) if severity in reached), "of unknown severity")


def unknown_signals(frame: Document) -> list[str]:
    """The signals of a frame that were not known."""
    return [name for name, value in frame["signals"].items() if value is None]


def _stages(found: Excerpt, started_s: float) -> Iterator[Stage]:
    """The stages in the order reached; telling one again, or acknowledging it, is none."""
    alert_id, before = found.phases[0]["id"], None
    for frame in found.frames:
        for phase in frame["alerts"]:
            if phase["id"] != alert_id or phase["phase"] == "end":
                continue
            limits = list(limits_of(phase))
            if (phase["type"], limits) != before:
                yield Stage(frame["captured_s"] - started_s, phase["type"], limits, frame)
            before = phase["type"], limits


def _onsets(stages: list[Stage], started_s: float) -> Iterator[Step]:
    """When what the stages were reached by began."""
    begun = {
        (limit.signal, (stage.frame.get("onsets") or {}).get(limit.signal)): None
        for stage in stages
        for limit in stage.limits
        if limit.kind in DECIDING
    }
    for name, onset_s in begun:
        if onset_s is not None:
            yield Step(onset_s - started_s, f"what `{name}` measures begins")


def _phases(phases: list[Document], started_s: float) -> Iterator[Step]:
    for phase in phases:
        at_s = phase["t_onset"] + phase["duration_s"] - started_s
        yield Step(at_s, _phase_text(phase))


def _phase_text(phase: Document) -> str:
    head = f"{phase['severity'].upper()} {phase['type']}"
    if phase["phase"] == "end":
        return f"{head} ends ({phase['evidence'].get('ended_by', 'cause not recorded')}): {phase['cause']}"
    if phase["phase"] == "start":
        return f"{head} raised: {phase['cause']}"
    if phase.get("t_acknowledged") is not None and (by := phase["evidence"].get("acknowledged_by")):
        return f"{head}: acknowledged by {by}"
    return f"{head}: {phase['cause']}"


def _changes(frames: list[Document], started_s: float) -> Iterator[Step]:
    """Changes of what is no number, from frame to frame."""
    for before, frame in pairwise(frames):
        for text in (*_state_changes(before, frame), *_events(before, frame)):
            yield Step(frame["captured_s"] - started_s, text)
    source = None
    for frame in frames:
        now = frame.get("gaze_source")
        if source is not None and now not in (None, source):  # while the eyes are closed there is none
            text = f"direction judged by {now}, no longer by {source}"
            yield Step(frame["captured_s"] - started_s, text)
        source = now or source


def _state_changes(before: Document, frame: Document) -> Iterator[str]:
    if frame.get("state") != before.get("state"):
        yield f"state {before.get('state')} → {frame.get('state')}"
    was, now = before.get("unknown_causes") or [], frame.get("unknown_causes") or []
    yield from (f"cannot tell: {cause}" for cause in now if cause not in was)
    yield from (f"can tell again: {cause} is over" for cause in was if cause not in now)


def _events(before: Document, frame: Document) -> Iterator[str]:
    faults = frame.get("faults")
    if faults and faults != before.get("faults"):
        yield f"failed on this frame: {', '.join(faults)}"
    if frame.get("level") != before.get("level"):
        yield f"level {before.get('level')} → {frame.get('level')}"
    yield from (f"acknowledgement by {given['by']}" for given in frame.get("acknowledgements") or ())


def _crossings(frames: list[Document], limits: list[Limit], started_s: float) -> Iterator[Step]:
    """Where a signal reached a limit in force, and where it left it: not in the first frame of a record."""
    for limit in limits:
        if limit.kind not in ("at_least", "at_most"):
            continue
        met = False
        for number, frame in enumerate(frames):
            value = frame["signals"].get(limit.signal)
            if value is None:
                continue
            now = value >= limit.value if limit.kind == "at_least" else value <= limit.value
            if now != met and number > 0:
                verb = "reaches" if now else "leaves"
                text = f"{limit.signal} {verb} its limit {limit.value:g} ({value:.2f})"
                yield Step(frame["captured_s"] - started_s, text)
            met = now


def _told(told: list[Document], started_s: float) -> Iterator[Step]:
    for document in told:
        at_s = document["captured_s"] - started_s
        if document["schema"] == "dms.health/1":
            causes = ", ".join(cause["cause"] for cause in document.get("causes") or ())
            yield Step(at_s, f"system {document.get('state')}" + (f": {causes}" if causes else ""))
        else:
            yield Step(at_s, f"level {document.get('level')}: {document.get('detail')}")
