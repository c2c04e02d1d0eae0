"""ONNX Runtime on a real NVIDIA GPU, by CUDA and by TensorRT, against the processor."""

import numpy as np
import pytest

from dms.backends import BACKENDS, Options, installed, open_backend
from dms.calibration.inputs import calibration_inputs
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import load_manifest
from dms.errors import EngineError, EngineUnavailable
from dms.evaluation.labelled import open_labelled
from dms.resources import engines_folder

pytestmark = pytest.mark.gpu

FARTHEST = {"fp32": 0.02, "fp16": 0.05, "trt.int8": 0.2}
"""Mean difference over the mean size of the values, a hundredth at least. FP32 may be computed in TF32."""


def engine(net, precision):
    return load_manifest(engines_folder() / net).verified_path(precision)


def image(net, batch=1):
    contract = CONTRACTS[net]
    blocks = np.random.default_rng(3).integers(
        0, 256, (batch, 1, contract.height // 16, contract.width // 16), dtype=np.uint8
    )
    return {"image": blocks.repeat(16, axis=2).repeat(16, axis=3)}


@pytest.fixture(params=["ort-cuda", "ort-tensorrt"])
def runtime(request, tmp_path_factory):
    if not installed(request.param):
        pytest.skip(f"the extra {BACKENDS[request.param].extra} is not installed")
    try:
        open_backend(request.param, engine("fatigue", "fp32")).close()
    except EngineUnavailable as e:
        pytest.skip(str(e))
    return request.param


@pytest.mark.parametrize("precision", FARTHEST)
@pytest.mark.parametrize("net", CONTRACTS)
def test_agrees_with_the_processor(runtime, net, precision):
    folder = engines_folder().parent / "calib_data"
    path = engine(net, precision)
    feeds = {"image": calibration_inputs(net, open_labelled(folder), most=3)}
    backend = open_backend(runtime, path)
    assert backend.inputs["image"].shape[0] is None
    here, right = backend.infer(feeds), open_backend("ort", path).infer(feeds)
    assert {n: a.shape[1:] for n, a in here.items()} == CONTRACTS[net].outputs
    far = {n: float(np.abs(here[n] - v).mean() / max(np.abs(v).mean(), 0.01)) for n, v in right.items()}
    assert max(far.values()) < FARTHEST[precision], far


def test_nothing_is_left_to_the_processor(runtime):
    backend = open_backend(runtime, engine("face", "trt.int8"))
    assert backend._session.get_providers()[0] == backend.provider


def test_same_input_same_output(runtime):
    backend = open_backend(runtime, engine("eyes", "fp16"))
    first, second = backend.infer(image("eyes")), backend.infer(image("eyes"))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_wrong_input_is_a_typed_error(runtime):
    backend = open_backend(runtime, engine("fatigue", "fp32"))
    with pytest.raises(EngineError):
        backend.infer({"image": np.zeros((1, 1, 5, 5), np.uint8)})


def test_is_closed_twice_and_then_refuses(runtime):
    backend = open_backend(runtime, engine("fatigue", "fp32"))
    backend.close()
    backend.close()
    with pytest.raises(EngineError, match="closed"):
        backend.infer(image("fatigue"))


def test_tensorrt_keeps_its_plan(tmp_path, runtime):
    if runtime != "ort-tensorrt":
        pytest.skip("CUDA compiles nothing")
    options = Options(cache=tmp_path)
    first = open_backend(runtime, engine("fatigue", "fp16"), options).infer(image("fatigue"))
    assert list((tmp_path / "ort-tensorrt").glob("*.engine"))
    second = open_backend(runtime, engine("fatigue", "fp16"), options).infer(image("fatigue"))
    assert np.array_equal(first["state"], second["state"])
