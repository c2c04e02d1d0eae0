from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
import onnxruntime as ort  # noqa: E402 - after the check that the tools are there

from dms.engines.quantize import quantize, regression_nodes  # noqa: E402
from dms.training.export import export  # noqa: E402
from dms.training.nets import FaceNet, FatigueNet  # noqa: E402


def run(path: Path, image: np.ndarray) -> list[np.ndarray]:
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"image": image})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    path = tmp_path / "model.onnx"
    export("fatigue", FatigueNet(), path)
    return path


def test_int8_says_nearly_what_fp32_says(model: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (32, 1, 96, 96), dtype=np.uint8)
    small = tmp_path / "int8.onnx"
    quantize(model, images, small)
    assert run(small, images)[0] == pytest.approx(run(model, images)[0], abs=0.02)
    assert small.stat().st_size < 0.35 * model.stat().st_size
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob("*.whole"))


def test_heads_stay_in_floating_point(model: Path, tmp_path: Path) -> None:
    images = np.zeros((16, 1, 96, 96), np.uint8)
    kept = quantize(model, images, tmp_path / "int8.onnx")
    graph = onnx.load(str(tmp_path / "int8.onnx")).graph
    quantised = {name for node in graph.node if node.op_type == "QuantizeLinear" for name in node.input}
    heads = [node for node in graph.node if node.name in kept]
    assert {"Gemm", "Sigmoid"} == {node.op_type for node in heads}
    assert not quantised & {name for node in heads for name in node.output}
    assert any(node.op_type == "DequantizeLinear" for node in graph.node)


def test_all_three_heads_of_the_detector_are_found(tmp_path: Path) -> None:
    path = tmp_path / "face.onnx"
    export("face", FaceNet(), path)
    graph = onnx.load(str(path)).graph
    kept = set(regression_nodes(path))
    assert sum(node.op_type == "Conv" and node.name in kept for node in graph.node) == 3
