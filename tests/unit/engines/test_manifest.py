from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dms.backends import BACKENDS, TensorSpec, emulated, open_backend
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import NAME, check_signature, contract_specs, load_manifest, rewrite
from dms.errors import EngineMismatch, EngineMissing
from dms.resources import engines_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(engines_folder() / "fatigue", tmp_path / "fatigue"))


def edit(folder: Path, **changes: object) -> None:
    note = json.loads((folder / NAME).read_text())
    (folder / NAME).write_text(json.dumps(note | changes))


@pytest.mark.parametrize("net", CONTRACTS)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "cpu.int8", "trt.int8"])
def test_shipped_engines_are_what_their_manifests_say(net: str, precision: str) -> None:
    manifest = load_manifest(engines_folder() / net)
    backend = open_backend("ort", manifest.verified_path(precision))
    check_signature(backend.inputs, backend.outputs, manifest)
    assert manifest.net == net
    assert manifest.folder == engines_folder() / net
    assert manifest.metrics[precision]


def test_a_folder_without_manifest_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="no readable engine manifest"):
        load_manifest(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b'{"net": "fatigue"}', b"[]", b"\0", b'{"net": "\xff"}'])
def test_a_damaged_manifest_is_refused_in_one_line(folder: Path, text: bytes) -> None:
    (folder / NAME).write_bytes(text)
    with pytest.raises(EngineMismatch, match="is damaged: ") as refused:
        load_manifest(folder)
    assert "pydantic" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_field_that_is_wrong_is_named(folder: Path) -> None:
    edit(folder, files={"int8": {"path": "x", "sha256": "0", "bytes": "many"}})
    with pytest.raises(EngineMismatch, match=r"damaged: files\.int8\.bytes: Input should be a valid integer"):
        load_manifest(folder)


def test_an_unknown_key_is_refused(folder: Path) -> None:
    edit(folder, surprise=1)
    with pytest.raises(EngineMismatch, match="surprise"):
        load_manifest(folder)


def test_an_unknown_precision_names_the_known_ones(folder: Path) -> None:
    with pytest.raises(EngineMissing, match=r"only .*fp32"):
        load_manifest(folder).verified_path("fp8")


@pytest.mark.parametrize(("backend", "form"), [("ort", "cpu.int8"), ("openvino", "trt.int8")])
def test_int8_means_the_form_made_for_the_runtime(folder: Path, backend: str, form: str) -> None:
    files = json.loads((folder / NAME).read_text())["files"]
    file = next(f for name, f in files.items() if "int8" in name)
    edit(folder, files={"fp32": files["fp32"], "cpu.int8": file, "trt.int8": file})
    manifest = load_manifest(folder)
    assert manifest.precision_for("int8", backend) == form
    assert manifest.precision_for("fp32", backend) == "fp32"
    assert manifest.precision_for("cpu.int8", backend) == "cpu.int8"


def test_a_runtime_reads_the_files_of_its_format() -> None:
    note = load_manifest(engines_folder() / "fatigue")
    lite = tuple(name for name in note.files if name.startswith("lite."))
    assert note.readable("litert") == lite != ()
    assert note.readable("trt") == note.readable("ort") == tuple(p for p in note.files if p not in lite)


@pytest.mark.parametrize(("machine", "imitates"), [("x86_64", ["qnn"]), ("aarch64", [])])
def test_hexagon_is_only_imitated_on_a_pc(
    machine: str, imitates: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert [name for name in BACKENDS if emulated(name)] == imitates


def test_a_manifest_is_rewritten_whole(folder: Path) -> None:
    before = load_manifest(folder)
    rewrite(folder, measured_on="a machine")
    after = load_manifest(folder)
    assert after.measured_on == "a machine"
    assert after.files == before.files


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    with pytest.raises(EngineMissing, match=r"model\.onnx is missing"):
        load_manifest(folder).verified_path("fp32")


def test_a_truncated_file_is_refused(folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EngineMismatch, match="bytes, its manifest says"):
        load_manifest(folder).verified_path("fp32")


def test_a_changed_byte_is_refused(folder: Path) -> None:
    path = folder / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(EngineMismatch, match="SHA-256"):
        load_manifest(folder).verified_path("fp32")


def test_there_is_no_contract_of_an_unknown_net() -> None:
    with pytest.raises(EngineMismatch, match="no engine of this software"):
        contract_specs("gaze")


def test_another_engines_folder_is_refused(folder: Path) -> None:
    edit(folder, net="distraction")
    with pytest.raises(EngineMismatch, match="describes the engine 'distraction'"):
        load_manifest(folder)


def test_a_manifest_of_another_contract_is_refused(folder: Path) -> None:
    edit(folder, inputs=[{"name": "image", "shape": [None, 1, 64, 64], "dtype": "uint8"}])
    with pytest.raises(EngineMismatch, match="expected"):
        load_manifest(folder)


def test_a_file_of_another_net_is_refused() -> None:
    manifest = load_manifest(engines_folder() / "fatigue")
    other = open_backend("ort", engines_folder() / "distraction" / "model.cpu.int8.onnx")
    with pytest.raises(EngineMismatch, match="another net"):
        check_signature(other.inputs, other.outputs, manifest)


@pytest.mark.parametrize("batch", [None, 1])
def test_only_the_batch_is_free(batch: int | None) -> None:
    manifest = load_manifest(engines_folder() / "fatigue")
    outputs = {s.name: s for s in contract_specs("fatigue")[1]}
    image = TensorSpec("image", (batch, 1, 96, 96), "uint8")
    check_signature({"image": image}, outputs, manifest)
    wide = TensorSpec("image", (batch, 1, 96, 128), "uint8")
    with pytest.raises(EngineMismatch, match="image"):
        check_signature({"image": wide}, outputs, manifest)


def test_what_a_wheel_leaves_out_does_not_count_what_is_lost_does(tmp_path: Path) -> None:
    folder = tmp_path / "fatigue"
    shutil.copytree(engines_folder() / "fatigue", folder)
    (folder / "model.tflite").unlink()
    (folder / "model.int8.tflite").unlink()
    note = load_manifest(folder)
    assert "lite.fp32" not in note.files
    with pytest.raises(EngineMissing, match=r"model\.int8\.tflite is missing"):
        note.verified_path("lite.int8")
