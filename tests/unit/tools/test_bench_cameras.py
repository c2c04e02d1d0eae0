"""The benchmark of many cameras: its source, its figures, and one real count."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from dms.config import Config
from dms.errors import EngineError, SourceLost
from dms.tools.bench_cameras import Stopwatch, _Moment, _row, _Window, measure
from dms.tools.bench_cameras.records import CamerasReport, Row
from dms.tools.bench_cameras.source import FPS, LoopedSource

PICTURES = [np.full((4, 4), value, np.uint8) for value in range(10)]
ROW = Row(1, 30.0, 0.0, 0.0, 2.0, 3.0, 4.0, 5.0, 1.0, 2.0, 100.0)


def rows(*missed: float) -> tuple[Row, ...]:
    return tuple(
        replace(ROW, streams=4 * n, missed=share, cpu_percent=10.0 * n, rss_mb=100.0 + 2 * n)
        for n, share in enumerate(missed, 1)
    )


def test_the_deadline_is_kept_up_to_the_first_count_that_misses_it() -> None:
    report = CamerasReport("memory", (640, 360), 5.0, rows(0.0, 0.01, 0.02, 0.0))
    assert report.kept == 8
    assert report.per_stream("cpu_percent") == pytest.approx(2.5)
    assert report.per_stream("rss_mb") == pytest.approx(0.5)
    assert "8 streams kept the deadline of 33 ms" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["streams_in_time"] == 8


def test_one_count_has_no_slope() -> None:
    report = CamerasReport("memory", (640, 360), 5.0, rows(0.5))
    assert report.kept == 0
    assert report.per_stream("cpu_percent") is None


def test_the_looped_source_hands_out_the_newest_and_counts_the_others() -> None:
    source = LoopedSource(PICTURES, 0.5, time.monotonic() - 4.2 / FPS - 0.5 / FPS)
    frame = source.newest(1.0)
    assert frame.id == source.dropped >= 4
    assert frame.image[0, 0] == (5 + frame.id) % 10
    following = source.newest(1.0)
    assert following.captured_s - frame.captured_s == pytest.approx((following.id - frame.id) / FPS)
    assert following.captured_s <= time.monotonic()


def test_a_clip_that_has_not_begun_is_no_frame() -> None:
    with pytest.raises(SourceLost, match="not played yet"):
        LoopedSource(PICTURES, 0.0, time.monotonic() + 60).newest(0.0)


def test_a_real_count_is_measured_in_a_process_of_its_own() -> None:
    heard: list[str] = []
    report = measure(Config(), [2], seconds=1.0, told=heard.append)
    (row,) = report.rows
    assert row.streams == 2
    assert 0 < row.fps <= 1.1 * FPS
    assert 0 < row.p50_ms <= row.p95_ms <= row.p99_ms
    assert row.rss_mb > 20
    assert heard[0] in str(report)
    assert report.ended is None


def test_a_count_that_judges_no_frame_is_a_row_that_misses_all() -> None:
    window = _Window(1.0)
    window.begin = _Moment.now()
    window.end = replace(window.begin, at_s=window.begin.at_s + 1.0)
    row = _row([Stopwatch(LoopedSource(PICTURES, 0.0, 0.0))], window, 0)
    report = CamerasReport("memory", (640, 360), 1.0, (row,))
    assert (row.fps, row.missed, row.dropped) == (0.0, 1.0, 1.0)
    assert (row.p50_ms, row.p99_ms, row.switches) == (None, None, None)
    assert "| 1 | 0.0 | 100.00% | 100.00% | – | – | – |" in str(report)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["streams_in_time"] == 0


def test_a_count_whose_process_dies_is_told_and_loses_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(line: str) -> None:
        monkeypatch.setenv("PYTHONHOME", "/nowhere")  # no interpreter starts from now on

    report = measure(Config(), [1, 2, 3], seconds=0.5, told=measured)
    assert [row.streams for row in report.rows] == [1]
    assert report.ended is not None
    assert report.ended.startswith("2 streams could not be measured")
    assert report.ended in str(report)
    with pytest.raises(EngineError, match="ended by itself"):
        measure(Config(), [2], seconds=0.5)
