"""The engines' files, what the gate found, kept plans, and on which runtime each really opens."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest
from onnx import TensorProto, helper

from dms.backends.cuda.memory import Choice
from dms.backends.cuda.runtime import DeviceInfo
from dms.backends.trt import plan_key, plan_name
from dms.backends.trt_api import TensorRt
from dms.backends.trt_build import BuildOptions
from dms.config import Config
from dms.config.file import load_config
from dms.doctor import artefacts, examine, fitting, graph, opening, plans, runtimes
from dms.doctor.check import Grade
from dms.engines.contract import CONTRACTS
from dms.engines.gate import Candidate, Figures, Verdict, conditions
from dms.engines.manifest import DataNote, load_manifest, rewrite
from dms.engines.opening import options_of
from dms.engines.plans import Built, Plans
from dms.errors import EngineUnavailable
from dms.resources import engines_folder

DATA = DataNote(name="mine", sha256="0" * 64, pictures=160)
GPU = DeviceInfo("Orin", 87, 8, True, 7620, "12.6", "12.9")


@pytest.fixture
def shipped(tmp_path):
    """A copy of the shipped engines, to be spoilt."""
    return Path(shutil.copytree(engines_folder(), tmp_path / "engines"))


@pytest.fixture
def engines(shipped, tmp_path):
    """Their configuration, with a cache of its own."""

    def configured(*overrides):
        own = (f"engines.folder={shipped}", f"engines.cache={tmp_path}/cache")
        return load_config([], (*own, *overrides)).engines

    return configured


def found(checks):
    return {check.name: check for check in checks}


def test_the_shipped_engines_are_whole_simplified_calibrated_and_proved(engines):
    checks = found(artefacts.checks(engines()))
    assert list(checks) == ["files", "simplified", "calibration", "proof"]
    assert {check.grade for check in checks.values()} == {Grade.OK}
    assert "384 pictures" in checks["calibration"].detail
    assert "face cpu.int8 -0.08" in checks["proof"].detail


def test_a_changed_file_fails_and_the_other_engines_stay_well(shipped, engines):
    with (shipped / "eyes" / "model.fp16.onnx").open("ab") as file:
        file.write(b"more")
    checks = found(artefacts.checks(engines()))
    assert (checks["files eyes"].grade, checks["files"].grade) == (Grade.FAIL, Grade.OK)
    assert "model.fp16.onnx" in checks["files eyes"].detail
    assert "eyes" not in checks["files"].detail


def test_a_file_that_only_a_checkout_has_is_not_missed(shipped, engines):
    for net in CONTRACTS:
        (shipped / net / "model.tflite").unlink(missing_ok=True)
        assert "lite.fp32" in (shipped / net / "manifest.json").read_text()
    checks = found(artefacts.checks(engines()))
    assert list(checks) == ["files", "simplified", "calibration", "proof"]
    assert {check.grade for check in checks.values()} == {Grade.OK}


def test_engines_that_are_not_there_are_told_and_nothing_else_is(tmp_path):
    config = load_config([], (f"engines.folder={tmp_path}",)).engines
    checks = list(artefacts.checks(config))
    assert [check.name for check in checks] == [f"manifest {net}" for net in CONTRACTS]
    assert {check.grade for check in checks} == {Grade.FAIL}
    assert list(fitting.checks(config)) == []


def test_operations_are_counted_as_onnx_counts_them():
    for path in sorted(engines_folder().glob("*/model*.onnx")):
        nodes = onnx.load(path).graph.node
        assert graph.operations(path) == {
            kind: sum(node.op_type == kind for node in nodes) for kind in {node.op_type for node in nodes}
        }


def test_what_is_no_graph_is_refused(tmp_path):
    path = tmp_path / "words"
    path.write_bytes(b"no graph at all")
    with pytest.raises(ValueError, match=r"wire type|cut short"):
        graph.operations(path)


def test_a_graph_as_the_exporter_left_it_is_told(shipped, engines):
    path = shipped / "fatigue" / "model.onnx"
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1])
    idle = helper.make_node("Identity", ["image"], ["out"])
    out = helper.make_tensor_value_info("out", TensorProto.UINT8, [1])
    onnx.save(helper.make_model(helper.make_graph([idle, idle], "g", [image], [out])), path)
    check = artefacts.simplified(load_manifest(shipped / "fatigue"))
    assert check.grade is Grade.WARN
    assert "2 idle nodes" in check.detail
    assert "dms engines simplify fatigue" in check.cure


@pytest.mark.parametrize(
    ("calibration", "said"),
    [
        ({}, "nothing is noted"),
        ({"images": 63}, "63 pictures, fewer than 64"),
        ({"images": 64}, "ranges.json"),
    ],
)
def test_doubtful_calibration_is_told(shipped, calibration, said):
    rewrite(shipped / "eyes", calibration=calibration)
    check = artefacts.calibration(load_manifest(shipped / "eyes"))
    assert (check.grade, said in check.detail) == (Grade.WARN, True)
    assert "dms engines quantize eyes" in check.cure


def test_a_file_that_was_never_proved_on_its_runtime_is_told(engines):
    checks = found(artefacts.checks(engines("engines.face.backend=trt", "engines.eyes.precision=fp32")))
    assert checks["proof face"].grade is Grade.WARN
    assert "eyes runs FP32" in checks["proof"].detail


def test_the_same_trouble_of_several_engines_is_one_finding(engines):
    checks = found(artefacts.checks(engines("engines.face.backend=trt", "engines.eyes.backend=trt")))
    assert checks["proof"].detail.startswith("points lost against FP32: fatigue")
    assert checks["proof (2)"].grade is Grade.WARN
    assert checks["proof (2)"].detail.startswith("face, eyes: trt.int8 was not compared")


def verdict(config, net="face", precision="int8", chosen="int8", **changes):
    """What the gate would have kept, had it chosen so on this machine."""
    own = getattr(config, net)
    note = load_manifest(Path(config.folder) / net)
    artefact = note.precision_for(precision, own.backend)
    figures = Figures(p50_ms=0.5, p95_ms=0.6, score=0.99, loss_points=0.07)
    one = Candidate(
        precision=precision, artefact=artefact, sha256=note.files[artefact].sha256, figures=figures
    )
    told = {
        "net": net, "runtime": own.backend, "chosen": chosen, "reason": "int8 is 2.1 times as fast",
        "candidates": (one,), "speed_up": None, "metric": "auc", "reference": 0.99, "limit_points": 0.3,
        "data": DATA, "conditions": conditions(own.backend, options_of(own, config, lambda step: None)),
        "dms": "0.1.0", "date": "2026-11-21",
    }  # fmt: skip
    return Verdict(**{**told, **changes})


def test_a_gate_that_never_ran_is_one_finding(engines):
    (check,) = fitting.checks(engines())
    assert (check.name, check.grade) == ("gate", Grade.WARN)
    assert "dms engines build all --gate" in check.cure


@pytest.mark.parametrize(
    ("overrides", "changes", "grade", "said"),
    [
        ((), {}, Grade.OK, "2.1 times as fast"),
        (("engines.face.precision=best",), {}, Grade.OK, "int8 on ort"),
        ((), {"chosen": "fp32"}, Grade.WARN, "int8 is configured, the gate chose fp32"),
        ((), {"chosen": None}, Grade.WARN, "no file passed"),
        (("engines.face.threads=2",), {}, Grade.WARN, "threads was 1, is 2"),
    ],
)
def test_what_the_gate_found_here_is_told(engines, tmp_path, overrides, changes, grade, said):
    verdict(engines(), **changes).save(tmp_path / "cache")
    check = found(fitting.checks(engines(*overrides)))["gate face"]
    assert (check.grade, said in check.detail) == (grade, True), check


def test_the_gate_proves_what_the_release_could_not(engines, tmp_path):
    on_gpu = engines("engines.face.backend=trt")
    verdict(on_gpu).save(tmp_path / "cache")
    assert "face trt.int8 +0.07 (by the gate)" in found(artefacts.checks(on_gpu))["proof"].detail


API = TensorRt(SimpleNamespace(), "tensorrt", "10.3.0")


def keep_plan(config, net="face", **changes):
    """A plan in the cache, made for this device but for the changes."""
    path = load_manifest(Path(config.folder) / net).verified_path("trt.int8")
    key = plan_key(API, path, GPU, BuildOptions(max_batch=1)).model_copy(update=changes)
    kept = Plans(Path(config.cache), lambda step: None)
    kept.load(plan_name(path, 1), key, lambda plan: plan, lambda timing: Built(b"plan"))


def test_a_plan_for_this_device_is_well(engines):
    config = engines("engines.face.backend=trt")
    assert plans.plan("face", config, API, GPU).grade is Grade.WARN
    keep_plan(config)
    check = plans.plan("face", config, API, GPU)
    assert check.grade is Grade.OK, check


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": "10.16.2"}, "version 10.16.2 is now 10.3.0"),
        ({"power_mode": "15W"}, "power_mode 15W is now None"),
        ({"onnx_sha256": "f" * 64}, "onnx_sha256"),
        ({"options": {"max_batch": 1, "workspace_mb": 64, "level": 3}}, "'workspace_mb': 64"),
    ],
)
def test_a_plan_of_another_case_is_told_with_what_changed(engines, changes, said):
    config = engines("engines.face.backend=trt")
    keep_plan(config, **changes)
    check = plans.plan("face", config, API, GPU)
    assert (check.grade, said in check.detail) == (Grade.WARN, True)
    assert "dms engines build face" in check.cure


def test_without_tensorrt_or_without_a_gpu_no_plan_is_asked_for(engines):
    assert plans.checks(engines()) == {}


def test_the_shipped_engines_open_and_run(engines):
    checks = list(opening.checks(engines()))
    assert [check for check in checks if check.grade is not Grade.OK] == []
    assert all("int8 on ONNX Runtime, hash verified" in check.detail for check in checks)


def test_engines_left_out_are_not_opened(engines):
    assert list(found(opening.checks(engines(), leave_out=["face", "eyes"]))) == [
        "engine fatigue",
        "engine distraction",
    ]


def test_an_engine_that_opens_on_another_runtime_tells_why(engines, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)  # not there, wherever this runs
    check = opening.engine("fatigue", engines("engines.fatigue.backend=openvino"))
    assert check.grade is Grade.WARN
    assert "on ONNX Runtime" in check.detail
    assert "not installed" in check.detail
    with pytest.raises(EngineUnavailable):
        opening.engine("fatigue", engines("engines.fatigue.backend=openvino", "engines.fallback=null"))


def test_an_engine_file_that_is_gone_fails(shipped, engines):
    (shipped / "face" / "model.cpu.int8.onnx").unlink()
    check = found(opening.checks(engines()))["engine face"]
    assert (check.grade, "model.cpu.int8.onnx" in check.detail) == (Grade.FAIL, True)


def test_runtimes_that_are_wanted_and_missing_name_their_extra(engines, monkeypatch):
    monkeypatch.setattr(runtimes, "installed", lambda name: name == "ort")
    checks = found(runtimes.checks(engines("engines.eyes.backend=openvino"), jetson=False))
    assert (checks["runtime ort"].grade, checks["runtime openvino"].grade) == (Grade.OK, Grade.WARN)
    assert "pip install 'dms[intel]'" in checks["runtime openvino"].cure
    alone = found(runtimes.checks(engines("engines.eyes.backend=trt", "engines.fallback=null"), jetson=False))
    assert alone["runtime trt"].grade is Grade.FAIL
    assert "python3-libnvinfer" in alone["runtime trt"].cure


def test_cuda_is_looked_at_where_it_matters(engines):
    assert "cuda" not in found(runtimes.checks(engines(), jetson=False))
    assert "cuda" in found(runtimes.checks(engines(), jetson=True))
    assert "cuda" in found(runtimes.checks(engines("engines.face.backend=trt"), jetson=False))


@pytest.fixture
def orin_gpu(monkeypatch):
    """A GPU that tells what it is and can do nothing else."""
    monkeypatch.setattr(plans, "Device", lambda: SimpleNamespace(info=GPU))
    monkeypatch.setattr("dms.backends.cuda.runtime.Device", lambda: SimpleNamespace(info=GPU))
    measured = Choice("mapped", {"mapped": 41.2, "pinned": 63.0})
    monkeypatch.setattr("dms.backends.cuda.memory.choose", lambda device: measured)


def test_the_gpu_tells_driver_bindings_and_the_way_of_its_frames(orin_gpu):
    check = runtimes.cuda()
    assert check.grade is Grade.OK
    assert "driver for CUDA 12.6, bindings for 12.9" in check.detail
    assert "memory mapped (a frame in and results out: mapped 41 µs, pinned 63 µs)" in check.detail


def test_an_engine_without_its_plan_is_not_built_by_looking_at_it(orin_gpu, engines, pc):
    pytest.importorskip("tensorrt_rtx")
    config = engines("engines.face.backend=trt")
    assert [(net, c.name, c.grade) for net, c in plans.checks(config).items()] == [
        ("face", "plan face", Grade.WARN)
    ]
    names = [check.name for check in examine(lambda: Config(engines=config), pc)]
    assert "plan face" in names
    assert "engine face" not in names
    assert "engine eyes" in names
