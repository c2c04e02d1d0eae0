"""What the figures of the pipeline's benchmark are made of."""

import numpy as np
import pytest

from dms.tools.bench_pipeline.records import Middle, PipelineReport, Played, Times
from dms.tools.bench_pipeline.targets import ratios, verdicts
from tests.unit.tools import bench_pipeline_reports as made


def test_percentiles_are_milliseconds():
    times = Times.of(np.arange(101) / 1e3)
    assert (times.mean, times.p50, times.p95, times.p99) == (50, 50, 95, 99)


def test_a_frame_is_divided_into_engines_and_the_rest():
    run = Played.of([made.taken([2.0, 4.0], engine_ms=[1.5, 2.5])])
    assert (run.frame.mean, run.engines.mean, run.outside.mean) == (3.0, 2.0, 1.0)
    assert run.fps == pytest.approx(1000 / 3, abs=0.01)


def test_a_stage_counts_only_where_its_engine_ran_and_its_means_are_of_all_frames():
    (stage,) = Played.of([made.taken([3.0, 1.0, 3.0, 1.0], [2.0, np.nan, 2.0, np.nan])]).stages.values()
    assert stage.took.p50 == 3.0
    assert stage.runs_per_s == pytest.approx(15)
    assert (stage.mean_ms, stage.engine_ms, stage.outside_ms) == (2.0, 1.0, 1.0)


def test_blocks_in_which_an_engine_never_ran_join_the_others():
    idle = made.taken([1.0, 1.0], engine_ms=[np.nan, np.nan], stage_s={})
    run = Played.of([idle, made.taken([3.0, 3.0], [2.0, 2.0])])
    assert run.frames == 4
    assert run.engines.mean == 1.0
    assert run.stages["eyes"].runs_per_s == pytest.approx(15)


def test_a_stage_that_never_ran_has_no_times():
    run = Played.of([made.taken([1.0, 1.0], engine_ms=[np.nan, np.nan])])
    assert run.stages["eyes"].took is None
    assert run.stages["eyes"].runs_per_s == 0
    assert run.engines.mean == 0


def test_without_a_meter_nothing_is_claimed_of_engines():
    blocks = [made.taken([2.0, 2.0], stage_s={"eyes": np.array([0.001, 0.002])})]
    run = Played.of(blocks)
    assert run.engines is None
    assert run.outside is None
    assert run.stages["eyes"].engine_ms is None
    assert run.stages["eyes"].outside_ms is None
    assert run.stages["eyes"].runs_per_s is None


def test_processor_time_is_told_a_frame_and_of_the_time_that_passed():
    run = Played.of([made.taken([1.0] * 30, cpu_s=0.06, wall_s=1.0, others_s=0.5, lost=2)])
    assert (run.cpu_ms, run.cpu_percent, run.others_percent, run.lost) == (2.0, 6.0, 50.0, 2)


def test_a_report_is_read_back_as_it_was_written():
    report = made.report()
    assert PipelineReport.model_validate_json(report.model_dump_json()) == report


def test_the_middle_of_the_runs_is_their_median():
    middle = Middle.of([5.0, 1.0, 2.0])
    assert (middle.value, middle.low, middle.high) == (2.0, 1.0, 5.0)


def test_ratios_are_ours_over_the_peers():
    (run,) = made.report(ours_ms=(1.0,), peer_ms=(5.0,)).runs
    found = ratios(run.turns[0])
    assert found["frames/s unpaced"] == pytest.approx(5)
    assert found["p95 unpaced"] == pytest.approx(0.2)
    assert found["processor time unpaced"] == pytest.approx(0.2)
    assert ratios(made.report(ours_ms=(1.0,), peer_ms=None).runs[0].turns[0]) == {}


def test_the_median_of_the_runs_decides_whether_a_target_is_met():
    fps, p95, cpu, memory = verdicts(made.report(ours_ms=(1.0, 1.0, 4.0), peer_ms=(5.0, 5.0, 5.0)))
    assert (fps.met, p95.met, cpu.met, memory.met) == (True, True, True, True)
    assert str(fps) == "met: frames a second at 640x360, times the peer's: 5 (1.25 to 5), asked at least 4"
    fps, p95, *_ = verdicts(made.report(ours_ms=(1.0, 4.0, 4.0), peer_ms=(5.0, 5.0, 5.0)))
    assert (fps.met, p95.met) == (False, False)
    assert str(p95).startswith("MISSED: 95th percentile at 640x360")


def test_a_stream_that_costs_too_much_has_missed_its_targets():
    report = made.report(ours_ms=(1.0,), peer_ms=None)
    heavy = report.runs[0].model_copy(update={"stream": made.stream(cpu_percent=6.1, rss_mb=100.5)})
    cpu, memory = verdicts(report.model_copy(update={"runs": (heavy,)}))
    assert str(cpu) == "MISSED: `dms run` at 30 frames a second, % of one core: 6.1, asked at most 6"
    assert not memory.met


def test_a_stream_of_another_rate_is_not_judged_by_targets_for_30():
    assert verdicts(made.report(peer_ms=None, fps=60.0)) == []
    assert len(verdicts(made.report(peer_ms=None, fps=29.97))) == 2


def test_a_machine_with_other_work_is_told():
    quiet = made.report()
    assert not quiet.disturbed
    busy = quiet.runs[0].model_copy(update={"stream": made.stream(others_percent=40.0)})
    assert quiet.model_copy(update={"runs": (busy,)}).disturbed
