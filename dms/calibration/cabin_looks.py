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
from dms.config.yaml_text import read_yaml
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
        content, _ = read_yaml(path.read_bytes(), str(path))
        times = TypeAdapter(Times).validate_python(content)
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
    except (ConfigError, ValidationError) as e:
        raise InputError(f"{path}: write one line a zone, as `driver_mirror: [4.0, 7.0]`; {e}") from e
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


def recorded(path: Path, visible_above: float) -> Iterator[Timed]:
    """The gaze in a record of frames (JSON lines, as `dms run` and `dms analyze --out` write them).

    It is taken where at least one eye was more visible than `visible_above`.

    Raises:
        InputError: the file cannot be read or holds no such lines.
    """
    found = False
    for where, row in read_lines(path):
        if row.get("schema") == "dms.frame/1":
            found = True
            yield _timed(row, visible_above, where)
    if not found:
        raise InputError(f"{path} holds no frames: give what `dms analyze --out FILE` wrote")


def _timed(row: dict[str, Any], visible_above: float, where: str) -> Timed:
    try:
        return float(row["captured_s"]), _gaze(row, visible_above)
    except (KeyError, TypeError, ValueError, IndexError) as e:
        raise InputError(f"{where} is no whole dms.frame/1: {type(e).__name__}: {e}") from e


def _gaze(row: dict[str, Any], visible_above: float) -> Sample | None:
    gaze, visible = row.get("gaze"), row.get("visibility")
    if not gaze or not visible or None in gaze or max(value or 0.0 for value in visible) < visible_above:
        return None
    return float(gaze[0]), float(gaze[1])
