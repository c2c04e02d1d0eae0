"""The real command in its own process: what a person sees, and the exit code a script sees."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from dms import __version__, cli, errors


def dms(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "dms", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.getcwd(), "COLUMNS": "120"},
    )


def fails_with(result, code):
    """The one line a failed command tells, after the checks that every failure must pass."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("dms: error: ")
    return result.stderr.removeprefix("dms: error: ").rstrip("\n")


def test_help_teaches_commands_examples_and_exit_codes():
    result = dms("--help")
    assert (result.returncode, result.stderr) == (0, "")
    for word in ("run", "analyze", "watch", "simulate", "doctor", "config", "Examples:", "Exit codes:"):
        assert word in result.stdout
    assert "..." not in result.stdout.replace("[ARGS]...", "")


@pytest.mark.parametrize("command", sorted(cli.main.commands))
def test_every_command_has_its_help(command):
    result = dms(command, "--help")
    assert result.returncode == 0
    assert f"dms {command}" in result.stdout


def test_the_documented_exit_codes_are_those_of_the_errors():
    kinds = [errors.DmsError, *errors.DmsError.__subclasses__()]
    assert all(f"\n  {kind.exit_code}    " in cli.EPILOG for kind in kinds)


def test_help_answers_at_once():
    took_s = []
    for _ in range(3):
        begun_s = time.perf_counter()
        dms("--help")
        took_s.append(time.perf_counter() - begun_s)
    assert min(took_s) < 1.0  # about 0.06 s on a free machine; the limit only catches an eager import


def test_help_loads_nothing_heavy():
    heavy = "{'numpy', 'cv2', 'pydantic', 'yaml', 'onnxruntime', 'paho', 'psutil'}"
    code = f"import sys, dms.cli; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_version():
    assert dms("--version").stdout == f"dms {__version__}\n"


@pytest.mark.parametrize("arguments", [["rnu"], ["run", "--nope"], ["simulate"], ["watch", "--port", "0"]])
def test_a_wrong_command_line_ends_with_2(arguments):
    result = dms(*arguments)
    assert result.returncode == 2
    assert "Error: " in result.stderr


def test_an_unknown_key_names_file_line_and_nearest_key(tmp_path):
    (tmp_path / "my.yaml").write_text("source:\n  uri: demo\n  fsp: 3\n")
    told = fails_with(dms("run", "--config", "my.yaml", cwd=tmp_path), 2)
    assert told == "my.yaml:3: source.fsp: unknown key; did you mean source.fps?"


def test_a_value_out_of_range_names_the_override():
    told = fails_with(dms("config", "check", "--set", "sinks.mqtt.port=99999"), 2)
    assert told.startswith("--set sinks.mqtt.port=99999: sinks.mqtt.port: 99999 is not allowed")


@pytest.mark.parametrize(
    "given", [("--source", "demo"), ("--set", "source.uri=demo"), ("--set", "source={}")]
)
@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_source_beside_cameras_is_refused(command, given):
    result = dms(command, "--set", "cameras={front: {uri: gone.mp4}}", *given)
    told = " ".join((result.stdout + result.stderr).split())
    assert result.returncode == (2 if command == "run" else 1)
    assert f"{' '.join(given)}: the configuration has `cameras` (front)" in told


def test_a_source_of_a_file_beside_cameras_is_told(tmp_path):
    (tmp_path / "my.yaml").write_text("source: {fps: 15.0}\ncameras: {front: {uri: gone.mp4}}\n")
    result = dms("run", "--config", tmp_path / "my.yaml")
    assert result.returncode == 3
    assert "source (demo) is not used: `cameras` stand in its place" in result.stderr


def test_two_problems_are_two_lines():
    told = fails_with(dms("config", "check", "--set", "a=1", "--set", "b=1"), 2)
    assert told.count("dms: error: ") == 1
    assert told.count("unknown key") == 2


def test_a_missing_configuration_file_lists_the_shipped_ones(tmp_path):
    told = fails_with(dms("run", "--config", "gone.yaml", cwd=tmp_path), 2)
    assert "gone.yaml: does not exist" in told
    assert "demo" in told


def test_debug_shows_where_and_keeps_the_exit_code():
    result = dms("--debug", "config", "check", "--set", "a=1")
    assert result.returncode == 2
    assert "Traceback" in result.stderr
    assert result.stderr.rstrip().splitlines()[-1].startswith("dms: error: --set a=1")


def test_config_check_says_valid():
    result = dms("config", "check", "--config", "demo")
    assert (result.returncode, result.stdout) == (0, "valid\n")


def test_config_show_gives_the_effective_values(tmp_path):
    shown = dms("config", "show", "--config", "demo", "--set", "source.fps=12")
    (tmp_path / "shown.yaml").write_text(shown.stdout)
    again = dms("config", "show", "--config", tmp_path / "shown.yaml")
    assert "fps: 12.0" in shown.stdout
    assert again.stdout == shown.stdout


def test_config_schema_is_json():
    assert json.loads(dms("config", "schema").stdout)["title"] == "dms configuration"


@pytest.mark.parametrize(
    "arguments",
    [
        ("analyze", "gone.mp4"),
        ("run", "--source", "gone.mp4"),
        ("simulate", "gone.yaml", "--out", "clip.mp4"),
        ("analyze", "words.mp4"),
    ],
)
def test_a_missing_or_wrong_file_ends_with_3_and_is_named(tmp_path, arguments):
    (tmp_path / "words.mp4").write_text("no video at all\n" * 100)
    told = fails_with(dms(*arguments, cwd=tmp_path), 3)
    assert next(word for word in arguments if word.endswith(("mp4", "yaml"))) in told


