from __future__ import annotations

import errno
from pathlib import Path

import onnx
import pytest

from dms.backends import open_backend
from dms.engines import release
from dms.engines.manifest import check_signature, load_manifest
from dms.engines.ranges import find_ranges
from dms.engines.storage import read_model
from dms.engines.table import RANGES, load_ranges
from dms.errors import EngineMismatch, EngineMissing, InputError
from tests.unit.engines.tiny import pictures, tiny_net, trained

HEAD = ("/net/head/Gemm",)


@pytest.fixture
def engines(tmp_path: Path) -> Path:
    release.place("fatigue", trained(tmp_path / "trained"), tmp_path / "engines", ["mine"])
    return tmp_path / "engines"


@pytest.fixture
def whole(engines: Path) -> Path:
    table = find_ranges(engines / "fatigue" / "model.onnx", pictures())
    release.place_int8("fatigue", engines, table, HEAD)
    return engines


def test_a_placed_engine_loads_with_both_float_files(engines: Path) -> None:
    note = load_manifest(engines / "fatigue")
    assert set(note.files) == {"fp32", "fp16"}
    assert (note.trained_on, note.training_commit) == (("mine",), "abc123")
    assert note.tools["onnxslim"]
    images = pictures(4)
    outputs = []
    for precision in note.files:
        backend = open_backend("ort", note.verified_path(precision))
        check_signature(backend.inputs, backend.outputs, note)
        outputs.append(backend.infer({"image": images})["state"])
    assert outputs[1] == pytest.approx(outputs[0], abs=5e-3)
    assert (engines / "fatigue" / "training.csv").read_text() == "step\n1\n"


def test_simplifying_drops_idle_nodes_and_changes_nothing(tmp_path: Path) -> None:
    path = trained(tmp_path / "trained")
    found = release.place("fatigue", path, tmp_path / "engines")
    assert found.nodes_after < found.nodes_before == len(tiny_net().graph.node)
    assert found.difference < 1e-5
    kept = release.place("fatigue", path, tmp_path / "other", slim=False)
    assert kept.nodes_after == kept.nodes_before


def test_both_int8_files_join_with_their_ranges(whole: Path) -> None:
    note = load_manifest(whole / "fatigue")
    assert set(note.files) == {"fp32", "fp16", "cpu.int8", "trt.int8", "qnn.int8"}
    assert note.float_nodes == HEAD
    table = load_ranges(whole / "fatigue" / RANGES)
    assert note.calibration["data_sha256"] == table.data_sha256
    for precision in note.files:
        backend = open_backend("ort", note.verified_path(precision))
        check_signature(backend.inputs, backend.outputs, note)
    assert not [p.name for p in (whole / "fatigue").iterdir() if "partial" in p.name]


def test_a_new_float_model_takes_the_old_int8_files_away(whole: Path, tmp_path: Path) -> None:
    release.place("fatigue", trained(tmp_path / "second", seed=9), whole)
    assert set(load_manifest(whole / "fatigue").files) == {"fp32", "fp16"}
    assert not list((whole / "fatigue").glob("*int8*"))
    assert not (whole / "fatigue" / RANGES).exists()
    assert load_manifest(whole / "fatigue").trained_on == ("mine",)


def test_ranges_of_the_older_model_are_refused_and_nothing_changes(whole: Path, tmp_path: Path) -> None:
    old = load_ranges(whole / "fatigue" / RANGES)
    release.place("fatigue", trained(tmp_path / "second", seed=9), whole)
    before = (whole / "fatigue" / "manifest.json").read_bytes()
    with pytest.raises(EngineMismatch, match="another fatigue model"):
        release.place_int8("fatigue", whole, old, HEAD)
    assert (whole / "fatigue" / "manifest.json").read_bytes() == before


def test_a_full_disk_leaves_the_old_engine_whole(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, real = [], Path.write_bytes

    def fills_up(path: Path, content: bytes) -> int:
        written.append(path)
        if len(written) == 2:
            real(path, content[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, content)

    second = trained(tmp_path / "second", seed=9)
    before = {p.name: p.read_bytes() for p in (whole / "fatigue").iterdir()}
    monkeypatch.setattr(Path, "write_bytes", fills_up)
    with pytest.raises(InputError, match=r"model\.fp16\.onnx: No space left .* unchanged"):
        release.place("fatigue", second, whole)
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in (whole / "fatigue").iterdir()} == before
    load_manifest(whole / "fatigue").verified_path("cpu.int8")


def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fatigue" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(EngineMismatch, match="no ONNX file"):
        release.place("fatigue", path, tmp_path / "engines")
    with pytest.raises(EngineMissing, match="no readable model"):
        read_model(tmp_path / "gone.onnx", "fatigue")


def test_an_onnx_of_another_net_is_refused_with_what_it_takes(tmp_path: Path) -> None:
    path = trained(tmp_path / "trained")
    with pytest.raises(EngineMismatch, match=r"no distraction engine: it takes .*96, 96.* gives .*state"):
        release.place("distraction", path, tmp_path / "engines")
    net = tiny_net()
    net.graph.output[0].name = "logits"
    onnx.save(net, str(path))
    with pytest.raises(EngineMismatch, match=r"gives .*logits"):
        release.place("fatigue", path, tmp_path / "engines")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    path = trained(tmp_path / "trained")
    (tmp_path / "engines").write_text("a file")
    with pytest.raises(InputError, match="cannot make the folder"):
        release.place("fatigue", path, tmp_path / "engines")


def test_simplifying_what_is_simple_touches_nothing(whole: Path) -> None:
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (whole / "fatigue").iterdir()}
    found = release.place("fatigue", whole / "fatigue" / "model.onnx", whole)
    assert not found.changed
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (whole / "fatigue").iterdir()} == before
    assert set(load_manifest(whole / "fatigue").files) == {"fp32", "fp16", "cpu.int8", "trt.int8", "qnn.int8"}


def test_the_engines_own_file_can_be_simplified_later(tmp_path: Path) -> None:
    engines = tmp_path / "engines"
    release.place("fatigue", trained(tmp_path / "trained"), engines, ["mine"], slim=False)
    found = release.place("fatigue", engines / "fatigue" / "model.onnx", engines)
    assert found.changed
    assert found.nodes_after < found.nodes_before
    note = load_manifest(engines / "fatigue")
    assert (note.trained_on, note.training_commit) == (("mine",), "abc123")
    assert (engines / "fatigue" / "training.csv").read_text() == "step\n1\n"
