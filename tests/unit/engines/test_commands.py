"""The commands, on a tiny net and the simulated pictures that ship."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner, Result

from dms.cli import main
from dms.engines.manifest import load_manifest
from dms.engines.ranges import find_ranges
from tests.unit.engines.tiny import pictures, trained

DATA = Path(__file__).parents[3] / "calib_data"


def dms(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["engines", *map(str, arguments)])


def quantize(engines: Path, *more: str | Path) -> Result:
    return dms("quantize", "fatigue", "--data", DATA, "--engines", engines, "--allow-one-sided", *more)


@pytest.fixture
def engines(tmp_path: Path) -> Path:
    trained(tmp_path / "trained")
    done = dms("export", "fatigue", "--from", tmp_path / "trained", "--engines", tmp_path / "engines")
    assert done.exit_code == 0, done.output
    assert "fatigue: 13 -> " in done.output
    return tmp_path / "engines"


def test_the_whole_road_from_trained_to_proved(engines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = dms("sensitivity", "fatigue", "--data", DATA, "--engines", engines, "--bound", "0", "--json")
    assert done.exit_code == 0, done.output
    assert "no sensitivity.png: pictures need matplotlib: pip install 'dms[plot]'" in done.stderr
    [swept] = json.loads(done.stdout)
    assert {part["part"] for part in swept["parts"]} == {"trunk.0", "trunk.1", "head"}
    done = quantize(engines, "--compare")
    assert done.exit_code == 0, done.output
    assert "<- kept" in done.output
    note = load_manifest(engines / "fatigue")
    assert set(note.files) == {"fp32", "fp16", "cpu.int8", "trt.int8", "qnn.int8"}
    assert note.training_commit == "abc123"
    before = (engines / "fatigue" / "manifest.json").read_bytes()
    done = dms("verify", "fatigue", "--engines", engines, "--limit", "100")
    assert done.exit_code == 0, done.output
    assert "ok" in done.output
    assert (engines / "fatigue" / "manifest.json").read_bytes() == before
    done = dms("verify", "fatigue", "--engines", engines, "--limit", "100", "--measure", "--record")
    assert "ms on ONNX Runtime: fp32 " in done.output
    note = load_manifest(engines / "fatigue")
    assert set(note.proofs) == {"fp16", "cpu.int8", "trt.int8", "qnn.int8"}
    data = note.proofs["fp16"]["ort"].data
    assert (data.name, data.pictures, len(data.sha256)) == ("calib_data", 160, 64)
    assert set(note.speed_ms["ort"]) == set(note.files)


def test_verify_fails_with_its_exit_code(engines: Path) -> None:
    """An engine that says the opposite, with a manifest that vouches for it, does not pass."""
    assert quantize(engines).exit_code == 0
    net = onnx.load(str(trained(engines.parent / "worse")))
    for weight in net.graph.initializer:
        if weight.name in ("wh", "bh"):
            weight.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(weight), weight.name))
    content = net.SerializeToString()
    (engines / "fatigue" / "model.cpu.int8.onnx").write_bytes(content)
    path = engines / "fatigue" / "manifest.json"
    note = json.loads(path.read_text())
    note["files"]["cpu.int8"] |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    path.write_text(json.dumps(note))
    given = ["verify", "fatigue", "--engines", engines, "--json"]
    done = dms(*given, "--limit", "0")
    loss = json.loads(done.stdout)["engines"]["fatigue"]["runtimes"]["ort"]["proofs"]["cpu.int8"][
        "loss_points"
    ]
    assert loss > 1
    assert done.exit_code == 5
    assert dms(*given, "--limit", "100").exit_code == 0


def test_ranges_from_a_file_need_no_pictures(engines: Path, tmp_path: Path) -> None:
    find_ranges(engines / "fatigue" / "model.onnx", pictures()).save(tmp_path / "mine.json")
    given = ["--engines", engines, "--ranges", tmp_path / "mine.json"]
    done = dms("quantize", "fatigue", *given)
    assert done.exit_code == 0, done.output
    assert "fatigue: minmax, 80 pictures" in done.output
    assert set(load_manifest(engines / "fatigue").files) == {
        "fp32",
        "fp16",
        "cpu.int8",
        "trt.int8",
        "qnn.int8",
    }


def test_a_simple_engine_keeps_all_its_files(engines: Path) -> None:
    assert quantize(engines).exit_code == 0
    before = {path.name: path.read_bytes() for path in (engines / "fatigue").iterdir()}
    done = dms("simplify", "fatigue", "--engines", engines)
    assert done.exit_code == 0, done.output
    assert "simple already: nothing was touched" in done.output
    assert {path.name: path.read_bytes() for path in (engines / "fatigue").iterdir()} == before


def test_ranges_of_another_model_or_net_are_refused_by_the_files_own_name(
    engines: Path, tmp_path: Path
) -> None:
    table = find_ranges(trained(tmp_path / "other", seed=4), pictures())
    path = tmp_path / "mine.json"
    for wrong, told in ((table, "another fatigue model"), (table.model_copy(update={"net": "face"}), "face")):
        wrong.save(path)
        done = dms("quantize", "fatigue", "--engines", engines, "--ranges", path)
        assert done.exit_code == 5
        assert f"{path}: the ranges are those of" in done.output
        assert told in done.output


@pytest.mark.parametrize(
    "given",
    [
        ["fatigue"],
        ["fatigue", "--data", DATA, "--compare", "--method", "mse"],
        ["fatigue", "--ranges", "x.json", "--data", DATA],
        ["fatigue", "--ranges", "x.json", "--method", "mse"],
        ["fatigue", "--ranges", "x.json", "--compare"],
        ["fatigue", "--ranges", "x.json", "--most", "100"],
        ["all", "--ranges", "x.json"],
    ],
)
def test_options_that_would_be_ignored_are_refused(given: list[str]) -> None:
    done = dms("quantize", *given)
    assert done.exit_code == 2
    assert "Usage: " in done.output


def test_one_sided_pictures_are_refused_unless_allowed(engines: Path) -> None:
    done = dms("quantize", "fatigue", "--data", DATA, "--engines", engines)
    assert done.exit_code == 3
    assert "one-sided: every face is that of one person" in done.output
    assert "--allow-one-sided" in done.output
    assert quantize(engines).exit_code == 0


def test_what_is_missing_is_told_with_the_cure(engines: Path, tmp_path: Path) -> None:
    done = dms("export", "eyes", "--from", tmp_path / "trained", "--engines", engines)
    assert done.exit_code == 5
    assert "no readable model" in done.output
    done = dms("quantize", "fatigue", "--data", tmp_path, "--engines", engines)
    assert done.exit_code == 3


def test_a_package_that_is_not_installed_names_its_extra() -> None:
    program = "import sys; sys.modules['onnxslim'] = None; from dms.cli import main; main()"
    asked = [sys.executable, "-c", program, "engines", "simplify", "fatigue"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "making engines needs onnxslim: pip install 'dms[quantize]'" in done.stderr


def test_the_shipped_engines_are_listed_as_markdown() -> None:
    done = dms("list")
    assert done.exit_code == 0, done.output
    rows = done.stdout.splitlines()
    assert rows[0].startswith("| engine | file | metric |")
    table = rows[: rows.index("")] if "" in rows else rows
    nets = {row.split(" | ")[0].strip("| ") for row in table[2:]}
    assert nets == {"face", "eyes", "fatigue", "distraction"}
    assert all(len(row.split("|")) == len(rows[0].split("|")) for row in table)
    assert "state_auc" not in done.stdout, "metrics are called by their labels"