def test_missing_engines_end_with_5(tmp_path):
    told = fails_with(dms("run", "--source", "demo", "--set", f"engines.folder={tmp_path}"), 5)
    assert str(tmp_path) in told


def test_an_output_that_cannot_be_written_ends_with_6(tmp_path):
    told = fails_with(dms("run", "--source", "demo", "--set", f"sinks.jsonl.path={tmp_path}/gone/x.jsonl"), 6)
    assert "gone/x.jsonl" in told


def test_doctor_fails_with_1_and_names_the_cure(tmp_path):
    result = dms("doctor", "--json", "--source", tmp_path / "gone.mp4")
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.returncode == 1
    assert checks["source"]["grade"] == "fail"
    assert checks["source"]["cure"]


@pytest.mark.parametrize("vehicle", ["+/#", "", "a b", "7/8"])
def test_a_vehicle_that_is_no_name_is_refused(vehicle):
    told = fails_with(dms("watch", "--vehicle", vehicle), 2)
    assert f"sinks.mqtt.vehicle: '{vehicle}' is not allowed" in told


def test_watch_as_json_tells_its_troubles_on_stderr():
    with subprocess.Popen(
        [sys.executable, "-m", "dms", "watch", "--json", "--host", "127.0.0.1", "--port", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        told = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert told == "waiting for the broker 127.0.0.1:1: connection refused\n"
    assert (out, process.returncode) == ("", 130)


def test_a_wrong_argument_of_simulate_is_told_before_anything_is_drawn(tmp_path):
    told = fails_with(dms("simulate", "demo", "--out", tmp_path / "clip.avi"), 3)
    assert "must end in .mp4" in told


LONG_SCRIPT = "duration_s: 600\nfps: 30.0\nsize: [160, 120]\nevents: []\n"


@pytest.fixture
def begun(tmp_path):
    """Starts a command on the simulated driver of ten minutes and waits until a file of it has come to be."""
    (tmp_path / "long.yaml").write_text(LONG_SCRIPT)
    started = []

    def start(*arguments, sign):
        process = subprocess.Popen(
            [sys.executable, "-m", "dms", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        started.append(process)
        give_up_s = time.monotonic() + 60
        while not (sign.exists() and sign.stat().st_size):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < give_up_s
            time.sleep(0.02)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_simulate_and_leaves_nothing_behind(begun, tmp_path, number, code):
    process = begun("simulate", "long.yaml", "--out", "clip.mp4", sign=tmp_path / ".part-clip.mp4")
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["long.yaml"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_analyze_with_what_it_has(begun, tmp_path, number, code):
    frames = tmp_path / "frames.jsonl"
    arguments = ("analyze", "sim:long.yaml", "--out", frames.name, "--summary", "summary.json")
    process = begun(*arguments, sign=frames)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert "driver state known" in out
    assert frames.read_text().endswith("\n")
    assert json.loads((tmp_path / "summary.json").read_text())["interrupted"] is True


def test_a_run_goes_on_when_nobody_reads_it_any_more(tmp_path):
    """What `dms run | head -1` does."""
    (tmp_path / "short.yaml").write_text("duration_s: 1\nfps: 10.0\nsize: [160, 120]\nevents: []\n")
    arguments = [
        "--source",
        f"sim:{tmp_path}/short.yaml",
        "--set",
        f"sinks.jsonl.path={tmp_path}/frames.jsonl",
    ]
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-m", "dms", "run", *arguments, "--set", "source.realtime=false"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writer)
    assert process.returncode == 0, process.stderr
    assert process.stderr.count("nothing can be shown any more (Broken pipe)") == 1
    assert len((tmp_path / "frames.jsonl").read_text().splitlines()) >= 10


@pytest.fixture
def running(tmp_path):
    """`dms run` on the demonstration clip at its pace, once it has judged frames, and its service manager."""
    frames = tmp_path / "frames.jsonl"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        arguments = [
            "--source",
            "demo",
            "--set",
            "source.realtime=true",
            "--set",
            f"sinks.jsonl.path={frames}",
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "dms", "run", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NOTIFY_SOCKET": manager.getsockname()},
        )
        with process:
            try:
                yield process, manager, frames
            finally:
                process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_a_run_cleanly(running, number, code):
    process, manager, frames = running
    told = [manager.recv(256)]
    while told.count(b"WATCHDOG=1") < 3:  # of a single frame nothing lasts long enough to be known
        told.append(manager.recv(256))
    assert b"READY=1" in told
    assert told[0].endswith(b"system OK")
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert "driver state known" in out
    assert "Traceback" not in err
    assert [json.loads(line)["schema"] for line in frames.read_text().splitlines()]
    assert frames.read_text().endswith("\n")
    manager.setblocking(False)
    while told[-1] != b"STOPPING=1":
        told.append(manager.recv(256))
    assert {line.partition(b"=")[0] for line in told} == {b"STATUS", b"READY", b"WATCHDOG", b"STOPPING"}


@pytest.mark.parametrize(
    "command", ["explain", "bundle", "replay", "seat", "score", "campaign", "profiles", "calibrate cabin"]
)
def test_help_of_a_command_with_choices_shows_examples(command):
    _, _, examples = dms(*command.split(), "--help").stdout.partition("Examples:")
    assert f"dms {command} " in examples


def test_a_campaign_of_skins_says_what_brings_them():
    result = dms("campaign", "--only", "skin")
    assert result.returncode == 2
    assert "needs --portraits" in result.stderr
