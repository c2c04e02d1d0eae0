"""What happens in a recording: events written by a person, or those of a simulated drive."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from dms.config.yaml_text import Places, dotted, place_of, read_yaml
from dms.errors import ConfigError, InputError
from dms.resources import configs_folder
from dms.simulator.record import truth_path

EVENTS_SUFFIX = ".events.yaml"
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm")
SLACK_S = 0.5
"""Truth is known to about half a second: an alert may begin that much before its event."""
PAUSE_S = 0.2
"""Two events of one kind with a shorter pause between them are one."""
SIGNALS = {
    "eyes_closed": ("closure_s", "off_task_s"),
    "look_away": ("off_road_s", "attend_buffer_s"),
    "gaze_away": ("off_road_s", "attend_buffer_s"),
    "phone": ("phone_s",),
    "yawn": ("yawn_s",),
    "absent": ("no_face_s",),
    "blocked": ("blocked_s",),
    "eyes_hidden": ("eyes_hidden_s",),
}
"""The kinds of events and the signals whose rules must tell them."""
MAY_TELL = {kind: ("off_task_s", "area3_s") for kind in ("look_away", "gaze_away")}
"""Signals whose rules tell an event rightly but need not: truth does not say where a look away goes."""
EXPECTED = "a YAML list of {kind: …, start_s: …, end_s: …} with the kinds " + ", ".join(SIGNALS)
SCRIPTED = {
    "eyes_closed": "eyes_closed", "yawn": "yawn", "look": "look_away", "phone_at_ear": "phone",
    "phone_in_hand": "phone", "blocked": "blocked", "absent": "absent", "sunglasses": "eyes_hidden",
}  # fmt: skip
"""What the simulated driver's scripts call the kinds."""
AWAY_DEG = 15.0
"""A scripted look that turns the head less than this is no look away from the road."""


class Event(BaseModel):
    """Something that happened in a recording, seconds from its start."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str
    start_s: float = Field(ge=0)
    end_s: float

    @model_validator(mode="after")
    def _sound(self) -> Event:
        if self.kind not in SIGNALS:
            raise ValueError(f"no kind {self.kind!r}; there are {', '.join(SIGNALS)}")
        if not self.end_s > self.start_s:
            raise ValueError("end_s must be after start_s")
        return self


@dataclass(frozen=True)
class Timeline:
    """What happens; `ends_s` is until when that is known, None where it does not say."""

    events: tuple[Event, ...]
    ends_s: float | None = None


def find_clips(paths: Iterable[Path]) -> list[Path]:
    """The video files given, and those in folders given.

    Raises:
        InputError: a path does not exist, or a folder holds no video.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
            if not inside:
                raise InputError(f"{path} holds no video ({', '.join(VIDEO_SUFFIXES)})")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{path} does not exist; give a video file or a folder of them")
    return found


def truth_of(clip: Path) -> list[Event]:
    """What happens in a clip: `<name>.events.yaml` or the simulator's truth beside it, else a shipped note.

    Raises:
        InputError: there is none, or it is malformed.
    """
    stem = clip.with_suffix("")
    shipped = configs_folder() / "evaluation" / "clips" / f"{clip.stem}.yaml"
    for path in (
        clip.with_name(clip.name + EVENTS_SUFFIX),
        stem.with_name(stem.name + EVENTS_SUFFIX),
        shipped,
    ):
        if path.is_file():
            return read_events(path)
    simulated = truth_path(clip)
    if simulated.is_file():
        return list(simulated_timeline(simulated).events)
    raise InputError(
        f"{clip}: nothing says what happens in it; write {stem.name}{EVENTS_SUFFIX} beside it, {EXPECTED}"
    )


def read_timeline(path: Path) -> Timeline:
    """What happens, from a YAML list of events or from the truth of a simulated clip (`.jsonl`).

    Raises:
        InputError: unreadable or neither of them.
    """
    return simulated_timeline(path) if path.suffix == ".jsonl" else Timeline(tuple(read_events(path)))


def read_events(path: Path) -> list[Event]:
    """A YAML list of events; an empty list means that nothing happens.

    Raises:
        InputError: unreadable, no YAML, or no such list.
    """
    try:
        content, places = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        raise InputError(f"cannot read the events of {path}: {error}") from error
    if not isinstance(content, list):
        found = "is empty" if content is None else "holds no list"
        raise InputError(f"{path} {found}: write {EXPECTED}, or [] where nothing happens")
    try:
        return TypeAdapter(list[Event]).validate_python(content)
    except ValidationError as error:
        raise InputError(_fault(error, places)) from error


def _fault(error: ValidationError, places: Places) -> str:
    """The first fault: file, line, key, what is wrong."""
    first = error.errors(include_url=False)[0]
    parts = (place_of(places, first["loc"]), dotted(first["loc"][1:]))
    message = {
        "extra_forbidden": f"unknown key; there are {', '.join(Event.model_fields)}",
        "model_type": f"no event; expected {EXPECTED}",
    }.get(first["type"], first["msg"].removeprefix("Value error, "))
    return ": ".join(part for part in (*parts, message) if part)


def simulated_timeline(path: Path) -> Timeline:
    """What happens in a simulated clip, from the truth of its frames.

    Raises:
        InputError: a line is no JSON of the simulator, or there is none.
    """
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        times = [float(row["captured_s"]) for row in rows]
        named = [frozenset(row["events"]) for row in rows]
        yaw = [row["head_deg"][0] if row["head_deg"] else math.nan for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no truth of a simulated clip: {error}") from error
    if not times:
        raise InputError(f"{path} is no truth of a simulated clip: it is empty")
    found = []
    for script_name, kind in SCRIPTED.items():
        for on, run in groupby(range(len(rows)), key=lambda i: script_name in named[i]):
            frames = list(run)
            if on and (kind != "look_away" or _turned(yaw, frames)):
                found.append(Event(kind=kind, start_s=times[frames[0]], end_s=times[frames[-1]] + 1e-3))
    return Timeline(tuple(sorted(found, key=lambda event: event.start_s)), times[-1])


def _turned(yaw: Sequence[float], frames: Sequence[int]) -> bool:
    return bool(np.nanmax(np.abs(np.array(yaw)[frames] - np.nanmedian(yaw))) >= AWAY_DEG)


def joined(events: Sequence[Event]) -> list[Event]:
    """Events of one kind with hardly a pause between them are one: who looks left, then right, looks away."""
    found: list[Event] = []
    for event in sorted(events, key=lambda e: (e.kind, e.start_s)):
        last = found[-1] if found else None
        if last and last.kind == event.kind and event.start_s - last.end_s <= PAUSE_S:
            end_s = max(last.end_s, event.end_s)
            found[-1] = Event(kind=last.kind, start_s=last.start_s, end_s=end_s)
        else:
            found.append(event)
    return sorted(found, key=lambda e: e.start_s)
