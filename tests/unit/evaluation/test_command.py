from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dms.cli import main
from dms.resources import demo_clip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def test_a_labelled_folder_is_measured_and_told_as_json(own_folder: Path):
    result = run("--data", own_folder, "--engine", "fatigue", "--precision", "int8", "--no-speed", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["schema"] == "dms.evaluation/1"
    closed = found["engines"]["fatigue"]["cpu.int8"]["closed_auc"]
    assert closed["low"] <= closed["value"] <= closed["high"]
    assert closed["n"] > 5


def test_the_table_names_target_and_speed(own_folder: Path):
    result = run("--data", own_folder, "--engine", "face", "--precision", "int8")
    assert result.exit_code == 0, result.output
    assert "drivers found in cars" in result.stdout
    assert "no targets" in result.stdout  # these are not the pictures the figures were published on
    assert "99.5" not in result.stdout
    assert "one image, ONNX Runtime, one thread [ms]" in result.stdout


def test_the_reliability_plot_is_written_where_told(own_folder: Path, tmp_path: Path):
    pytest.importorskip("matplotlib", reason="draws with the extra `plot`")
    picture = tmp_path / "sigma.png"
    result = run(
        "--data", own_folder, "--engine", "eyes", "--precision", "int8", "--no-speed", "--plot", picture
    )
    assert result.exit_code == 0, result.output
    assert picture.stat().st_size > 10_000
    assert "uncertainty of the eyes engine" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give --data (labelled pictures), --clips (recordings), or both"),
        (("--data", "nowhere"), 3, "nowhere does not exist"),
        (("--clips", "nowhere.mp4"), 3, "nowhere.mp4 does not exist"),
        (("--clips", demo_clip(), "--publish", "--docs", "nowhere"), 2, "run it in a checkout"),
        (("--clips", demo_clip(), "--publish"), 2, "give --data the pack they were trained on"),
        (("--data", "pack", "--engine", "eyes", "--publish"), 2, "leave out --engine"),
        (("--data", "pack", "--clips", demo_clip(), "--plot", "one.png"), 2, "give --plot a folder"),
        (("--data", "pack", "--engine", "face", "--plot", "one.png"), 2, "nothing to draw"),
        (("--data", "pack", "--plot", "nowhere/one.png"), 3, "cannot write nowhere/one.png"),
    ],
)
def test_wrong_use_is_told(arguments: tuple[object, ...], code: int, message: str):
    result = CliRunner(env={"DMS_PACK": ""}).invoke(main, ["evaluate", *map(str, arguments)])
    assert result.exit_code == code
    assert message in result.stderr


def test_a_folder_of_ones_own_is_not_published(own_folder: Path, tmp_path: Path):
    result = run("--data", own_folder, "--publish", "--docs", tmp_path)
    assert result.exit_code == 2
    assert "not a labelled folder" in result.stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_runtime_is_told(own_folder: Path):
    result = run("--data", own_folder, "--backend", "abacus")
    assert result.exit_code == 2
    assert "no runtime 'abacus'; there are ort" in result.stderr
