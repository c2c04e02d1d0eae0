"""Where the samples of a calibration come from: a source watched now, or the record of an earlier run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dms.assess.reading import read
from dms.calibration.cabin import Sample
from dms.config import Config
from dms.config.cabin import ROAD, ZONES
from dms.config.nearest import nearest
from dms.config.yaml_text import place_of, read_yaml
from dms.errors import ConfigError, InputError, SourceEnded
from dms.pipeline import Pipeline
from dms.sinks.lines import read_lines
from dms.sources import FrameSource

Times = dict[str, tuple[float, float]]
"""For each zone, from when to when it was looked at, seconds from the first frame."""
Timed = tuple[float, Sample | None]
"""Seconds of the source's own time, and the gaze; None where it was not read."""


def read_times(path: Path) -> Times:
    """Read when each zone was looked at: a YAML file, one line a zone, as `driver_mirror: [4.0, 7.0]`.

    Raises:
        InputError: the file cannot be read, is malformed, or names a zone there is none of.
    """
    try:
        content, places = read_yaml(path.read_bytes(), str(path))
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
    except ConfigError as e:
        raise InputError(str(e)) from e
    try:
        times = TypeAdapter(Times).validate_python(content)
    except ValidationError as e:
        where = place_of({(): str(path), **places}, e.errors()[0]["loc"])
        raise InputError(f"{where}: write one line a zone, as `driver_mirror: [4.0, 7.0]`") from e
    for zone, (start_s, end_s) in times.items():
        if zone not in (ROAD, *ZONES):
            raise InputError(f"{path}: no zone is called {zone!r}; {nearest(zone, (ROAD, *ZONES))}")
        if not 0 <= start_s < end_s:
            raise InputError(f"{path}: {zone}: [{start_s:g}, {end_s:g}] must be [from, to] in seconds")
    return times


def by_zone(samples: Iterator[Timed], times: Mapping[str, tuple[float, float]]) -> dict[str, list[Sample]]:
    """The samples that belong to each zone."""
    found: dict[str, list[Sample]] = {zone: [] for zone in times}
    begun_s: float | None = None
    for at_s, gaze in samples:
        begun_s = at_s if begun_s is None else begun_s
        for zone, (start_s, end_s) in times.items():
            if gaze is not None and start_s <= at_s - begun_s <= end_s:
                found[zone].append(gaze)
    return found


def watched(source: FrameSource, pipeline: Pipeline, config: Config) -> Iterator[Timed]:
    """The gaze on frame after frame of a source, until it ends.

    Raises:
        SourceLost: no frame came.
    """
    patience_s = config.source.open_timeout_s
    while True:
        try:
            frame = source.newest(patience_s)
        except SourceEnded:
            return
        patience_s = config.source.lost_after_s
        gaze = read(pipeline.step(frame).observation, config.assess).gaze
        yield frame.captured_s, (gaze.yaw_deg, gaze.pitch_deg) if gaze else None


def recorded(path: Path) -> Iterator[Timed]:
    """The gaze in a record of frames (JSON lines, as `dms run` and `dms analyze --out` write them).

    It is taken where the judgement then could read at least one eye, as `watched` takes it.

    Raises:
        InputError: the file cannot be read or holds no such lines.
    """
    found = False
    for where, row in read_lines(path):
        if row.get("schema") == "dms.frame/1":
            found = True
            yield _timed(row, where)
    if not found:
        raise InputError(f"{path} holds no frames: give what `dms analyze --out FILE` wrote")


def _timed(row: dict[str, Any], where: str) -> Timed:
    try:
        return float(row["captured_s"]), _gaze(row)
    except (KeyError, TypeError, ValueError) as e:
        raise InputError(f"{where} is no whole dms.frame/1: {type(e).__name__}: {e}") from e


def _gaze(row: dict[str, Any]) -> Sample | None:
    # Eyes that could be read have an error; that of the gaze waits until the road's direction is learned.
    yaw_deg, pitch_deg = row["gaze"] or (None, None)
    if row["uncertainty"]["openness"] is None or yaw_deg is None or pitch_deg is None:
        return None
    return float(yaw_deg), float(pitch_deg)
