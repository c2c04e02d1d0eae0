"""The gate on the device: both files really run and are timed; a verdict counts while nothing has changed."""

from __future__ import annotations

import hashlib
import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from dms.backends import Options
from dms.backends.trt import plan_name
from dms.engines.candidates import Judge, decide, precisions, record_plans, run_gate
from dms.engines.gate import (
    Candidate,
    Figures,
    SpeedUp,
    Verdict,
    chosen_precision,
    conditions,
    load_verdict,
)
from dms.engines.manifest import DataNote, Manifest, load_manifest, rewrite
from dms.engines.plans import Built, PlanKey, Plans
from dms.engines.running import Infer, Task
from dms.errors import EngineMismatch, EngineUnavailable, InputError
from dms.resources import engines_folder
from tests.unit.engines.tiny import pictures

IMAGES = pictures(16)
DATA = DataNote(name="mine", sha256="0" * 64, pictures=16)
STILL = Judge(Task(lambda infer: {"auc": 0.9 + 0 * float(infer(IMAGES)["state"][0, 0])}, "auc", 1), DATA)
"""Every file that runs is equally good."""


@pytest.fixture
def note(tmp_path: Path) -> Manifest:
    shutil.copytree(engines_folder() / "fatigue", tmp_path / "fatigue")
    return load_manifest(tmp_path / "fatigue")


def with_file(note: Manifest, artefact: str, content: bytes) -> Manifest:
    """The engine with another file in the place of one, and a manifest that vouches for it."""
    file = note.files[artefact]
    (note.folder / file.path).write_bytes(content)
    told = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    rewrite(note.folder, files={**note.files, artefact: file.model_copy(update=told)})
    return load_manifest(note.folder)


def scored(*values: float) -> Judge:
    """The reference, the float file and INT8 score these, in this order."""
    left = iter(values)

    def measure(infer: Infer) -> dict[str, float]:
        infer(IMAGES)
        return {"auc": next(left)}

    return Judge(Task(measure, "auc", 1), DATA)


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
    monkeypatch.setitem(sys.modules["dms.engines.candidates"].FLOATS, "ort", "fp8")
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
    assert {name: precisions(name)[0] for name in ("trt", "ort-cuda", "ort", "openvino", "litert")} == {
        "trt": "fp16",
        "ort-cuda": "fp16",
        "ort": "fp32",
        "openvino": "fp32",
        "litert": "fp32",
    }


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return run_gate(load_manifest(engines_folder() / "fatigue"), "ort", Options(), scored(0.95, 0.95, 0.90))


def shipped() -> Manifest:
    return load_manifest(engines_folder() / "fatigue")


def test_a_verdict_is_kept_and_read_again(verdict: Verdict, tmp_path: Path) -> None:
    path = verdict.save(tmp_path / "new" / "cache")
    assert path == tmp_path / "new/cache/gate/fatigue.ort.json"
    assert load_verdict(tmp_path / "new/cache", "fatigue", "ort") == verdict
    assert [p.name for p in path.parent.iterdir()] == ["fatigue.ort.json"]
    assert load_verdict(tmp_path, "fatigue", "openvino") is None


def test_best_is_what_the_gate_chose(
    verdict: Verdict, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    verdict.save(tmp_path)
    assert chosen_precision(shipped(), "ort", Options(cache=tmp_path)) == "fp32"
    assert caplog.records == []


@pytest.mark.parametrize("cache", [None, "empty"])
def test_before_any_gate_best_is_int8_and_that_is_told(
    cache: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = Options(cache=tmp_path / cache if cache else None)
    assert chosen_precision(shipped(), "ort", options) == "int8"
    assert "no gate was run; run `dms engines build fatigue --backend ort --gate`" in caplog.text


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"device": "another processor"}, "device was another processor, is "),
        ({"runtime": "onnxruntime 0.1"}, "runtime was onnxruntime 0.1, is onnxruntime"),
        ({"power_mode": "15W"}, "power mode was 15W, is "),
        ({"threads": 4}, "threads was 4, is 1"),
        ({"delegate": "/usr/lib/a.so"}, "delegate was /usr/lib/a.so"),
        ({"gpu": "Orin"}, "gpu was Orin"),
    ],
)
def test_a_verdict_of_other_conditions_counts_no_more(
    verdict: Verdict,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    changed: dict[str, str | int],
    told: str,
) -> None:
    then = verdict.conditions.model_copy(update=changed)
    verdict.model_copy(update={"conditions": then}).save(tmp_path)
    assert chosen_precision(shipped(), "ort", Options(cache=tmp_path)) == "int8"
    assert told in caplog.text
    assert "--gate" in caplog.text


def test_a_verdict_on_other_files_counts_no_more(
    verdict: Verdict, note: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    verdict.save(tmp_path)
    changed = with_file(note, "cpu.int8", b"another")
    assert chosen_precision(changed, "ort", Options(cache=tmp_path)) == "int8"
    assert "the cpu.int8 file is another one" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}", b'{"version": 2}', b"[1"])
def test_a_damaged_verdict_is_left_aside_and_told(
    verdict: Verdict, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = verdict.save(tmp_path)
    path.write_bytes(content)
    assert chosen_precision(shipped(), "ort", Options(cache=tmp_path)) == "int8"
    first, second = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert first.startswith(f"{path} is damaged and left aside")
    assert "no gate was run" in second


def test_a_folder_in_the_verdicts_place_is_left_aside_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "gate" / "fatigue.ort.json").mkdir(parents=True)
    assert load_verdict(tmp_path, "fatigue", "ort") is None
    assert "is damaged" in caplog.text


def test_where_nothing_passed_best_is_refused(verdict: Verdict, tmp_path: Path) -> None:
    none = verdict.model_copy(update={"chosen": None, "reason": "int8 loses 5 points; fp32 loses 6 points"})
    none.save(tmp_path)
    with pytest.raises(EngineUnavailable, match="failed the gate on this device: int8 loses 5 points"):
        chosen_precision(shipped(), "ort", Options(cache=tmp_path))


def test_a_cache_that_is_a_file_is_a_typed_error(verdict: Verdict, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(InputError, match=r"cache/gate: Not a directory; choose another folder by --cache"):
        verdict.save(tmp_path / "cache")


KEY = PlanKey(
    onnx_sha256="0",
    flavour="tensorrt",
    version="10.3",
    cuda="12.6",
    driver="12.6",
    gpu="Orin",
    compute_capability=87,
    multiprocessors=8,
    l4t="36.4.3",
    power_mode="MAXN",
    options={},
)


def test_what_was_measured_of_a_plan_comes_into_its_note(verdict: Verdict, tmp_path: Path) -> None:
    """The plan of FP32 is kept, the other one could not be: that is no error."""
    options = Options(cache=tmp_path)
    plans, name = Plans(tmp_path, options.told), plan_name(shipped().verified_path("fp32"), 1)
    plans.load(name, KEY, bytes, lambda timing: Built(b"a plan"))
    record_plans(verdict, shipped(), options)
    before = plans.note(name)
    assert before is not None
    assert before.p50_ms is None  # it is no verdict on TensorRT
    record_plans(verdict.model_copy(update={"runtime": "trt"}), shipped(), options)
    found, figures = plans.note(name), verdict.candidates[0].figures
    assert found is not None
    assert figures is not None
    assert (found.p50_ms, found.p95_ms, found.loss_points) == (figures.p50_ms, figures.p95_ms, 0.0)
    assert found.key == KEY
