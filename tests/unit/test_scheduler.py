from __future__ import annotations

import random

import pytest

from dms.config import ScheduleConfig
from dms.scheduler import Scheduler


def runs(fps: float, seconds: float, name: str, *, tracking: bool = True, jitter_s: float = 0.0) -> int:
    scheduler = Scheduler(ScheduleConfig(detect_every_s=1.0, fatigue_every_s=0.0, distraction_every_s=0.1))
    rng = random.Random(3)
    times = [i / fps + rng.uniform(0, jitter_s) for i in range(int(seconds * fps))]
    return sum(name in scheduler.due(t, tracking=tracking) for t in times)


@pytest.mark.parametrize("fps", [10, 15, 30, 60])
def test_rates_are_kept_in_time_not_in_frames(fps: float) -> None:
    assert runs(fps, 60, "face") == pytest.approx(60, abs=1)
    # A frame grid that does not meet the 10 Hz grid shifts single runs, never the rate.
    assert runs(fps, 60, "distraction", jitter_s=0.5 / fps) == pytest.approx(600, rel=0.06)
    assert runs(fps, 10, "fatigue") == 10 * fps


def test_the_detector_runs_on_every_frame_without_a_track() -> None:
    assert runs(30, 10, "face", tracking=False) == 300


def test_a_gap_causes_one_run_not_a_burst() -> None:
    scheduler = Scheduler(ScheduleConfig(distraction_every_s=0.1))
    assert "distraction" in scheduler.due(0.0, tracking=True)
    assert "distraction" in scheduler.due(5.0, tracking=True)
    assert "distraction" not in scheduler.due(5.03, tracking=True)
    assert "distraction" in scheduler.due(5.1, tracking=True)
