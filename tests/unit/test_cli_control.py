"""`dms control` from the outside."""

import json
import sys

import pytest
from click.testing import CliRunner

from dms.cli.control import control
from dms.errors import ConfigError, InputError
from dms.tools.control import stress


def invoke(*args):
    return CliRunner().invoke(control, [str(arg) for arg in args])


def test_help_names_the_commands():
    told = invoke("--help").output

    assert all(name in told for name in ("simulate", "stress", "levels"))


@pytest.mark.parametrize("command", [[], ["simulate"], ["levels"], ["stress"]])
def test_help_teaches_by_examples(command):
    told = " ".join(invoke(*command, "--help").output.split())

    assert f"Examples: {' '.join(['dms', 'control', *command])} " in told


def test_a_simulation_prints_its_table_and_writes_its_files(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need dms[plot]")
    report, pictures = tmp_path / "simulated.json", tmp_path / "made" / "pictures"

    result = invoke("simulate", "--scenario", "camera60", "--json", report, "--plots", pictures)

    assert result.exit_code == 0, result.output
    assert "| camera60 | controlled |" in result.output
    written = json.loads(report.read_text())
    assert written["scenarios"][0]["rules"]["controlled"]["missed_percent"] < 1
    assert [path.name for path in pictures.iterdir()] == ["camera60.png"]
    assert (pictures / "camera60.png").read_bytes().startswith(b"\x89PNG")
    assert (pictures / "camera60.png").stat().st_size < 500_000


@pytest.mark.parametrize(("command", "option"), [("simulate", "--plots"), ("stress", "--plot")])
def test_without_matplotlib_a_picture_is_refused_before_the_long_work(monkeypatch, tmp_path, command, option):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    result = invoke(command, option, tmp_path / "new")

    assert isinstance(result.exception, ConfigError)
    assert "dms[plot]" in str(result.exception)
    assert result.output == ""
    assert not list(tmp_path.iterdir())


def test_a_failed_check_is_the_exit_code():
    result = invoke("simulate", "--scenario", "neighbour", "--set", "control.down_after_s=2000")

    assert result.exit_code == 1
    assert "FAIL neighbour: recovers" in result.output


def test_an_unknown_scenario_is_told():
    result = invoke("simulate", "--scenario", "ice")

    assert isinstance(result.exception, InputError)
    assert "no scenario 'ice'" in str(result.exception)


def test_a_missing_folder_is_told_before_the_work(tmp_path):
    result = invoke("simulate", "--json", tmp_path / "none" / "x.json")

    assert isinstance(result.exception, InputError)


def test_levels_writes_what_simulate_reads(tmp_path):
    report = tmp_path / "levels.json"

    result = invoke("levels", "--seconds", 1, "--turns", 1, "--json", report)

    assert result.exit_code == 0, result.output
    assert "| 4 |" in result.output
    assert {"best", "cheapest"} == json.loads(report.read_text())["stage_s"].keys()


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "14.9"])
def test_a_block_without_a_settled_part_is_refused(seconds):
    result = invoke("stress", "--block", seconds)

    assert result.exit_code == 2
    assert "--block" in result.output


@pytest.mark.parametrize("seconds", ["nan", "inf"])
def test_seconds_are_a_finite_number(seconds):
    result = invoke("levels", "--seconds", seconds)

    assert result.exit_code == 2
    assert "--seconds" in result.output


def not_json(constant):
    raise ValueError(constant)


def test_stress_prints_both_settings(monkeypatch, tmp_path):
    monkeypatch.setattr(stress, "SETTLED_S", 2.0)
    result = invoke("stress", "--turns", 1, "--block", 5, "--processes", 0, "--json", tmp_path / "s.json")

    assert result.exit_code == 0, result.output
    assert "| fixed |" in result.output
    blocks = json.loads((tmp_path / "s.json").read_text(), parse_constant=not_json)
    assert [block["rule"] for block in blocks] == ["fixed", "controlled"]
