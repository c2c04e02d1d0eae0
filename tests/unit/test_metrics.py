import os
import time

import pytest

from dms.control.policy import Load
from dms.metrics import MAX_FRAMES, Metrics
from dms.records import DeviceReading


def test_latencies_of_an_empty_window_are_unknown():
    vitals = Metrics(window_s=5.0).vitals(10.0, {"newer": 3})
    assert (vitals.frames, vitals.dropped, vitals.fps) == (0, 3, 0.0)
    assert (vitals.latency_p50_s, vitals.latency_p95_s, vitals.waited_p95_s) == (None, None, None)
    assert (vitals.stage_p50_s, vitals.stage_p95_s) == ({}, {})


def test_one_frame_has_a_latency_but_no_rate():
    metrics = Metrics(window_s=5.0)
    metrics.frame(1.0, 0.004, {"face": 0.001})
    vitals = metrics.vitals(1.0, {})
    assert vitals.fps == 0.0
    assert vitals.latency_p50_s == vitals.latency_p95_s == pytest.approx(0.004)


@pytest.mark.parametrize("fps", [10, 15, 30, 60])
def test_steady_frames_give_their_rate(fps):
    metrics = Metrics(window_s=5.0)
    for i in range(20 * fps):
        metrics.frame(i / fps, 0.001, {})
    assert metrics.vitals((20 * fps - 1) / fps, {}).fps == pytest.approx(fps)


def test_a_stalled_source_shows_as_a_falling_rate():
    metrics = Metrics(window_s=5.0)
    for i in range(150):
        metrics.frame(i / 30, 0.001, {})
    assert metrics.vitals(149 / 30 + 2.5, {}).fps == pytest.approx(15, rel=0.05)
    assert metrics.vitals(149 / 30 + 60, {}).fps == 0.0


def test_percentiles_are_numpys_over_the_window_only():
    metrics = Metrics(window_s=1.0)
    metrics.frame(0.0, 99.0, {"face": 99.0})
    for i in range(101):
        metrics.frame(2.0 + i / 1000, i / 1000, {"face": i / 2000})
    vitals = metrics.vitals(2.1, {})
    assert vitals.latency_p50_s == pytest.approx(0.050)
    assert vitals.latency_p95_s == pytest.approx(0.095)
    assert vitals.stage_p95_s["face"] == pytest.approx(0.0475)


def test_a_stage_is_measured_on_the_frames_it_ran_on():
    metrics = Metrics(window_s=10.0)
    metrics.frame(0.0, 0.01, {"eyes": 0.002, "distraction": 0.008})
    metrics.frame(0.1, 0.01, {"eyes": 0.002})
    metrics.frame(0.2, 0.01, {"eyes": 0.002})
    vitals = metrics.vitals(0.2, {})
    assert vitals.stage_p50_s == pytest.approx({"eyes": 0.002, "distraction": 0.008})


def test_frames_counts_all_and_the_ring_stays_bounded():
    metrics = Metrics(window_s=float("inf"))
    for i in range(MAX_FRAMES + 10):
        metrics.frame(i / 240, 0.001, {})
    vitals = metrics.vitals((MAX_FRAMES + 9) / 240, {})
    assert vitals.frames == MAX_FRAMES + 10
    assert vitals.fps == pytest.approx(240)


def test_memory_is_that_of_this_process():
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert Metrics(1.0).vitals(0.0, {}).rss_bytes == pytest.approx(resident, rel=0.2)


def test_what_is_told_of_drops_device_and_sinks_is_passed_on():
    reading = DeviceReading(3.0, {"soc": 71.5})
    vitals = Metrics(5.0).vitals(
        1.0, {"newer": 2, "late": 1, "level": 4}, level=3, device=reading, sinks={"mqtt": {"waiting": 7.0}}
    )
    assert (vitals.dropped, vitals.level, vitals.device) == (7, 3, reading)
    assert vitals.sinks == {"mqtt": {"waiting": 7.0}}


def test_how_long_frames_waited():
    metrics = Metrics(window_s=5.0)
    for i in range(101):
        metrics.frame(i / 100, 0.5, {}, waited_s=i / 1000)
    assert metrics.vitals(1.0, {}).waited_p95_s == pytest.approx(0.095)


def test_the_share_of_the_processor_is_that_since_it_was_asked_for_last():
    metrics = Metrics(window_s=5.0)
    begun_s, cpu_s = time.monotonic(), time.process_time()
    while time.process_time() - cpu_s < 0.2:
        pass
    share = metrics.vitals(0.0, {}).cpu_share
    assert share == pytest.approx(0.2 / (time.monotonic() - begun_s), abs=0.15)


def test_a_clock_set_back_begins_a_new_window():
    metrics = Metrics(window_s=5.0)
    for i in range(300):
        metrics.frame(1000 + i / 30, 9.0, {"face": 9.0})
    for i in range(60):
        metrics.frame(i / 30, 0.001, {"face": 0.001})
    vitals = metrics.vitals(59 / 30, {})
    assert vitals.fps == pytest.approx(30)
    assert vitals.latency_p95_s == vitals.stage_p95_s["face"] == pytest.approx(0.001)
    assert vitals.frames == 360


def test_times_that_repeat_are_no_rate_and_stay_bounded():
    metrics = Metrics(window_s=5.0)
    for _ in range(100):
        metrics.frame(7.0, 0.001, {})
    assert metrics.vitals(7.0, {}).fps == 0.0
    assert metrics.load(7.0) == Load(pytest.approx(0.001), 0.0)


def test_the_load_is_unknown_where_nothing_was_judged():
    metrics = Metrics(window_s=10.0)
    assert metrics.load(5.0) == Load(None, None)
    metrics.frame(1.0, 0.001, {})
    assert metrics.load(3.0).latency_p95_s == pytest.approx(0.001)
    assert metrics.load(3.1) == Load(None, None)


def test_the_load_is_that_of_the_last_two_seconds():
    metrics = Metrics(window_s=10.0)
    for i in range(300):
        slow = i < 230
        metrics.frame(i / 30, 0.05 if slow else 0.01, {}, lost=i if slow else 230)
    load = metrics.load(299 / 30)
    assert load.latency_p95_s == pytest.approx(0.01)
    assert load.drop_ratio == 0.0
    assert metrics.vitals(299 / 30, {}).latency_p95_s == pytest.approx(0.05)


def test_a_count_of_losses_that_runs_backwards_is_no_loss():
    metrics = Metrics(window_s=10.0)
    metrics.frame(0.0, 0.01, {}, lost=5)
    metrics.frame(0.1, 0.01, {}, lost=5)
    metrics.frame(0.2, 0.01, {}, lost=2)
    assert metrics.load(0.2).drop_ratio == 0.0


def test_every_second_frame_lost_is_a_half():
    metrics = Metrics(window_s=10.0)
    for i in range(150):
        metrics.frame(i / 15, 0.03, {}, lost=i)
    assert metrics.load(149 / 15).drop_ratio == pytest.approx(0.5)


def test_losses_before_the_only_frame_of_late_count():
    metrics = Metrics(window_s=10.0)
    metrics.frame(0.0, 3.0, {}, lost=0)
    metrics.frame(3.0, 3.0, {}, lost=89)
    assert metrics.load(3.0).drop_ratio == pytest.approx(89 / 90)
