from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from dms.engines.graph import groups, heads, tail
from dms.engines.quantize import FORMS, float_by_default, quantize
from dms.engines.ranges import observe
from dms.errors import EngineMismatch
from tests.unit.engines.tiny import pictures, tiny_net

FORM_NAMES = sorted(FORMS)


def run(model, images):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": images})[0]


@pytest.fixture(scope="module")
def net():
    return tiny_net()


@pytest.fixture(scope="module")
def ranges(net):
    return observe(net, "fatigue", pictures()).table("minmax")


@pytest.fixture(scope="module")
def small(net, ranges):
    return {form: quantize(net, "fatigue", ranges, form, float_by_default(net)) for form in FORMS}


def constants(model):
    return {w.name: onnx.numpy_helper.to_array(w) for w in model.graph.initializer}


def inputs_of(model, name):
    return next(n for n in model.graph.node if n.name == name).input


def maker(model, tensor):
    return next((n for n in model.graph.node if tensor in n.output), None)


@pytest.mark.parametrize("form", FORM_NAMES)
def test_int8_says_nearly_what_fp32_says(net, small, form) -> None:
    images = pictures(16)
    assert run(small[form], images) == pytest.approx(run(net, images), abs=0.05)
    assert [o.name for o in small[form].graph.output] == ["state"]
    assert small[form].opset_import[0].version == 17


@pytest.mark.parametrize("form", FORM_NAMES)
def test_the_net_that_was_given_is_left_alone(net, ranges, form) -> None:
    before = net.SerializeToString()
    quantize(net, "fatigue", ranges, form, ())
    assert net.SerializeToString() == before


def test_both_forms_take_their_scales_from_one_table(small, ranges) -> None:
    low, high = ranges.tensors["r0"]
    scales = {}
    for form, model in small.items():
        dequantised = inputs_of(model, "/net/trunk/trunk.1/trunk.1.0/conv/Conv")[0]
        scales[form] = float(constants(model)[maker(model, dequantised).input[1]])
    assert scales["cpu.int8"] == pytest.approx((high - low) / 255, rel=1e-5)
    assert scales["trt.int8"] == pytest.approx(2 * max(high, -low) / 254, rel=1e-2)


def test_tensorrts_form_is_symmetric_with_float_biases(small) -> None:
    model, found = small["trt.int8"], constants(small["trt.int8"])
    quantisers = [n for n in model.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert all(not found[n.input[2]].any() and found[n.input[2]].dtype == np.int8 for n in quantisers)
    for node in (n for n in model.graph.node if n.op_type == "Conv"):
        assert maker(model, node.input[0]).op_type == "DequantizeLinear"
        assert found[node.input[2]].dtype == np.float32
        scale = found[maker(model, node.input[1]).input[1]]
        assert scale.shape == (16,)
    assert not any(v.dtype == np.int32 for v in found.values())


def test_tensorrts_form_quantises_the_skip_and_nothing_between_conv_and_relu(small) -> None:
    model = small["trt.int8"]
    assert [maker(model, t).op_type for t in inputs_of(model, "/net/trunk/trunk.1/Add")] == [
        "DequantizeLinear",
        "DequantizeLinear",
    ]
    assert maker(model, inputs_of(model, "/net/trunk/trunk.0/Relu")[0]).op_type == "Conv"


def test_the_processors_form_has_unsigned_activations(small) -> None:
    found = constants(small["cpu.int8"])
    quantisers = [n for n in small["cpu.int8"].graph.node if n.op_type == "QuantizeLinear"]
    assert quantisers
    assert {found[n.input[2]].dtype for n in quantisers} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("form", FORM_NAMES)
def test_weights_take_a_quarter_of_the_room(net, ranges, form) -> None:
    found = constants(quantize(net, "fatigue", ranges, form, ()))
    large = [v for v in found.values() if v.size >= 1000]
    assert large
    assert all(v.dtype == np.int8 for v in large)


@pytest.mark.parametrize("form", [form for form in FORM_NAMES if not FORMS[form].whole])
def test_nodes_named_stay_in_floating_point(small, form) -> None:
    node = next(n for n in small[form].graph.node if n.name == "/net/head/Gemm")
    assert constants(small[form])[node.input[1]].dtype == np.float32


def test_ranges_of_another_model_are_refused(ranges) -> None:
    with pytest.raises(EngineMismatch, match="another fatigue model"):
        quantize(tiny_net(seed=5), "fatigue", ranges, "cpu.int8", ())


def test_parts_are_named_as_a_reader_would(net) -> None:
    parts = groups(net)
    assert list(parts) == ["trunk.0", "trunk.1", "head"]
    assert parts["trunk.0"] == ("/net/trunk/trunk.0/conv/Conv", "/net/trunk/trunk.0/Relu")
    assert "/net/trunk/trunk.1/Add" in parts["trunk.1"]
    assert heads(net) == ("head",)
    assert tail(net) == {"/net/Sigmoid"}
    assert float_by_default(net) == ("/net/head/Gemm",)
