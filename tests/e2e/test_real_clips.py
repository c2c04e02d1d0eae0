"""Real drivers, where the development clips are at hand: `DMS_CLIPS` names their folder.

The clips may not be passed on, so they are no part of the project; times and angles are from their notes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from dms.config import Config
from dms.summary import AlertRecord, Summary
from dms.tools.analyze import analyze

CLIPS = Path(os.environ.get("DMS_CLIPS", ""))
TOLERANCE_S = 0.3
NAMES = (
    "yawdd_1.avi",
    "yawdd_2.avi",
    "incluit_video1.mp4",
    "incluit_video2.mp4",
    "intel_headpose_female.mp4",
)

pytestmark = pytest.mark.skipif(
    not os.environ.get("DMS_CLIPS"), reason="DMS_CLIPS names no folder of development clips"
)


@dataclass(frozen=True)
class Judged:
    summary: Summary
    rows: list[dict[str, Any]]

    def alerts(self, *areas: str) -> list[AlertRecord]:
        return [a for a in self.summary.alerts if a.types[0].startswith(areas)]

    def median(self, key: str, index: int, start_s: float, end_s: float) -> float:
        values = sorted(r[key][index] for r in self.rows if r[key] and start_s <= r["captured_s"] <= end_s)
        return float(values[len(values) // 2])


@cache
def judged(name: str) -> Judged:
    with TemporaryDirectory() as folder:
        out = Path(folder) / "frames.jsonl"
        summary = analyze(Config(), str(CLIPS / name), out=out)
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        return Judged(summary, [row for row in rows if row["schema"] == "dms.frame/1"])


@pytest.mark.parametrize("name", NAMES)
def test_the_face_is_tracked(name: str) -> None:
    assert judged(name).summary.face_share >= 0.98


def test_closed_eyes_are_found_from_start_to_end() -> None:
    [closure] = judged("incluit_video2.mp4").alerts("fatigue", "driver")
    assert closure.types[:2] == ("fatigue.microsleep", "fatigue.sleep")
    assert closure.onset_s == pytest.approx(4.4, abs=TOLERANCE_S)
    rows = judged("incluit_video2.mp4").rows
    closed = [r["captured_s"] for r in rows if r["signals"]["closure_s"] and r["captured_s"] > 4.1]
    assert closed[-1] == pytest.approx(8.95, abs=TOLERANCE_S)


def test_the_yawn_is_found_and_no_sleep_invented() -> None:
    alerts = judged("yawdd_1.avi").alerts("fatigue", "driver")
    assert [a.types for a in alerts] == [("fatigue.yawn",)]
    assert alerts[0].onset_s == pytest.approx(4.2, abs=TOLERANCE_S)
    rows = judged("yawdd_1.avi").rows
    yawning = [r["captured_s"] for r in rows if r["signals"]["yawn_s"]]
    assert yawning[-1] == pytest.approx(9.75, abs=TOLERANCE_S)


def test_a_driver_who_looks_around_is_neither_tired_nor_asleep() -> None:
    assert judged("yawdd_2.avi").alerts("fatigue", "driver") == []


@pytest.mark.parametrize(
    ("name", "axis", "start_s", "end_s", "sign"),
    [
        ("incluit_video1.mp4", 0, 0.9, 1.1, +1),
        ("incluit_video1.mp4", 0, 1.9, 2.1, -1),
        ("incluit_video1.mp4", 1, 3.3, 3.9, -1),
        ("incluit_video1.mp4", 1, 5.0, 5.4, +1),
        ("incluit_video1.mp4", 1, 7.0, 8.2, -1),
        ("incluit_video1.mp4", 0, 8.9, 9.6, +1),
        ("incluit_video1.mp4", 0, 10.5, 11.0, -1),
        ("intel_headpose_female.mp4", 0, 0.0, 0.4, -1),
        ("intel_headpose_female.mp4", 0, 0.95, 1.1, +1),
        ("yawdd_2.avi", 0, 9.5, 10.6, +1),
    ],
)
def test_head_turns_are_followed_with_the_right_sign(
    name: str, axis: int, start_s: float, end_s: float, sign: int
) -> None:
    assert sign * judged(name).median("head", axis, start_s, end_s) > 8
