"""A verdict of the gate is kept, counts while nothing has changed, and is what `best` means."""

from __future__ import annotations

import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dms.backends import BACKENDS, Options
from dms.backends.trt import plan_name
from dms.control.sensors import NVPMODEL, Sensors
from dms.engines.candidates import record_plans, run_gate
from dms.engines.gate import Conditions, Verdict, chosen_precision, conditions, load_verdict
from dms.engines.manifest import Manifest, load_manifest
from dms.engines.plans import Built, PlanKey, Plans
from dms.errors import EngineUnavailable, InputError
from dms.resources import engines_folder
from tests.unit.control import trees
from tests.unit.engines.gating import scored, with_file


@pytest.fixture
def note(tmp_path: Path) -> Manifest:
    shutil.copytree(engines_folder() / "fatigue", tmp_path / "fatigue")
    return load_manifest(tmp_path / "fatigue")


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
def test_before_any_gate_best_is_the_float_file_and_that_is_told(
    cache: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = Options(cache=tmp_path / cache if cache else None)
    assert chosen_precision(shipped(), "ort", options) == "fp32"
    kept = f" --cache {options.cache}" if cache else ""
    cure = f"run `dms engines build fatigue --backend ort --gate{kept}` with your --config"
    assert f"best means fp32, no gate was run; {cure}" in caplog.text


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"device": "another processor"}, "device was another processor, is "),
        ({"runtime": "onnxruntime 0.1"}, "runtime was onnxruntime 0.1, is onnxruntime"),
        ({"power_mode": "15W"}, "power mode was 15W, is "),
        ({"threads": 4}, "threads was 4, is 1"),
        ({"delegate": "/usr/lib/a.so"}, "delegate was /usr/lib/a.so"),
        ({"gpu": "Orin"}, "gpu was Orin"),
        ({"l4t": "36.4.3"}, "l4t was 36.4.3"),
        ({"max_batch": 4}, "max batch was 4, is 1"),
    ],
)
@pytest.mark.parametrize("chosen", ["int8", "fp32", None])
def test_a_verdict_of_other_conditions_counts_no_more_and_never_means_int8(
    verdict: Verdict,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    changed: dict[str, str | int],
    told: str,
    chosen: str | None,
) -> None:
    then = verdict.conditions.model_copy(update=changed)
    verdict.model_copy(update={"conditions": then, "chosen": chosen}).save(tmp_path)
    assert chosen_precision(shipped(), "ort", Options(cache=tmp_path)) == "fp32"
    assert told in caplog.text
    assert "--gate" in caplog.text


def test_a_verdict_on_other_files_counts_no_more(
    verdict: Verdict, note: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    verdict.save(tmp_path)
    changed = with_file(note, "cpu.int8", b"another")
    assert chosen_precision(changed, "ort", Options(cache=tmp_path)) == "fp32"
    assert "the cpu.int8 file is another one" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}", b'{"version": 2}', b"[1"])
def test_a_damaged_verdict_is_left_aside_and_told(
    verdict: Verdict, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = verdict.save(tmp_path)
    path.write_bytes(content)
    assert chosen_precision(shipped(), "ort", Options(cache=tmp_path)) == "fp32"
    first, second = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert first.startswith(f"{path} is damaged and left aside")
    assert "no gate was run" in second


@pytest.mark.parametrize(
    ("runtime", "precision"), [("trt", "fp16"), ("ort-cuda", "fp16"), ("qnn", "fp16"), ("litert", "fp32")]
)
def test_unknown_is_the_float_file_of_the_runtime(runtime: str, precision: str) -> None:
    assert chosen_precision(shipped(), runtime, Options()) == precision


def test_where_the_float_file_is_not_there_it_is_int8_and_that_is_told(
    note: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    """A wheel holds no LiteRT file in FP32."""
    (note.folder / note.files["lite.fp32"].path).unlink()
    assert chosen_precision(load_manifest(note.folder), "litert", Options()) == "int8"
    assert "best means int8, no gate was run and there is no lite.fp32 file; run" in caplog.text


def on_board(root: Path) -> Conditions:
    return conditions("ort", Options(), Sensors(root))


def test_a_power_mode_that_cannot_be_read_is_no_power_mode(verdict: Verdict, tmp_path: Path) -> None:
    """Neither a verdict found in a known mode counts then, nor one that was found in no known mode."""
    board = trees.orin_nano_jetpack_6(tmp_path / "orin")
    known = verdict.model_copy(update={"conditions": on_board(board)})
    assert known.outdated(shipped(), on_board(board)) == ""
    (board / NVPMODEL).chmod(0o644)
    told = known.outdated(shipped(), on_board(board))
    assert told.startswith("the power mode cannot be read: `nvpmodel -q` must answer")
    unknown = verdict.model_copy(update={"conditions": on_board(board)})
    assert unknown.outdated(shipped(), on_board(board)) == told


def test_what_is_no_jetson_has_no_power_mode_to_be_read(verdict: Verdict, tmp_path: Path) -> None:
    pc = on_board(trees.pc(tmp_path))
    assert (pc.l4t, pc.power_mode) == (None, None)
    assert verdict.model_copy(update={"conditions": pc}).outdated(shipped(), pc) == ""


def package(folder: Path, name: str, content: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(content)


def test_the_library_is_named_that_the_adapter_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT without its libraries raises no ImportError, and one that is too old is passed over."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    package(tmp_path, "tensorrt", "raise OSError('libnvinfer.so.10: cannot open shared object file')")
    package(tmp_path, "tensorrt_rtx", "__version__ = '1.2.3'")
    assert conditions("trt", Options()).runtime == "tensorrt_rtx 1.2.3"
    package(tmp_path, "shared", "raise OSError('libonnx.so: cannot open shared object file')")
    monkeypatch.setitem(BACKENDS, "ort", replace(BACKENDS["ort"], packages=("shared",)))
    told = conditions("ort", Options()).runtime
    assert told == "shared that cannot be imported (libonnx.so: cannot open shared object file)"


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
