"""`dms control` from the outside."""

import json

import pytest
from click.testing import CliRunner

from dms.cli.control import control
from dms.errors import InputError


def invoke(*args):
    return CliRunner().invoke(control, [str(arg) for arg in args])


def test_help_names_the_commands():
    told = invoke("--help").output

    assert all(name in told for name in ("simulate", "stress", "levels"))


def test_a_simulation_prints_its_table_and_writes_its_files(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need dms[plot]")
    report = tmp_path / "simulated.json"

    result = invoke("simulate", "--scenario", "camera60", "--json", report, "--plots", tmp_path)

    assert result.exit_code == 0, result.output
    assert "| camera60 | controlled |" in result.output
    written = json.loads(report.read_text())
    assert written["scenarios"][0]["rules"]["controlled"]["missed_percent"] < 1
    assert (tmp_path / "camera60.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "camera60.png").stat().st_size < 500_000


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


def test_stress_prints_both_settings(tmp_path):
    result = invoke("stress", "--turns", 1, "--block", 5, "--processes", 0, "--json", tmp_path / "s.json")

    assert result.exit_code == 0, result.output
    assert "| fixed |" in result.output
    blocks = json.loads((tmp_path / "s.json").read_text())
    assert [block["rule"] for block in blocks] == ["fixed", "controlled"]
