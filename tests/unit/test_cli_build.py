"""`dms engines build`: opened ahead, the gate run for real, and its choice taken by a run."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner, Result

from dms.backends import BACKENDS
from dms.cli import main
from dms.engines.gate import load_verdict
from dms.engines.manifest import load_manifest, rewrite
from dms.resources import engines_folder

DATA = Path(__file__).parents[2] / "calib_data"


def dms(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def build(cache: Path, *more: str | Path) -> Result:
    return dms("engines", "build", "fatigue", "--cache", cache, *more)


def test_without_the_gate_it_opens_and_says_what_there_was_to_do(tmp_path: Path) -> None:
    done = build(tmp_path)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("fatigue: cpu.int8 opened in ")
    assert done.stdout.endswith(" s on ONNX Runtime, which compiles nothing ahead\n")
    assert list(tmp_path.iterdir()) == []


def test_openvino_keeps_what_it_compiled_and_says_where(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the extra intel is not installed")
    done = build(tmp_path, "--backend", "openvino")
    assert done.stdout.endswith(f" s on OpenVINO, kept under {tmp_path}\n")
    assert list(tmp_path.iterdir())


def test_precision_and_backend_win_over_the_configuration(tmp_path: Path) -> None:
    done = build(tmp_path, "--set", "engines.fatigue.precision=fp16", "--precision", "fp32", "--json")
    [found] = json.loads(done.stdout)
    assert (found["net"], found["runtime"], found["artefact"]) == ("fatigue", "ort", "fp32")
    assert found["spent_s"] > 0
    [found] = json.loads(build(tmp_path, "--set", "engines.fatigue.precision=fp16", "--json").stdout)
    assert found["artefact"] == "fp16"


def test_all_nets_are_built_by_default() -> None:
    done = dms("engines", "build", "--json")
    assert [found["net"] for found in json.loads(done.stdout)] == ["face", "eyes", "fatigue", "distraction"]


def test_a_runtime_that_is_not_here_ends_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    for more in ((), ("--gate",)):
        done = build(tmp_path, "--backend", "openvino", *more)
        assert done.exit_code == 5
        assert "pip install 'dms[intel]'" in done.output


def test_the_gate_tells_its_candidates_and_a_run_takes_its_choice(tmp_path: Path) -> None:
    done = build(tmp_path, "--gate", "--set", "engines.fatigue.threads=2", "--set", "engines.max_batch=3")
    assert done.exit_code == 0, done.output
    verdict = load_verdict(tmp_path, "fatigue", "ort")
    assert verdict is not None
    assert (verdict.conditions.threads, verdict.conditions.max_batch) == (2, 3)
    assert (verdict.data.name, verdict.data.pictures) == ("calib_data", 160)
    assert "fatigue: timing both in turns" in done.stderr
    first, fp32, int8, choice, kept = done.stdout.splitlines()
    assert first.startswith("fatigue on ONNX Runtime: ")
    assert "2 threads, batch of 3; on `calib_data` (160 pictures" in first
    for line, candidate in ((fp32, verdict.candidates[0]), (int8, verdict.candidates[1])):
        assert candidate.figures is not None
        assert line.startswith(f"  {candidate.artefact:<9} p50 {candidate.figures.p50_ms:.2f} ms, p95 ")
        assert f"state_auc {100 * candidate.figures.score:.2f} %" in line
    assert choice == f"  -> {verdict.chosen}: {verdict.reason}"
    assert kept.endswith(f"{tmp_path}/gate/fatigue.ort.json")


def test_as_json_the_verdict_is_all_that_is_printed(tmp_path: Path) -> None:
    done = build(tmp_path, "--gate", "--data", DATA, "--json")
    verdict = load_verdict(tmp_path, "fatigue", "ort")
    assert verdict is not None
    assert json.loads(done.stdout) == [json.loads(verdict.model_dump_json())]


def test_a_net_without_a_file_that_passes_ends_with_exit_code_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FP16 and INT8 say the opposite of FP32, and their manifest vouches for them."""
    shutil.copytree(engines_folder(), tmp_path / "engines")
    folder = tmp_path / "engines" / "fatigue"
    note = load_manifest(folder)
    content = opposite(note.verified_path("fp32"))
    told = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    files = dict(note.files)
    for artefact in ("fp16", "cpu.int8"):
        (folder / files[artefact].path).write_bytes(content)
        files[artefact] = files[artefact].model_copy(update=told)
    rewrite(folder, files=files)
    monkeypatch.setitem(BACKENDS, "ort", replace(BACKENDS["ort"], float_precision="fp16"))
    done = build(tmp_path, "--gate", "--set", f"engines.folder={tmp_path / 'engines'}")
    assert done.exit_code == 5
    assert "  -> none passes: int8 loses " in done.stdout
    assert "; fp16 loses " in done.stdout


def opposite(path: Path) -> bytes:
    """The net with 1 - p in the place of every probability p."""
    model = onnx.load(path)
    graph, [output] = model.graph, model.graph.output
    for node in graph.node:
        node.output[:] = ["told" if name == output.name else name for name in node.output]
    graph.initializer.append(onnx.helper.make_tensor("one", onnx.TensorProto.FLOAT, [], [1.0]))
    graph.node.append(onnx.helper.make_node("Sub", ["one", "told"], [output.name], name="opposite"))
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--gate", "--precision", "int8"], "--gate builds both precisions"),
        (["--data", "calib_data"], "--data is what --gate judges on"),
        (["--backend", "abacus"], "'abacus' is not one of"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, more: list[str], told: str) -> None:
    done = build(tmp_path, *more)
    assert done.exit_code == 2
    assert told in done.output


def test_a_cache_that_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "gate").write_text("")
    done = build(tmp_path, "--gate")
    assert done.exit_code == 3
    assert "choose another folder by --cache" in done.output


def test_best_runs_what_the_gate_chose(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A recording is judged with and without a verdict: only without one is the missing gate told."""
    (tmp_path / "frames").mkdir()
    for name in ("0001.jpg", "0002.jpg"):
        shutil.copy(DATA / name, tmp_path / "frames" / name)
    cache = tmp_path / "cache"
    given = ["--set", f"engines.cache={cache}", "--set", "engines.fatigue.precision=best"]
    assert dms("analyze", tmp_path / "frames", *given).exit_code == 0
    assert "engine fatigue on ort: best means fp32, no gate was run" in caplog.text
    caplog.clear()
    assert build(cache, "--gate").exit_code == 0
    assert dms("analyze", tmp_path / "frames", *given).exit_code == 0
    assert caplog.text == ""
