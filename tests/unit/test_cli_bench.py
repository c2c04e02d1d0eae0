"""`dms bench` as it is called."""

import json

import pytest
from click.testing import CliRunner

from dms.cli import main
from tests.unit.tools import bench_reports as made


def dms(*arguments):
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


@pytest.fixture
def reports(tmp_path):
    """A report, and one in which INT8 got a quarter slower."""
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, total_ms in zip(paths, (4.0, 5.0), strict=True):
        report = made.report(made.row(), made.row(precision="cpu.int8", total_ms=total_ms))
        path.write_text(report.model_dump_json())
    return paths


def test_help_teaches_by_example():
    result = dms("--help")
    assert result.exit_code == 0
    for word in ("--compare", "--fail-above", "--image-size", "Examples:", "docs/benchmarks.md"):
        assert word in result.stdout


def test_a_run_prints_tables_and_writes_all_that_was_asked_for(tmp_path):
    json_path, page, picture = tmp_path / "a.json", tmp_path / "a.md", tmp_path / "a.png"
    result = dms(
        *("--backend", "ort", "--precision", "int8", "--net", "fatigue", "--seconds", 1),
        *("--json", json_path, "--markdown", page, "--plot", picture),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "ONNX Runtime  cpu.int8" in result.stdout
    (row,) = json.loads(json_path.read_text())["rows"]
    assert row["nets"] == ["fatigue"]
    assert "| ONNX Runtime | cpu.int8 |" in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_comparison_is_told_and_fails_only_when_asked_to(reports):
    result = dms("--compare", *reports)
    assert result.exit_code == 0
    assert "SLOWER in paced p50" in result.stdout
    assert dms("--compare", *reports, "--fail-above", 1.3).exit_code == 0
    assert dms("--compare", *reports, "--fail-above", 1.1).exit_code == 1
    assert dms("--compare", *reversed(reports), "--fail-above", 1.1).exit_code == 0


def test_comparing_what_is_no_report_is_an_input_error(reports, tmp_path):
    result = dms("--compare", reports[0], tmp_path / "none.json")
    assert result.exit_code == 3
    assert "none.json" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--fail-above", "1.1"], "--compare"),
        (["--backend", "ortt"], "no runtime 'ortt'; there are ort,"),
        (["--image-size", "720p"], "1280x720"),
        (["--image-size", "8x8"], "1280x720"),
        (["--net", "nose"], "nose"),
    ],
)
def test_a_wrong_command_line_says_what_is_right(arguments, word):
    result = dms(*arguments)
    assert result.exit_code == 2
    assert word in result.stderr


def test_a_page_without_a_place_for_tables_is_told_before_the_long_work(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# My notes\n")
    result = dms("--markdown", page)
    assert result.exit_code == 3
    assert "<!-- bench -->" in result.stderr
    assert page.read_text() == "# My notes\n"


def test_a_folder_that_cannot_be_written_to_is_told_before_the_long_work(tmp_path):
    result = dms("--json", tmp_path / "none" / "a.json")
    assert result.exit_code == 3
    assert "cannot write" in result.stderr
