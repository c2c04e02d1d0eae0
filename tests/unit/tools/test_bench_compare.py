import pytest

from dms.tools.bench.compare import compare, text
from tests.unit.tools import bench_reports as made


def one(before, after):
    (found,) = compare(made.report(before), made.report(after))
    return found


def test_a_row_that_got_slower_beyond_the_noise_is_told_with_its_ratio():
    found = one(made.row(total_ms=8), made.row(total_ms=10))
    assert [change.what for change in found.slower] == [
        "paced p50",
        "paced p95",
        "unpaced p50",
        "unpaced p95",
    ]
    assert found.slower[0].ratio == pytest.approx(1.25)
    assert found.fails(1.2)
    assert not found.fails(1.3)


def test_the_same_change_within_the_noise_of_either_run_fails_nothing():
    for one_noise, other_noise in ((0.3, 0.02), (0.02, 0.3)):
        found = one(made.row(total_ms=8, noise=one_noise), made.row(total_ms=10, noise=other_noise))
        assert found.changes[0].ratio == pytest.approx(1.25)
        assert not found.slower
        assert not found.fails(1.0)


def test_what_got_faster_is_told_and_never_fails():
    found = one(made.row(total_ms=8), made.row(total_ms=4))
    assert len(found.faster) == 4
    assert not found.fails(1.0)


def test_memory_is_compared_at_its_peak():
    assert one(made.row(peak_mb=100), made.row(peak_mb=150)).memory_ratio == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (made.row("openvino"), "not in the second report"),
        (made.refusal("ort", why="the package is broken"), "the package is broken"),
        (made.row(nets=("face",)), "other nets: face"),
    ],
)
def test_a_row_that_cannot_be_compared_any_more_fails_and_says_why(after, why):
    found = one(made.row(), after)
    assert found.gone == why
    assert found.fails(10.0)


def test_a_row_that_was_not_measured_before_is_no_loss():
    assert compare(made.report(made.refusal()), made.report(made.row("trt"))) == []


def test_the_text_shows_verdicts_and_what_else_differs():
    before = made.report(made.row(total_ms=8), made.row(precision="cpu.int8"), made.row(precision="fp16"))
    after = made.report(made.row(total_ms=10), made.row(precision="cpu.int8"), cores=4)
    shown = text(compare(before, after), before.environment, after.environment)
    lines = shown.splitlines()
    assert lines[0] == "not the same cores: 2 -> 4"
    assert "1.25" in lines[2]
    assert "SLOWER in paced p50, paced p95" in lines[2]
    assert lines[3].endswith("within the noise")
    assert lines[4].endswith("GONE: not in the second report")


def test_rows_measured_beside_other_work_are_counted():
    figures = made.row().figures
    busy = figures.model_copy(update={"paced": figures.paced.model_copy(update={"others_percent": 50.0})})
    quiet, loud = made.report(made.row()), made.report(made.row(figures=busy))
    where = quiet.environment
    for before, after in ((quiet, loud), (loud, quiet)):
        assert "1 of 1 rows was measured while other" in text(compare(before, after), where, where)
    assert "measured while" not in text(compare(quiet, quiet), where, where)


def test_versions_that_differ_are_named():
    before = made.environment()
    after = made.environment(versions={"dms": "0.2.0", "openvino": "2026.4"})
    shown = text([], before, after)
    for line in ("dms: 0.1.0 -> 0.2.0", "onnxruntime: 1.31.1 -> none", "openvino: none -> 2026.4"):
        assert f"not the same {line}" in shown
