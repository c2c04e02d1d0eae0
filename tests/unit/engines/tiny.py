"""A small net with the fatigue engine's inputs and outputs, named as training's exporter names nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def tiny_net(seed: int = 2) -> onnx.ModelProto:
    """Two stages, a residual Add, a head of five probabilities."""
    rng = np.random.default_rng(seed)

    def weight(name, *shape):
        fan = int(np.prod(shape[1:]))
        return numpy_helper.from_array(rng.normal(0, (2 / fan) ** 0.5, shape).astype("float32"), name)

    def conv(name, inputs, output, stride):
        args = {"kernel_shape": [3, 3], "strides": [stride, stride], "pads": [1, 1, 1, 1]}
        return helper.make_node("Conv", inputs, [output], name=name, **args)

    def node(op, name, inputs, output, **args):
        return helper.make_node(op, inputs, [output], name=name, **args)

    weights = [
        numpy_helper.from_array(np.float32(1 / 127.5), "scale"),
        numpy_helper.from_array(np.float32(1), "one"),
        weight("w0", 16, 1, 3, 3),
        weight("b0", 16),
        weight("w1", 16, 16, 3, 3),
        weight("b1", 16),
        weight("w2", 16, 16, 3, 3),
        weight("b2", 16),
        weight("wh", 5, 16 * 6 * 6),
        weight("bh", 5),
    ]
    nodes = [
        node("Cast", "/net/Cast", ["image"], "pixels", to=TensorProto.FLOAT),
        node("Mul", "/net/Mul", ["pixels", "scale"], "scaled"),
        node("Sub", "/net/Sub", ["scaled", "one"], "x"),
        conv("/net/trunk/trunk.0/conv/Conv", ["x", "w0", "b0"], "c0", 4),
        node("Relu", "/net/trunk/trunk.0/Relu", ["c0"], "r0"),
        conv("/net/trunk/trunk.1/trunk.1.0/conv/Conv", ["r0", "w1", "b1"], "c1", 4),
        node("Relu", "/net/trunk/trunk.1/trunk.1.0/Relu", ["c1"], "r1"),
        conv("/net/trunk/trunk.1/trunk.1.1/conv/Conv", ["r1", "w2", "b2"], "c2", 1),
        node("Add", "/net/trunk/trunk.1/Add", ["c2", "r1"], "sum"),
        node("Flatten", "/net/Flatten", ["sum"], "flat"),
        node("Identity", "/net/Identity", ["flat"], "same"),
        node("Gemm", "/net/head/Gemm", ["same", "wh", "bh"], "logits", transB=1),
        node("Sigmoid", "/net/Sigmoid", ["logits"], "state"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 1, 96, 96])
    state = helper.make_tensor_value_info("state", TensorProto.FLOAT, ["batch", 5])
    graph = helper.make_graph(nodes, "net", [image], [state], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def pictures(count: int = 80) -> np.ndarray:
    """Smooth random pictures of differing light (count, 1, 96, 96)."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (count, 1, 8, 8)) * rng.uniform(0.3, 1, (count, 1, 1, 1))
    return np.repeat(np.repeat(coarse, 12, axis=2), 12, axis=3).astype(np.uint8)


def trained(folder: Path, seed: int = 2) -> Path:
    """What training leaves for the fatigue engine: model.onnx, training.csv, run.json."""
    place = folder / "fatigue"
    place.mkdir(parents=True)
    onnx.save(tiny_net(seed), str(place / "model.onnx"))
    (place / "training.csv").write_text("step\n1\n")
    (place / "run.json").write_text('{"commit": "abc123"}')
    return place / "model.onnx"
