import json

import numpy as np
import pytest

from dms.errors import InputError
from dms.tools.bench.records import Spread, Stages, load_report
from tests.unit.tools import bench_reports as made


def test_a_spread_tells_percentiles_and_how_steady_its_parts_were():
    quiet, loud = np.full(80, 2.0), np.full(20, 10.0)
    found = Spread.of(np.concatenate([quiet, loud]))
    assert (found.p50, found.p95, found.p99) == (2.0, 10.0, 10.0)
    assert found.p50_range == found.p95_range == (2.0, 10.0)  # the last fifth was slow throughout


def test_a_single_time_is_its_own_spread():
    found = Spread.of(np.array([3.0]))
    assert (found.p50, found.p99, found.p50_range) == (3.0, 3.0, (3.0, 3.0))


def test_the_total_is_that_of_each_frame_not_of_the_percentiles():
    frames_ms = np.array([[1.0, 5.0, 1.0], [5.0, 1.0, 1.0], [1.0, 1.0, 5.0]])
    found = Stages.of(frames_ms)
    assert (found.pre.p50, found.infer.p50, found.post.p50) == (1.0, 1.0, 1.0)
    assert found.total.p50 == 7.0


def test_the_worst_net_tells_the_loss_and_one_unproved_leaves_it_unknown():
    assert made.row(loss_points={"face": 0.1, "eyes": -0.2}).worst_loss_points == 0.1
    assert made.row(loss_points={"face": 0.1, "eyes": None}).worst_loss_points is None
    assert made.row(loss_points={}).worst_loss_points is None


def test_fp32_is_what_the_others_are_compared_with_in_litert_too():
    assert made.row(precision="fp32").is_reference
    assert made.row("litert", "lite.fp32").is_reference
    assert not made.row(precision="fp16").is_reference


def test_a_report_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(made.usual().model_dump_json())
    assert load_report(path) == made.usual()


def test_a_missing_report_says_how_to_write_one(tmp_path):
    with pytest.raises(InputError, match=r"none\.json.*dms bench --json"):
        load_report(tmp_path / "none.json")


@pytest.mark.parametrize("change", [{"rows": 3}, {"more": 1}])
def test_a_file_that_is_no_report_names_the_field(tmp_path, change):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(json.loads(made.usual().model_dump_json()) | change))
    with pytest.raises(InputError, match=f"a\\.json is no report.*{next(iter(change))}"):
        load_report(path)


def test_a_file_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("not JSON")
    with pytest.raises(InputError, match=r"is no report .*\(Invalid JSON"):
        load_report(path)


def test_unknown_power_is_null_and_not_zero():
    device = json.loads(made.report(made.row()).model_dump_json())["rows"][0]["device"]
    assert set(device.values()) == {None}
