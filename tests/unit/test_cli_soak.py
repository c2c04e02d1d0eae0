"""`dms soak` as it is called."""

import signal
import subprocess
import sys

from click.testing import CliRunner

from dms.cli.soak import soak
from dms.errors import InputError

WAIT_S = 120


def test_help_tells_what_is_real_and_what_the_codes_mean():
    result = CliRunner().invoke(soak, ["--help"])
    assert result.exit_code == 0
    for word in ("--hours", "--speed", "--plot", "waiting between", "Exit codes", "docs/soak.md"):
        assert word in result.stdout


def test_a_soak_shorter_than_a_minute_is_refused():
    assert CliRunner().invoke(soak, ["--hours", "0.001"]).exit_code == 2


def test_a_report_that_could_not_be_written_is_found_out_at_start(tmp_path):
    result = CliRunner().invoke(soak, ["--json", str(tmp_path / "none" / "soak.json")])
    assert isinstance(result.exception, InputError)
    assert str(tmp_path / "none") in str(result.exception)


def test_one_that_was_cut_off_tells_so_and_fails(tmp_path):
    picture = tmp_path / "soak.png"
    result = CliRunner().invoke(soak, ["--hours", "0.1", "--minutes", "0.05", "--plot", str(picture)])
    assert result.exit_code == 1
    assert "stopped before the end: 0.10 h were planned" in result.stdout
    assert "FAIL  faults" in result.stdout
    assert picture.is_file()


def test_ctrl_c_ends_it_with_a_report_of_what_was_driven(tmp_path):
    report = tmp_path / "soak.json"
    command = [sys.executable, "-c", "from dms.cli.soak import soak; soak()", "--json", str(report)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = process.stderr.readline()  # the first look at the process: it is under way
    process.send_signal(signal.SIGINT)
    out, rest = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130, first + rest
    assert "stopped before the end" in out
    assert "everything started has ended" in out
    assert report.is_file()
