from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
import onnxruntime as ort  # noqa: E402 - after the check that the quantiser's tools are there

from dms.engines.storage import declare_outputs, halve_weights, restore_weights  # noqa: E402


def small_net() -> onnx.ModelProto:
    """A fatigue-like net: one dense layer of 96x96 pixels to five states."""
    rng = np.random.default_rng(2)
    weight = onnx.numpy_helper.from_array(rng.normal(0, 0.01, (96 * 96, 5)).astype("float32"), "w")
    nodes = [
        onnx.helper.make_node("Cast", ["image"], ["pixels"], to=1),
        onnx.helper.make_node("Flatten", ["pixels"], ["flat"]),
        onnx.helper.make_node("MatMul", ["flat", "w"], ["state"]),
    ]
    image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["batch", 1, 96, 96])
    state = onnx.helper.make_tensor_value_info("state", onnx.TensorProto.FLOAT, ["batch", "unknown"])
    graph = onnx.helper.make_graph(nodes, "net", [image], [state], [weight])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto) -> np.ndarray:
    image = np.random.default_rng(3).integers(0, 255, (2, 1, 96, 96), dtype=np.uint8)
    return ort.InferenceSession(model.SerializeToString()).run(None, {"image": image})[0]


def test_halved_weights_take_half_the_room_and_say_the_same() -> None:
    model = small_net()
    before, size = run(model), model.ByteSize()
    halve_weights(model)
    assert model.ByteSize() < 0.55 * size
    assert run(model) == pytest.approx(before, rel=2e-3, abs=0.5)


def test_restored_weights_are_plain_and_say_what_the_halved_said() -> None:
    model = small_net()
    halve_weights(model)
    halved = run(model)
    restore_weights(model)
    assert [w.name for w in model.graph.initializer] == ["w"]
    assert [n.op_type for n in model.graph.node] == ["Cast", "Flatten", "MatMul"]
    assert np.array_equal(run(model), halved)


def test_declared_outputs_are_the_contracts() -> None:
    model = small_net()
    declare_outputs(model, "fatigue")
    assert ort.InferenceSession(model.SerializeToString()).get_outputs()[0].shape == ["batch", 5]
