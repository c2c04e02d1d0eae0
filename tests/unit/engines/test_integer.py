import numpy as np
import onnx
import pytest
from onnxruntime.quantization import QuantType

from dms.engines.contract import CONTRACTS
from dms.engines.integer import bounded, widened
from dms.engines.manifest import load_manifest
from dms.engines.storage import read_model
from dms.engines.table import RANGES, load_ranges
from dms.resources import engines_folder


@pytest.fixture(scope="module", params=list(CONTRACTS))
def net(request):
    folder = engines_folder() / request.param
    model = onnx.shape_inference.infer_shapes(read_model(folder / "model.onnx", request.param))
    return model, load_ranges(folder / RANGES).tensors


def computed(model):
    kinds = (*model.graph.value_info, *model.graph.output)
    return {v.name for v in kinds if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}


def test_every_float_tensor_gets_a_range_that_holds_zero(net):
    model, table = net
    found = bounded(model, table)
    assert set(found) == computed(model) | set(table)
    assert all(low <= 0 <= high for low, high in found.values())
    assert {name: found[name] for name in table} == table


def test_what_is_computed_stays_within_the_bounds_of_the_tail(net):
    model, table = net
    found = bounded(model, table)
    wide = {name for name, (low, high) in found.items() if high - low > 1000}
    assert not wide
    for output in model.graph.output:
        low, high = found[output.name]
        if output.name in ("score", "openness", "visibility", "presence", "state", "activity"):
            assert 0 <= low < high <= 1
        if output.name.endswith("_sigma"):
            assert low >= 0


def test_scaling_of_the_picture_is_exact():
    model = read_model(engines_folder() / "fatigue" / "model.onnx", "fatigue")
    found = bounded(onnx.shape_inference.infer_shapes(model), {})
    assert found["/net/embed/Cast_output_0"] == (0, 255)
    assert found["/net/embed/Mul_output_0"] == pytest.approx((0, 2), abs=1e-3)
    assert found["/net/embed/Sub_output_0"] == pytest.approx((-1, 1), abs=1e-3)


def test_the_outputs_have_16_bits_and_the_convolutions_8(net):
    model, _ = net
    found = widened(model)
    assert all(found[output.name][0]["quant_type"] == QuantType.QUInt16 for output in model.graph.output)
    reads = {name for name, (how,) in found.items() if "convert" in how}
    heads = {head for name in reads for head in found[name][0]["convert"]["recv_nodes"]}
    assert all("head" in head for head in heads)
    weighted = [n for n in model.graph.node if n.op_type in ("Conv", "Gemm") and n.name not in heads]
    assert not {name for node in weighted for name in node.output} & (found.keys() - reads)


@pytest.mark.parametrize("name", CONTRACTS)
def test_nothing_is_left_in_float_but_the_outputs(name):
    path = load_manifest(engines_folder() / name).verified_path("qnn.int8")
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    given = {out for n in model.graph.node if n.op_type == "DequantizeLinear" for out in n.output}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm", "Mul", "Add", "Sub", "Sigmoid", "Softplus", "Softmax", "Resize"):
            assert {name for name in node.input[:2] if name} <= given, node.name
    weights = [w for w in model.graph.initializer if w.data_type == onnx.TensorProto.FLOAT]
    assert not [w.name for w in weights if np.prod(w.dims) > 1024]
