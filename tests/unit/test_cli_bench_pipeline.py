"""`dms bench --pipeline` as it is called."""

import json
import re

import pytest
from click.testing import CliRunner

from dms.cli import main
from dms.tools.bench_pipeline import peers as bench_peers


def dms(*arguments):
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


def test_a_short_run_measures_the_real_chain_and_writes_all_that_was_asked_for(tmp_path):
    json_path, page, picture = tmp_path / "a.json", tmp_path / "a.md", tmp_path / "a.png"
    result = dms(
        *("--pipeline", "--seconds", 1, "--runs", 1, "--set", "engines.eyes.threads=1"),
        *("--json", json_path, "--markdown", page, "--plot", picture),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "A frame through the whole pipeline, 1 run" in result.stdout
    report = json.loads(json_path.read_text())
    assert re.fullmatch(r"\d+\.\d+", report["environment"]["kernel"])
    assert list(report["engines"]) == ["face", "eyes", "fatigue", "distraction"]
    assert report["configured"] == ["--set", "engines.eyes.threads=1"]
    assert report["clip"]["frames"] == 270
    (run,) = report["runs"]
    ours = run["turns"][0]["ours"]
    assert ours["unpaced"]["frames"] == 270
    assert ours["paced"]["frames"] + ours["paced"]["lost"] == 30
    assert 0 < ours["unpaced"]["engines"]["mean"] < ours["unpaced"]["frame"]["mean"]
    stages = ours["unpaced"]["stages"]
    assert stages["eyes"]["runs_per_s"] == pytest.approx(30, abs=1)
    assert stages["distraction"]["runs_per_s"] < 15  # at its rate, not on every frame
    assert run["stream"]["fps"] > 5
    assert run["stream"]["rss_mb"] > 20
    assert run["stream"]["level"] in range(5)
    assert run["peer_stream"] is None
    assert "| 640x360 | dms | unpaced |" in page.read_text()
    assert "<!-- bench-pipeline -->" in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--peers"], "only with --pipeline, as in `dms bench --pipeline --peers"),
        (["--source", "demo", "--runs", "2"], "--source, --runs: only with --pipeline"),
        (["--pipeline", "--backend", "ort"], "--set engines.eyes.backend=openvino"),
        (["--pipeline", "--compare", "a.json", "b.json"], "leave out --compare"),
        (["--pipeline", "--peer-model", "x.task"], "--peer-model is for --peers"),
        (["--pipeline", "--runs", "0"], "--runs"),
    ],
)
def test_a_wrong_command_line_says_what_is_right(arguments, word):
    result = dms(*arguments)
    assert result.exit_code == 2
    assert word in " ".join(result.stderr.split())


def test_a_source_that_is_no_clip_is_told(tmp_path):
    result = dms("--pipeline", "--source", tmp_path)
    assert result.exit_code == 3
    assert "give a video file or `demo`" in result.stderr


def test_a_clip_that_is_no_video_is_a_wrong_file(tmp_path):
    (tmp_path / "broken.mp4").write_text("no video at all\n" * 100)
    result = dms("--pipeline", "--source", tmp_path / "broken.mp4")
    assert result.exit_code == 3
    assert "broken.mp4" in result.stderr


@pytest.mark.parametrize("seconds", ["nan", "inf"])
def test_seconds_are_a_finite_number(seconds):
    result = dms("--pipeline", "--seconds", seconds)
    assert result.exit_code == 2
    assert "--seconds" in result.stderr


def test_a_page_without_a_place_is_told_before_the_long_work(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# My notes\n<!-- bench --> <!-- /bench -->\n")
    result = dms("--pipeline", "--markdown", page)
    assert result.exit_code == 3
    assert "<!-- bench-pipeline -->" in result.stderr


def test_a_peer_that_is_not_installed_is_told_with_the_cure(monkeypatch):
    def version(name):
        raise bench_peers.PackageNotFoundError(name)

    monkeypatch.setattr(bench_peers, "version", version)
    result = dms("--pipeline", "--peers")
    assert result.exit_code == 5
    assert "pip install mediapipe" in result.stderr


@pytest.mark.parametrize("given", [[], ["--peer-model", "none.task"]])
def test_a_peer_without_its_model_tells_where_that_is_published(monkeypatch, given):
    monkeypatch.setattr(bench_peers, "version", lambda name: "0.10.0")
    result = dms("--pipeline", "--peers", *given)
    assert result.exit_code == 3
    assert bench_peers.PUBLISHED in result.stderr
