"""The shipped clip, whole chain, against its exact truth: every event found, none invented, in time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from dms import app
from dms.config import Config, SourceConfig
from dms.control.levels import LEVELS, TIMING_S, Level
from dms.loop import Loop
from dms.metrics import Metrics
from dms.resources import assets_folder, demo_clip
from dms.sources import open_source
from dms.summary import AlertRecord, Summary, SummarySink
from dms.tools.analyze import analyze

Row = dict[str, Any]
TOLERANCE_S = 0.3
ROAD = Config().assess.road


def off_road(row: Row) -> bool:
    if row["absent"] or row["blocked"]:
        return False
    yaw, pitch, _ = row["head_deg"]
    return bool((yaw / ROAD.head_yaw_deg) ** 2 + (pitch / ROAD.head_pitch_deg) ** 2 > 1)


def eyes_closed(row: Row) -> bool:
    return not (row["absent"] or row["blocked"]) and max(row["openness"]) < 0.5


def mouth_wide_open(row: Row) -> bool:
    return not (row["absent"] or row["blocked"]) and row["mouth_open"] > 0.3


EXPECTED: list[tuple[str, Callable[[Row], bool], float]] = [
    ("distraction.long", off_road, 3.0),
    ("fatigue.microsleep", eyes_closed, 1.5),
    ("fatigue.yawn", mouth_wide_open, 1.5),
    ("distraction.phone", lambda row: row["phone"] != "none", 2.0),
    ("sensor.blocked", lambda row: row["blocked"], 2.0),
    ("sensor.no_face", lambda row: row["absent"], 3.0),
]
"""First step of an alert, what the truth shows while it lasts, and after how long it must be raised."""


def episodes(truth: list[Row], shows: Callable[[Row], bool], at_least_s: float) -> list[float]:
    """Onsets of the stretches of truth that last long enough to be told."""
    onsets, begun_s = [], None
    for row in [*truth, {**truth[-1], "captured_s": truth[-1]["captured_s"] + 1e-3}]:
        now_s = row["captured_s"]
        if row is not truth[-1] and shows(row) and now_s < truth[-1]["captured_s"]:
            begun_s = now_s if begun_s is None else begun_s
        elif begun_s is not None:
            if now_s - begun_s >= at_least_s:
                onsets.append(begun_s)
            begun_s = None
    return onsets


@pytest.fixture(scope="module")
def truth() -> list[Row]:
    lines = (assets_folder() / "demo.truth.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, list[Row]]:
    out = tmp_path_factory.mktemp("demo") / "frames.jsonl"
    summary = analyze(Config(), str(demo_clip()), out=out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return summary, [row for row in rows if row["schema"] == "dms.frame/1"]


def found(summary: Summary, first_type: str) -> list[AlertRecord]:
    return [alert for alert in summary.alerts if alert.types[0] == first_type]


@pytest.mark.parametrize(("first_type", "shows", "after_s"), EXPECTED, ids=[row[0] for row in EXPECTED])
def test_every_scripted_event_is_found_in_time(
    judged: tuple[Summary, list[Row]],
    truth: list[Row],
    first_type: str,
    shows: Callable[[Row], bool],
    after_s: float,
) -> None:
    onsets = episodes(truth, shows, after_s)
    assert onsets, "the script holds no such event"
    alerts = found(judged[0], first_type)
    assert [a.onset_s for a in alerts] == pytest.approx(onsets, abs=TOLERANCE_S)
    assert [a.detected_s for a in alerts] == pytest.approx([s + after_s for s in onsets], abs=TOLERANCE_S)


def test_none_is_invented(judged: tuple[Summary, list[Row]], truth: list[Row]) -> None:
    scripted = sum(len(episodes(truth, shows, after_s)) for _, shows, after_s in EXPECTED)
    assert len(judged[0].alerts) == scripted, [a.types for a in judged[0].alerts]


def test_the_long_closure_escalates_to_sleep_and_the_short_one_does_not(
    judged: tuple[Summary, list[Row]],
) -> None:
    closures = found(judged[0], "fatigue.microsleep")
    assert [a.types for a in closures] == [("fatigue.microsleep",), ("fatigue.microsleep", "fatigue.sleep")]


def test_hidden_eyes_are_told_and_never_counted_as_closed(judged: tuple[Summary, list[Row]]) -> None:
    summary, rows = judged
    assert summary.unknown_s["eyes_hidden"] > 3
    late = [row for row in rows if row["captured_s"] > 87]
    assert all("eyes_hidden" in row["unknown_causes"] for row in late)


def test_every_frame_has_one_line(judged: tuple[Summary, list[Row]], truth: list[Row]) -> None:
    frames = [row["frame"] for row in judged[1] if row["frame"] is not None]
    assert frames == [row["frame"] for row in truth]


TIMED = ("fatigue.microsleep", "distraction.long")
"""What no level may tell later than `TIMING_S`: closures, and long looks off the road."""


def at_level(level: Level) -> Summary:
    """The clip judged at one level throughout, with the cheapest engines where it asks for them."""
    config, totals = Config(source=SourceConfig(uri="demo", realtime=False)), SummarySink()
    with (
        closing(open_source(config.source)) as source,
        app.open_engines(config.engines, lambda _: None) as engines,
        app.open_cheapest_engines(config.engines, engines, lambda _: None) as cheapest,
        app.open_controlled(config, engines, "level", cheapest=cheapest) as controlled,
    ):
        controlled.use(level)
        loop = Loop(
            source,
            controlled.pipeline,
            [totals],
            Metrics(10.0),
            config,
            clock=time.monotonic,
            stop=lambda: False,
            heartbeat=lambda: None,
        )
        loop.run()
        assert loop.drops["late"] == 0
        return totals.summary(loop.drops, 1.0)


@pytest.mark.parametrize("level", LEVELS[1:], ids=lambda level: f"level {level.number}")
def test_closures_and_long_looks_away_are_told_in_time_at_every_level(
    judged: tuple[Summary, list[Row]], level: Level
) -> None:
    summary = at_level(level)
    for first_type in TIMED:
        usual, here = found(judged[0], first_type), found(summary, first_type)
        assert [a.types for a in here] == [a.types for a in usual]
        assert [a.detected_s for a in here] == pytest.approx([a.detected_s for a in usual], abs=TIMING_S)
    seen_phone = bool(found(summary, "distraction.phone"))
    assert seen_phone is ("distraction" not in level.off)
    if level.max_fps is not None:
        recorded_s = 90.0
        assert summary.frames == pytest.approx(recorded_s * level.max_fps, rel=0.02)
