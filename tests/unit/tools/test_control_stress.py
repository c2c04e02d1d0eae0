"""The loaded run and the costs of levels, short and for real."""

import math

import numpy as np
import psutil
import pytest

from dms.config import Config
from dms.control.levels import LEVELS
from dms.tools.control.clip import ClipCamera, at_rate, stretch
from dms.tools.control.costs import BEST, STAGES
from dms.tools.control.levels import lines, measure
from dms.tools.control.stress import (
    CONTROLLED,
    FIXED,
    Seen,
    _Watch,
    as_values,
    busy_processes,
    line_of,
    missed_percent,
    run,
    summary,
)


def _children():
    return {child.pid for child in psutil.Process().children()}


def test_busy_processes_end_whatever_happens():
    before = _children()
    during = set()

    def fail():
        with busy_processes(2, at_most_s=30.0):
            during.update(_children() - before)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert len(during) == 2
    assert not during & _children()


def test_a_busy_process_ends_by_itself():
    before = _children()
    with busy_processes(1, at_most_s=0.2):
        (pid,) = _children() - before
        assert psutil.Process(pid).wait(timeout=20) == 0


def test_short_blocks_of_the_real_loop():
    config = at_rate(Config(), 20.0)
    images = [frame.image for frame in stretch(config, 0.5)]
    told = []

    blocks = run(config, images, processes=0, turns=1, block_s=1.5, told=told.append)

    assert [block.rule for block in blocks] == [FIXED, CONTROLLED]
    assert all(level == 0 for _, level, _, _ in blocks[0].changes)
    assert blocks[1].changes[0][1:3] == (0, "start")
    for block in blocks:
        assert block.captured == pytest.approx(30, abs=6)
        assert len(block.seen) + sum(block.drops.values()) == pytest.approx(block.captured, abs=2)
        assert block.p50_ms > 0
        assert -0.1 <= block.others_cores <= psutil.cpu_count()
        assert line_of(block) in told
        assert "seen" not in as_values(block)
    assert any(line.startswith("| controlled |") for line in summary(blocks))


def test_misses_are_counted_from_a_moment_on():
    seen = [Seen(0.0, 0.1, 0, 1, 1), Seen(1.0, 0.1, 0, 31, 11), Seen(2.0, 0.1, 0, 61, 11)]

    assert missed_percent(seen, 0.0) == pytest.approx(100 * 10 / 60)
    assert missed_percent(seen, 1.0) == 0.0
    assert math.isnan(missed_percent(seen, 1.5))


def test_frames_that_the_level_does_not_ask_for_cannot_be_missed():
    camera = ClipCamera([np.zeros((4, 4), np.uint8)], fps=500.0)
    drops = {"newer": 0, "late": 0, "level": 0}
    watch = _Watch(camera, 60.0, lambda: drops)
    watch.judged(camera.newest(1.0), None)
    before = camera.captured
    drops.update(newer=2, late=1, level=7)
    while camera.captured < before + 20:
        frame = camera.newest(1.0)
    watch.judged(frame, None)

    assert watch.seen[0].asked == before
    assert (watch.seen[1].asked, watch.seen[1].missed) == (camera.captured - 7, 3)


def test_every_level_is_measured():
    config = Config()
    report = measure(config, stretch(config, 0.6), turns=2, told=lambda line: None)

    assert [cost.level for cost in report.levels] == [level.number for level in LEVELS]
    assert report.levels[0].ratio == 1.0
    assert all(cost.cpu_ms_per_s > 0 and 0 < cost.p50_ms <= cost.p95_ms for cost in report.levels)
    assert report.levels[4].judged_fps < report.levels[0].judged_fps
    assert {"quality", "eyes", "judge"} <= report.stage_s[BEST].keys() <= set(STAGES)
    assert len([line for line in lines(report) if line.startswith("| ")]) == 1 + len(LEVELS)
