"""An alert told in plain words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dms.assess.signals import SIGNALS
from dms.recording.documents import Document
from dms.recording.explanation import Explanation, engines_in_force, gravest, unknown_signals

SPARKS = "▁▂▃▄▅▆▇█"
_UNKNOWN_SPARK = "·"
_WIDTH = 60


def to_text(told: Explanation) -> str:
    """The story for a terminal."""
    parts = (_head(told), _course(told), _grounds(told), _sparklines(told))
    return "\n\n".join(text for part in parts if (text := "\n".join(part)))


def _head(told: Explanation) -> Iterator[str]:
    first, last = told.phases[0], told.phases[-1]
    types = " → ".join(dict.fromkeys(phase["type"] for phase in told.phases))
    end = f"ended after {last['duration_s']:.1f} s" if last["phase"] == "end" else "its end is not recorded"
    yield f"Alert {first['id']}: {types}, {gravest(told.phases).upper()}, {end}"
    if told.cause is not None:
        yield f"  {told.cause}"
    if not told.stages:
        yield "  Its beginning is not in this record: what it rested on is unknown."
    profile = first.get("profile", "not recorded")
    if first.get("profile_hash"):
        profile += f" version {first['profile_version']}, hash {first['profile_hash']}"
    yield f"  profile {profile}"
    yield f"  made by {told.run.get('software') or 'a version that is not recorded'}"
    for name, engine in engines_in_force(told).items():
        yield f"  engine {name}: {engine}"


def _course(told: Explanation) -> Iterator[str]:
    yield f"What happened (seconds from the alert, raised at {told.started_s:.2f} s of the source's clock)"
    for step in told.steps:
        yield f"  {step.at_s:+8.2f}  {step.text}"


def _grounds(told: Explanation) -> Iterator[str]:
    """What the stages were reached by, and how well the driver was known when the alert was raised."""
    frame = told.at_start
    if frame is None:
        return
    yield "What it rested on"
    for stage in told.stages:
        yield f"  {stage.at_s:+8.2f}  {stage.type}"
        for limit in stage.limits:
            value, meaning = _number(stage.frame["signals"].get(limit.signal)), SIGNALS[limit.signal].text
            yield f"            {limit.signal} {value}, {limit.kind} {limit.value:g}: {meaning}"
    yield ""
    yield "When it was raised"
    yield f"  confidence {_number(frame.get('confidence'))}"
    yield f"  direction judged by: {frame.get('gaze_source') or 'nothing'}"
    yield f"  gaze zone: {frame.get('zone') or 'not told'}"
    yield f"  learned of this driver: {_listing(frame.get('learned'))}"
    yield f"  measured against: {_listing(frame.get('baseline'))}"
    yield f"  one-sigma errors: {_listing(frame.get('uncertainty'))}"
    yield f"  age of the frame: {_number(frame.get('frame_age_ms'))} ms; level: {frame.get('level')}"
    yield f"  {_vehicle(frame)}"
    yield f"  could not be told then: {', '.join(frame.get('unknown_causes') or []) or 'nothing'}"
    yield f"  signals not known: {', '.join(unknown_signals(frame)) or 'none'}"


def _vehicle(frame: Document) -> str:
    speed = (frame.get("vehicle") or {}).get("speed")
    if not speed:
        return "speed not recorded"
    if not speed["valid"]:
        cause = "although a source is set up" if speed["configured"] else "no source is set up"
        return f"speed unknown ({cause}): the strictest times applied"
    return f"speed {speed['kmh']:g} km/h by {speed['source'] or 'an unnamed source'}"


def _sparklines(told: Explanation) -> Iterator[str]:
    """Each signal that decided, over the time of the story; an unknown moment is a dot."""
    if not told.frames:
        return
    begin_s, end_s = told.frames[0]["captured_s"], told.frames[-1]["captured_s"]
    yield f"From {begin_s - told.started_s:+.1f} s to {end_s - told.started_s:+.1f} s"
    for name in told.signals:
        bins: list[list[float | None]] = [[] for _ in range(_WIDTH)]
        for frame in told.frames:
            share = (frame["captured_s"] - begin_s) / max(end_s - begin_s, 1e-9)
            bins[min(_WIDTH - 1, int(share * _WIDTH))].append(frame["signals"].get(name))
        yield f"  {_spark(bins)}  {name}"


def _spark(bins: list[list[float | None]]) -> str:
    peaks = [max((v for v in values if v is not None), default=None) for values in bins]
    top = max((peak for peak in peaks if peak is not None), default=0.0) or 1.0
    return "".join(_UNKNOWN_SPARK if peak is None else _block(peak / top) for peak in peaks)


def _block(share: float) -> str:
    last = len(SPARKS) - 1
    return SPARKS[max(0, min(last, round(share * last)))]


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _listing(values: Mapping[str, float | None] | None) -> str:
    told = ", ".join(f"{name} {_number(value)}" for name, value in (values or {}).items())
    return told or "nothing recorded"
