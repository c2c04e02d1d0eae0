"""The shipped clip, whole chain, against its exact truth: every event found, none invented, in time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dms.config import Config
from dms.resources import assets_folder, demo_clip
from dms.summary import AlertRecord, Summary
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
    return summary, [json.loads(line) for line in out.read_text().splitlines()]


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
