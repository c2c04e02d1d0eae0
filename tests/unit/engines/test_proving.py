"""Proofs of every file against FP32, and where they come to be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dms.backends import Backend, open_backend
from dms.engines import listing, release
from dms.engines import verify as verifying
from dms.engines.manifest import DataNote, load_manifest
from dms.engines.ranges import observe
from dms.engines.running import Task, infer_with, over_batches
from dms.engines.storage import read_model
from dms.engines.table import RANGES
from dms.engines.verify import Prover, Verified, record, speeds_text, text, to_dict
from dms.errors import EngineMismatch, EngineMissing, EngineUnavailable, InputError
from tests.unit.engines.tiny import pictures, tiny_net, trained

IMAGES = pictures()
DATA = DataNote(name="mine", sha256="0" * 64, pictures=80)


def verify(folder: Path, images: np.ndarray, task: Task, data: DataNote, **how: float) -> Verified:
    return Prover(folder, images, task, data, **how).prove("ort")


@pytest.fixture
def engines(tmp_path: Path) -> Path:
    release.place("fatigue", trained(tmp_path / "trained"), tmp_path / "engines")
    model = read_model(tmp_path / "engines/fatigue/model.onnx", "fatigue")
    table = observe(model, "fatigue", IMAGES).table("minmax")
    release.place_int8("fatigue", tmp_path / "engines", table, ("/net/head/Gemm",))
    return tmp_path / "engines"


def test_none_is_inferred_as_none(engines: Path) -> None:
    path = engines / "fatigue" / "model.onnx"
    for infer in (infer_with(path.read_bytes()), over_batches(open_backend("ort", path))):
        assert infer(IMAGES[:0])["state"].shape == (0, 5)
        assert infer(IMAGES[:20])["state"].shape == (20, 5)


def test_every_file_is_proved_against_fp32(engines: Path, task: Task) -> None:
    found = verify(engines / "fatigue", IMAGES, task, DATA, limit_points=5)
    assert set(found.proofs) == {"fp16", "cpu.int8", "trt.int8", "qnn.int8"}
    assert found.passed
    assert found.skipped == {}
    assert all(proof.data == DATA for proof in found.proofs.values())
    assert found.proofs["fp16"].loss_points < found.proofs["trt.int8"].loss_points
    error = found.proofs["cpu.int8"].outputs["state"]
    assert 0 < error.mean_error < error.max_error < 0.2
    assert error.spread == pytest.approx(
        float(infer_with(tiny_net().SerializeToString())(IMAGES)["state"].std()), rel=0.01
    )
    assert "lost" in text("fatigue", "ort", found)
    told = speeds_text({("ort", "fp32"): 0.5, ("ort", "fp16"): 0.25})
    assert told == "  ms on ONNX Runtime: fp32 0.50, fp16 0.25"


def test_the_gate_fails_what_loses_more(engines: Path, task: Task) -> None:
    found = verify(engines / "fatigue", IMAGES, task, DATA, limit_points=0.0)
    assert not found.proofs["trt.int8"].passed
    assert not found.passed
    assert "FAILED: more than 0 points" in text("fatigue", "ort", found)


def test_only_the_form_made_for_another_runtime_may_be_refused(
    engines: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(name: str, path: Path) -> Backend:
        if refused in path.name:
            raise EngineMismatch(f"{path.name}: cannot load it")
        return open_backend(name, path)

    monkeypatch.setattr(verifying, "open_backend", refuses)
    refused = "trt.int8"
    found = verify(engines / "fatigue", IMAGES, task, DATA, limit_points=5)
    assert set(found.proofs) == {"fp16", "cpu.int8", "qnn.int8"}
    assert found.skipped == {"trt.int8": "model.trt.int8.onnx: cannot load it"}
    assert "trt.int8  skipped: model.trt" in text("fatigue", "ort", found)
    assert set(to_dict(found)) == {"proofs", "skipped", "refused"}
    refused = "cpu.int8"
    with pytest.raises(EngineMismatch, match="cannot load it"):
        verify(engines / "fatigue", IMAGES, task, DATA)


def test_a_file_that_its_own_runtime_refuses_fails_the_proof(
    engines: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would run was not proved; of what is never run there, nothing is asked."""

    def lacks(name: str, path: Path) -> Backend:
        if path.name in refused:
            raise EngineUnavailable("there is no kernel for it")
        return open_backend(name, path)

    prover = Prover(engines / "fatigue", IMAGES, task, DATA, limit_points=5)
    monkeypatch.setattr(verifying, "open_backend", lacks)
    refused = ["model.trt.int8.onnx"]
    found = prover.prove("ort")
    assert (found.passed, found.refused) == (True, {})
    assert found.skipped == {"trt.int8": "there is no kernel for it"}
    refused = ["model.cpu.int8.onnx"]
    found = prover.prove("ort")
    assert (found.passed, found.skipped) == (False, {})
    assert found.refused == to_dict(found)["refused"] == {"cpu.int8": "there is no kernel for it"}
    assert "  cpu.int8  REFUSED: there is no kernel for it" in text("fatigue", "ort", found).splitlines()
    assert set(found.proofs) == {"fp16", "trt.int8", "qnn.int8"}
    refused = [f"model.{p}.onnx" for p in ("fp16", "cpu.int8", "trt.int8", "qnn.int8")]
    with pytest.raises(EngineUnavailable, match=r"^there is no kernel for it$"):
        prover.prove("ort")


def test_openvino_proves_both_int8_forms(engines: Path, task: Task) -> None:
    pytest.importorskip("openvino", reason="the extra `intel` is not installed")
    found = Prover(engines / "fatigue", IMAGES, task, DATA, limit_points=5).prove("openvino")
    assert set(found.proofs) | set(found.skipped) == {"fp32", "fp16", "cpu.int8", "trt.int8", "qnn.int8"}
    assert set(found.skipped) <= {"cpu.int8", "qnn.int8"}
    assert found.proofs["fp32"].loss_points == pytest.approx(0, abs=0.01)


