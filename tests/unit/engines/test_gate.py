"""The gate on the device: both files really run and are timed, and one of them is chosen."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dms.backends import BACKENDS, Options
from dms.engines.candidates import decide, precisions, run_gate
from dms.engines.gate import Candidate, Figures, SpeedUp, conditions
from dms.engines.manifest import Manifest, load_manifest
from dms.errors import EngineMismatch, EngineUnavailable
from dms.resources import engines_folder
from tests.unit.engines.gating import STILL, scored, with_file


@pytest.fixture
def note(tmp_path: Path) -> Manifest:
    shutil.copytree(engines_folder() / "fatigue", tmp_path / "fatigue")
    return load_manifest(tmp_path / "fatigue")


def test_int8_is_taken_where_it_is_faster_and_as_good(note: Manifest) -> None:
    """In FP32's place lies the form that ONNX Runtime is slow with on every processor."""
    note = with_file(note, "fp32", note.verified_path("trt.int8").read_bytes())
    steps: list[str] = []
    found = run_gate(note, "ort", Options(told=steps.append), STILL)
    assert (found.chosen, found.net, found.runtime) == ("int8", "fatigue", "ort")
    assert found.speed_up is not None
    assert 1.02 < found.speed_up.low <= found.speed_up.median <= found.speed_up.high
    full, small = found.candidates
    assert (full.precision, full.artefact, full.sha256) == ("fp32", "fp32", note.files["fp32"].sha256)
    assert (small.artefact, small.sha256) == ("cpu.int8", note.files["cpu.int8"].sha256)
    assert full.figures is not None
    assert small.figures is not None
    assert 0 < small.figures.p50_ms < full.figures.p50_ms <= full.figures.p95_ms
    assert found.conditions == conditions("ort", Options())
    assert "times as fast as fp32" in found.reason
    assert steps[-1] == "timing both in turns"


def test_a_slower_int8_is_left_though_it_is_as_good(note: Manifest) -> None:
    """ONNX Runtime computes TensorRT's form right, but slower than FP32."""
    slow = with_file(note, "cpu.int8", note.verified_path("trt.int8").read_bytes())
    found = run_gate(slow, "ort", Options(), STILL)
    assert found.chosen == "fp32"
    assert found.speed_up is not None
    assert found.speed_up.median < 1
    assert "int8 is not surely faster" in found.reason


def test_the_same_file_twice_is_not_faster_than_itself(note: Manifest) -> None:
    same = with_file(note, "cpu.int8", note.verified_path("fp32").read_bytes())
    assert run_gate(same, "ort", Options(), STILL).chosen == "fp32"


def test_int8_that_loses_too_much_is_left_though_it_is_faster(note: Manifest) -> None:
    found = run_gate(note, "ort", Options(), scored(0.95, 0.95, 0.94))
    assert (found.chosen, found.reason) == ("fp32", "int8 loses 1.00 points, more than 0.3")
    assert found.candidates[1].figures is not None
    assert found.candidates[1].figures.loss_points == 1.0
    assert found.reference == 0.95


def test_none_passes_where_the_float_file_loses_as_well(note: Manifest) -> None:
    found = run_gate(note, "ort", Options(), scored(0.95, 0.90, 0.94))
    assert found.chosen is None
    assert found.reason == "int8 loses 1.00 points, more than 0.3; fp32 loses 5.00 points, more than 0.3"


def test_int8_that_does_not_open_leaves_the_float_file_with_the_reason(note: Manifest) -> None:
    found = run_gate(with_file(note, "cpu.int8", b"no engine"), "ort", Options(), STILL)
    assert found.chosen == "fp32"
    assert found.reason.startswith("int8 does not run here: ")
    assert "ONNX Runtime cannot load it" in found.reason
    assert found.speed_up is None
    assert found.candidates[1].figures is None


def test_a_float_file_that_does_not_exist_leaves_int8(
    note: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKENDS, "ort", replace(BACKENDS["ort"], float_precision="fp8"))
    found = run_gate(note, "ort", Options(), STILL)
    assert (found.chosen, found.reason) == ("int8", "fp8 does not run here: there is no fp8 file")
    assert found.candidates[0].sha256 is None


def test_a_file_that_computes_no_numbers_is_refused(note: Manifest) -> None:
    import onnx

    model = onnx.load(note.verified_path("fp32"))
    for weight in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype in (np.float16, np.float32) and values.ndim > 1:
            poisoned = onnx.numpy_helper.from_array(np.full_like(values, np.nan), weight.name)
            weight.CopyFrom(poisoned)
    found = run_gate(with_file(note, "cpu.int8", model.SerializeToString()), "ort", Options(), STILL)
    assert found.chosen == "fp32"
    assert "holds NaN" in found.candidates[1].refused


def test_nothing_that_opens_is_a_typed_error(note: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineUnavailable, match=r"no precision on OpenVINO here\. fp32: .*int8: ") as told:
        run_gate(note, "openvino", Options(), STILL)
    assert "dms[intel]" in str(told.value)


def test_a_changed_file_is_no_verdict_on_the_device(note: Manifest) -> None:
    (note.folder / note.files["cpu.int8"].path).write_bytes(b"?" * note.files["cpu.int8"].bytes)
    with pytest.raises(EngineMismatch, match="SHA-256"):
        run_gate(note, "ort", Options(), STILL)


def figures(loss_points: float) -> Figures:
    return Figures(p50_ms=1.0, p95_ms=1.0, score=0.9, loss_points=loss_points)


@pytest.mark.parametrize(
    ("full", "small", "low", "chosen"),
    [
        (0.0, 0.3, 1.5, "int8"),
        (0.0, 0.31, 1.5, "fp16"),
        (0.0, 0.0, 1.02, "fp16"),
        (0.0, 0.0, 0.5, "fp16"),
        (0.4, 0.0, 0.5, "int8"),
        (0.4, 0.4, 1.5, None),
        (0.0, -2.0, 1.03, "int8"),
    ],
)
def test_faster_and_sound_or_not_at_all(full: float, small: float, low: float, chosen: str | None) -> None:
    def candidate(precision: str, loss_points: float) -> Candidate:
        return Candidate(precision=precision, artefact=precision, sha256="0", figures=figures(loss_points))

    speed_up = SpeedUp(median=low + 0.01, low=low, high=low + 0.02)
    found, reason = decide(candidate("fp16", full), candidate("int8", small), speed_up, 0.3)
    assert found == chosen
    assert reason


def test_accelerators_are_offered_fp16_and_processors_fp32() -> None:
    assert {name: precisions(name)[0] for name in BACKENDS} == {
        "trt": "fp16",
        "ort-cuda": "fp16",
        "ort-tensorrt": "fp16",
        "qnn": "fp16",
        "ort": "fp32",
        "openvino": "fp32",
        "litert": "fp32",
    }
