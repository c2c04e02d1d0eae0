import os

import pytest

from dms.metrics import MAX_FRAMES, Metrics


def test_an_empty_window_is_all_zeros():
    vitals = Metrics(window_s=5.0).vitals(10.0, dropped=3)
    assert (vitals.frames, vitals.dropped, vitals.fps) == (0, 3, 0.0)
    assert (vitals.latency_p50_s, vitals.latency_p95_s) == (0.0, 0.0)
    assert (vitals.stage_p50_s, vitals.stage_p95_s) == ({}, {})


def test_one_frame_has_a_latency_but_no_rate():
    metrics = Metrics(window_s=5.0)
    metrics.frame(1.0, 0.004, {"face": 0.001})
    vitals = metrics.vitals(1.0, dropped=0)
    assert vitals.fps == 0.0
    assert vitals.latency_p50_s == vitals.latency_p95_s == pytest.approx(0.004)


@pytest.mark.parametrize("fps", [10, 15, 30, 60])
def test_steady_frames_give_their_rate(fps):
    metrics = Metrics(window_s=5.0)
    for i in range(20 * fps):
        metrics.frame(i / fps, 0.001, {})
    assert metrics.vitals((20 * fps - 1) / fps, dropped=0).fps == pytest.approx(fps)


def test_a_stalled_source_shows_as_a_falling_rate():
    metrics = Metrics(window_s=5.0)
    for i in range(150):
        metrics.frame(i / 30, 0.001, {})
    assert metrics.vitals(149 / 30 + 2.5, dropped=0).fps == pytest.approx(15, rel=0.05)
    assert metrics.vitals(149 / 30 + 60, dropped=0).fps == 0.0


def test_percentiles_are_numpys_over_the_window_only():
    metrics = Metrics(window_s=1.0)
    metrics.frame(0.0, 99.0, {"face": 99.0})
    for i in range(101):
        metrics.frame(2.0 + i / 1000, i / 1000, {"face": i / 2000})
    vitals = metrics.vitals(2.1, dropped=0)
    assert vitals.latency_p50_s == pytest.approx(0.050)
    assert vitals.latency_p95_s == pytest.approx(0.095)
    assert vitals.stage_p95_s["face"] == pytest.approx(0.0475)


def test_a_stage_is_measured_on_the_frames_it_ran_on():
    metrics = Metrics(window_s=10.0)
    metrics.frame(0.0, 0.01, {"eyes": 0.002, "distraction": 0.008})
    metrics.frame(0.1, 0.01, {"eyes": 0.002})
    metrics.frame(0.2, 0.01, {"eyes": 0.002})
    vitals = metrics.vitals(0.2, dropped=0)
    assert vitals.stage_p50_s == pytest.approx({"eyes": 0.002, "distraction": 0.008})


def test_frames_counts_all_and_the_ring_stays_bounded():
    metrics = Metrics(window_s=float("inf"))
    for i in range(MAX_FRAMES + 10):
        metrics.frame(i / 240, 0.001, {})
    vitals = metrics.vitals((MAX_FRAMES + 9) / 240, dropped=0)
    assert vitals.frames == MAX_FRAMES + 10
    assert vitals.fps == pytest.approx(240)


def test_memory_is_that_of_this_process():
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert Metrics(1.0).vitals(0.0, 0).rss_bytes == pytest.approx(resident, rel=0.2)