def test_changed_or_missing_ranges_are_refused(engines: Path, task: Task) -> None:
    path = engines / "fatigue" / RANGES
    path.write_text(path.read_text() + " ")
    with pytest.raises(EngineMismatch, match="was changed"):
        verify(engines / "fatigue", IMAGES, task, DATA)
    path.unlink()
    with pytest.raises(EngineMissing, match="is missing"):
        verify(engines / "fatigue", IMAGES, task, DATA)


@pytest.mark.parametrize("precision", ["fp16", "trt.int8"])
def test_a_changed_artefact_is_refused(engines: Path, task: Task, precision: str) -> None:
    path = engines / "fatigue" / f"model.{precision}.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(EngineMismatch, match="SHA-256"):
        verify(engines / "fatigue", IMAGES, task, DATA)


def test_proofs_that_do_not_say_on_what_data_are_dropped(engines: Path, task: Task) -> None:
    folder = engines / "fatigue"
    record(folder, {"ort": verify(folder, IMAGES, task, DATA)})
    assert load_manifest(folder).proofs["fp16"]["ort"].data == DATA
    note = json.loads((folder / "manifest.json").read_text())
    del note["proofs"]["fp16"]["ort"]["data"]
    (folder / "manifest.json").write_text(json.dumps(note))
    proofs = load_manifest(folder).proofs
    assert proofs["fp16"] == {}
    assert set(proofs["cpu.int8"]) == {"ort"}


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fatigue is the only engine there is."""
    monkeypatch.setattr(listing, "CONTRACTS", {"fatigue": None})


@pytest.mark.usefixtures("alone")
def test_proofs_and_speeds_come_into_the_list(engines: Path, task: Task) -> None:
    folder = engines / "fatigue"
    proved = verify(folder, IMAGES, task, DATA, limit_points=5)
    record(folder, {"ort": proved}, {("ort", "cpu.int8"): 0.12345678})
    assert load_manifest(folder).speed_ms == {"ort": {"cpu.int8": 0.1235}}
    rows = listing.rows(engines, {"fatigue": "likeness"})
    assert [row["precision"] for row in rows] == ["fp32", "fp16", "cpu.int8", "trt.int8", "qnn.int8"]
    proofs = proved.proofs
    assert rows[0]["value"] == proofs["fp16"].before == pytest.approx(1, abs=1e-3)
    assert rows[2]["value"] == proofs["cpu.int8"].after
    table = listing.markdown(rows).splitlines()
    assert table[4].startswith("| fatigue | cpu.int8 | likeness |")
    assert table[4].endswith(f"| {proofs['cpu.int8'].loss_points:+.2f}, 0.12 ms |")
    assert table[2].endswith("| – |")
    assert table[-1].startswith("Measured on `mine` (80 pictures, SHA-256 000000000000)")


@pytest.mark.usefixtures("alone")
def test_a_loss_in_another_metric_than_the_one_shown_says_so(engines: Path, task: Task) -> None:
    folder = engines / "fatigue"
    record(folder, {"ort": verify(folder, IMAGES, task, DATA)})
    rows = listing.rows(engines, {"fatigue": "auc"}, lambda net, metric: f"the {metric} of {net}")
    assert {row["value"] for row in rows} == {None}
    table = listing.markdown(rows)
    assert "| fatigue | fp16 | the auc of fatigue | – | " in table
    assert "in the gate's metric, which is for fatigue: the likeness of fatigue." in table


@pytest.mark.usefixtures("alone")
def test_the_list_takes_intervals_measured_on_these_very_files(engines: Path) -> None:
    interval = {"value": 0.99, "low": 0.98, "high": 1.0, "n": 9}
    speed = {"value": 0.5, "low": None, "high": None, "n": 1}
    figures = {"fp32": {"auc": interval, "ms_ort": speed}, "fp16": {"auc": interval}, "cpu.int8": {}}
    files = load_manifest(engines / "fatigue").files
    hashes = {precision: file.sha256 for precision, file in files.items()}
    published = {
        "data": DATA.model_dump(),
        "files": {"fatigue": hashes | {"fp16": "0" * 64}},
        "engines": {"fatigue": figures},
    }
    (engines / "metrics.json").write_text(json.dumps(published))
    rows = listing.rows(engines, {"fatigue": "auc"})
    table = listing.markdown(rows).splitlines()
    assert table[2].startswith("| fatigue | fp32 | auc | 99.0 % (98.0 to 100.0) |")
    assert table[2].endswith("| 0.50 ms |")
    assert [row["value"] for row in rows] == [0.99, None, None, None, None]
    assert table[-1] == f"Measured on {DATA}."


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("text", ["", "[]", '{"fatigue": {"fp32": {"auc": {"value": 0.5}}}}'])
def test_figures_of_an_older_form_are_left_out(engines: Path, text: str) -> None:
    (engines / "metrics.json").write_text(text)
    assert {row["value"] for row in listing.rows(engines, {"fatigue": "auc"})} == {None}


def test_tables_are_written_between_their_marks(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("a\n<!-- methods -->\nold\n<!-- /methods -->\nz\n")
    assert listing.update(path, {"methods": "| new \\1 |", "engines": "|"}) == ["methods"]
    assert path.read_text() == "a\n<!-- methods -->\n| new \\1 |\n<!-- /methods -->\nz\n"
    with pytest.raises(InputError, match="no place for a table"):
        listing.update(path, {"engines": "|"})
    with pytest.raises(InputError, match="cannot read"):
        listing.update(tmp_path / "gone.md", {})
