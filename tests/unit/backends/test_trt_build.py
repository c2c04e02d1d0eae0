"""How a plan is asked for, on the stand-in; `tests/platforms` builds real ones."""

import pytest

from dms.backends.trt_api import FULL, RTX, TensorRt
from dms.backends.trt_build import BuildOptions, _Job, _monitor, build_plan
from dms.errors import EngineMismatch, EngineMissing, EngineUnavailable
from tests.unit.backends.trt_standin import (
    DataType,
    ErrorCode,
    LayerType,
    NewFlags,
    OldFlags,
    Script,
    stand_in,
)

QUANTISED = ((LayerType.CONVOLUTION, DataType.FLOAT), (LayerType.DEQUANTIZE, DataType.INT8))
HALF = ((LayerType.CAST, DataType.FLOAT), (LayerType.CONVOLUTION, DataType.HALF))
HALVED_WEIGHTS = ((LayerType.CAST, DataType.HALF), (LayerType.CONVOLUTION, DataType.FLOAT))
BIAS = (
    ErrorCode.INVALID_NODE,
    "Invalid Node - bias\ninput has type Int32 but must have type Int8\nmore",
    "bias",
    "DequantizeLinear",
)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"onnx")
    return path


def build(
    script, path, *, flags=OldFlags, flavour=FULL, told=lambda step: None, timing=b"", target="", **options
):
    api = TensorRt(stand_in(script, flags), flavour, "10.3.0")
    return build_plan(api, path, BuildOptions(**options), told, timing, target)


def test_a_network_is_strongly_typed_and_takes_every_batch_up_to_the_largest(model):
    script = Script()
    built = build(script, model, max_batch=3)
    assert (built.plan, built.strongly_typed) == (b"plan", True)
    assert script.asked == [
        "network 2",  # the flag's bit in this version, by its name
        ("WORKSPACE", 256 << 20),
        {"image": ((1, 1, 2, 2), (1, 1, 2, 2), (3, 1, 2, 2))},
    ]


def test_timings_are_carried_on_and_those_of_another_device_dropped(model):
    assert build(Script(), model, timing=b"old").timing == b"old+"
    assert build(Script(timing_fits=False), model, timing=b"old").timing == b"+"


def test_tensorrt_rtx_keeps_no_timings(model):
    assert build(Script(), model, flags=NewFlags, flavour=RTX, timing=b"old").timing == b""


@pytest.mark.parametrize(
    ("layers", "types"), [(QUANTISED, ["INT8"]), (HALF, ["FP16"]), (HALVED_WEIGHTS, []), ((), [])]
)
def test_where_strong_types_fail_the_builder_may_use_those_of_the_file_and_no_other(model, layers, types):
    script, said = Script(plans=[None, b"weak"], layers=layers, trouble="no tactic", at="build"), []
    built = build(script, model, told=said.append)
    assert (built.plan, built.strongly_typed) == (b"weak", False)
    assert "network 0" in script.asked
    assert script.asked[6:] == types
    assert "no tactic" in said[0]


def test_from_11_on_there_is_no_second_try(model):
    script = Script(plans=[None, b"weak"], trouble="no tactic", at="build")
    with pytest.raises(EngineUnavailable, match=r"model\.onnx: TensorRT 10.*could not build it: no tactic"):
        build(script, model, flags=NewFlags)
    assert script.plans == [b"weak"]


def test_both_ways_failing_is_told_with_the_log(model):
    with pytest.raises(EngineUnavailable, match="out of memory"):
        build(Script(plans=[None, None], trouble="out of memory", at="build"), model)


def test_a_build_that_was_cancelled_is_not_tried_again(model):
    script, said = Script(plans=[None, b"weak"], trouble="cancelled", at="build"), []
    api = TensorRt(stand_in(script), FULL, "10.3.0")
    monitor = _monitor(api, "eyes", said.append)
    monitor.cancelled = True  # as Ctrl-C leaves it, and the builder gives nothing
    job = _Job(api, model, b"onnx", BuildOptions(), monitor, b"", "")
    with pytest.raises(EngineUnavailable, match="could not build it: cancelled"):
        job.run_either_way(said.append)
    assert script.plans == [b"weak"]
    assert said == []


def test_without_a_gpu_there_is_no_second_try(model):
    script, said = Script(trouble="no CUDA-capable device", at="builder"), []
    with pytest.raises(EngineUnavailable, match="cannot start here: no CUDA-capable device"):
        build(script, model, told=said.append)
    assert said == []


def test_the_second_failure_is_told_by_its_own_log(model):
    with pytest.raises(EngineUnavailable) as failed:
        build(Script(plans=[None, None], trouble="out of memory", at="build"), model)
    assert str(failed.value).count("out of memory") == 1


def test_a_refused_node_is_named_with_its_operator_and_type(model):
    with pytest.raises(
        EngineUnavailable, match=r"node 'bias' \(DequantizeLinear\): input has type Int32 but"
    ):
        build(Script(refusal=BIAS), model, flags=NewFlags)


def test_no_onnx_is_a_bad_file_and_not_a_lack_of_tensorrt(model):
    refusal = (ErrorCode.MODEL_DESERIALIZE_FAILED, "", "", "")
    with pytest.raises(EngineMismatch, match=r"model\.onnx.*restore"):
        build(Script(refusal=refusal), model)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EngineMissing, match=r"none\.onnx"):
        build(Script(), tmp_path / "none.onnx")


def test_a_batch_that_is_refused_is_told_with_the_shape(model):
    with pytest.raises(EngineUnavailable, match=r"1 to 9 for image \(-1, 1, 2, 2\)"):
        build(Script(largest=4), model, flags=NewFlags, max_batch=9)


def test_a_target_needs_a_builder_that_has_targets(model):
    with pytest.raises(EngineUnavailable, match="cannot build for SM86, only for the GPU that is here"):
        build(Script(), model, flags=NewFlags, target="SM86")


def test_progress_is_told_now_and_then():
    said, now_s = [], iter([0.0, 0.5, 1.2, 1.2, 1.3, 1.4])
    monitor = _monitor(TensorRt(stand_in(Script()), FULL, "10.3.0"), "eyes", said.append, lambda: next(now_s))
    monitor.phase_start("Timing", "", 40)
    assert all(monitor.step_complete("Timing", step) for step in (4, 9, 10))
    assert said == ["eyes: Timing, 10 of 40"]
    monitor.cancelled = True
    assert not monitor.step_complete("Timing", 11)
