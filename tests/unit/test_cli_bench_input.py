"""What `dms bench` refuses before the long work, how it ends, and what its picture admits."""

import json
import sys

import pytest
from click.testing import CliRunner

from dms import pictures
from dms.cli import main
from dms.engines.manifest import PRECISIONS
from dms.tools.bench import plot as bench_plot
from tests.unit.tools import bench_reports as made

NOTHING = ("--backend", "litert", "--precision", "fp16")
"""LiteRT reads no such file, on any machine."""


def dms(*arguments):
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws rows; gives the figure instead of a file."""

    def draw(*rows):
        kept = []
        monkeypatch.setattr(pictures, "save", lambda figure, path: kept.append(figure))
        bench_plot.draw(made.report(*rows), tmp_path / "a.png")
        return kept[0]

    return draw


def loud(row):
    """The row, measured beside other work."""
    paced = row.figures.paced.model_copy(update={"others_percent": 50.0})
    return row.model_copy(update={"figures": row.figures.model_copy(update={"paced": paced})})


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def bold(figure):
    return [name.get_text() for name in figure.axes[0].get_yticklabels() if name.get_weight() == "bold"]


def test_without_matplotlib_a_picture_is_refused_before_the_long_work(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = dms(*NOTHING, "--plot", tmp_path / "a.png", "--json", tmp_path / "a.json")
    assert result.exit_code == 2
    assert "pip install 'dms[plot]'" in result.stderr
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_rest_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "LiteRT, fp16: there is no such file" in dms(*NOTHING).stdout


def test_an_unknown_precision_is_refused_with_those_there_are():
    result = dms("--backend", "litert", "--precision", "nope")
    assert result.exit_code == 2
    for name in ("'nope'", "fp32, fp16, int8,", *PRECISIONS):
        assert name in result.stderr


@pytest.mark.parametrize("name", ["fp16", "cpu.int8", "qnn.int8"])
def test_a_known_precision_that_a_runtime_cannot_read_is_told_as_not_measured(name):
    assert f"LiteRT, {name}: there is no such file" in dms("--backend", "litert", "--precision", name).stdout


def test_where_nothing_could_be_measured_the_exit_code_is_1_and_the_reasons_are_kept(tmp_path):
    result = dms(*NOTHING, "--json", tmp_path / "a.json")
    assert result.exit_code == 1
    assert result.stderr.endswith("nothing could be measured\n")
    assert "no such file" in json.loads((tmp_path / "a.json").read_text())["rows"][0]["why"]


def test_where_nothing_could_be_measured_the_missing_picture_is_told(tmp_path):
    result = dms(*NOTHING, "--plot", tmp_path / "a.png")
    assert result.exit_code == 1
    assert f"nothing could be measured: {tmp_path / 'a.png'} is not drawn" in result.stderr
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    "option", ["--plot x.png", "--json x.json", "--markdown x.md", "--backend ort", "--seconds 5"]
)
def test_a_comparison_refuses_what_only_a_measurement_heeds(tmp_path, option):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(made.usual().model_dump_json())
    compare = ("--compare", tmp_path / "a.json", tmp_path / "b.json")
    assert dms(*compare).exit_code == 0
    result = dms(*compare, *option.split())
    assert result.exit_code == 2
    assert f"--compare only compares: give {option.split()[0]} to" in result.stderr


def test_a_line_to_p95_ends_in_the_picture(drawn):
    figure = drawn(made.row(total_ms=8.0), made.row(precision="cpu.int8", total_ms=6.0))
    assert figure.axes[0].get_xlim()[1] > 16.0  # the p95 of a made row is twice its median
    assert not any("p95" in text for text in words(figure))


def test_a_line_to_p95_that_leaves_the_picture_has_an_arrow_and_its_figure(drawn):
    rows = [made.row(precision=name, total_ms=4.0) for name in ("fp32", "fp16", "cpu.int8")]
    figure = drawn(*rows, made.row(precision="trt.int8", total_ms=15.0), made.row("qnn", "qnn.int8", 300.0))
    assert figure.axes[0].get_xlim()[1] == pytest.approx(1.05 * 16)
    assert [text for text in words(figure) if "p95" in text] == ["p95 30.0 →", "p95 600 →"]


def test_on_a_quiet_machine_the_fastest_is_bold_and_no_warning_is_given(drawn):
    figure = drawn(made.row(), made.row(precision="cpu.int8", total_ms=4.0))
    assert bold(figure) == ["ONNX Runtime  cpu.int8"]
    assert "quiet" not in figure.get_suptitle()


def test_on_a_machine_with_other_work_the_picture_says_so_and_none_is_called_fastest(drawn):
    figure = drawn(loud(made.row()), made.row(precision="cpu.int8", total_ms=4.0))
    assert bold(figure) == []
    assert "Not a quiet machine: in grey rows other processes took more than 7 %" in figure.get_suptitle()
    grey = [
        name.get_text() for name in figure.axes[0].get_yticklabels() if name.get_color() == bench_plot.LOUD
    ]
    assert grey == ["ONNX Runtime  fp32"]
