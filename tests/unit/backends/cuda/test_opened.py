"""From the configuration to frames that stay on the GPU: what `trt` opens reaches the chain.

TensorRT is its stand-in, over engines that compute; CUDA is the host's.
"""

import sys
from contextlib import ExitStack

import pytest

from dms import app
from dms.config import Config
from dms.engines.contract import CONTRACTS
from dms.engines.opening import open_engine
from dms.resources import engines_folder
from dms.stages.views import CutView, DeviceView, open_views
from tests.unit.backends.cuda import twin as twins
from tests.unit.backends.cuda.host_cuda import Error, HostCuda
from tests.unit.backends.cuda.sight import LIMITS, apart, frames
from tests.unit.backends.cuda.test_chain import NetLike
from tests.unit.backends.cuda.trt_nets import tensorrt_of


@pytest.fixture
def cuda(monkeypatch, tmp_path):
    if not twins.has_compiler():
        pytest.skip("g++ is not installed")
    return HostCuda(twins.built(tmp_path)).install(monkeypatch)


def configured(backend, cache):
    engine = {"precision": "fp32", "backend": backend}
    own = {"folder": str(engines_folder()), "cache": str(cache), "fallback": None}
    return Config.model_validate({"engines": {**own, **dict.fromkeys(CONTRACTS, engine)}})


@pytest.fixture
def opened(cuda, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt_of({net: NetLike(cuda, net) for net in CONTRACTS}))
    config = configured("trt", tmp_path / "cache").engines
    with ExitStack() as stack:
        engines = {net: open_engine(net, config) for net in CONTRACTS}
        for engine in engines.values():
            stack.callback(engine.backend.close)
        yield engines
    assert cuda.held == []


def test_an_engine_opened_on_tensorrt_is_looked_through_on_the_device(opened, tmp_path):
    with open_views(opened, tmp_path / "cache", (360, 640)) as views:
        assert {net: type(view) for net, view in views.items()} == dict.fromkeys(CONTRACTS, DeviceView)


@pytest.mark.parametrize("function", ["cudaHostAlloc", "cudaMemGetInfo"])
def test_whatever_the_gpu_refuses_at_start_the_host_cuts(opened, cuda, tmp_path, caplog, function):
    setattr(cuda, f"_{function}", lambda *_: (Error.cudaErrorInvalidValue, None))
    assert_cut_by_the_host(opened, cuda, (360, 640), tmp_path, caplog)


def test_frames_too_large_for_the_kernels_are_cut_by_the_host(opened, cuda, tmp_path, caplog):
    assert_cut_by_the_host(opened, cuda, (4320, 7680), tmp_path, caplog)


def assert_cut_by_the_host(opened, cuda, shape, tmp_path, caplog):
    held = cuda.held
    with open_views(opened, tmp_path / "cache", shape) as views:
        assert all(isinstance(view, CutView) for view in views.values())
        assert cuda.held == held
    assert "frames are cut by the processor" in caplog.text


def test_the_pipeline_judges_on_tensorrt_as_on_the_processor(cuda, monkeypatch, tmp_path, caplog):
    pytest.importorskip("onnx", reason="the extra quantize is not installed")
    torch = pytest.importorskip("torch", reason="the extra train is not installed")
    from tests.hardware.torch_engine import TorchEngine

    torch.set_num_threads(1)
    engines = {net: TorchEngine(engines_folder() / net / "model.onnx", cuda.put, "cpu") for net in CONTRACTS}
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt_of(engines))
    pictures = frames(12)
    expected, _ = judged(configured("ort", tmp_path), pictures, cuda)
    found, launches = judged(configured("trt", tmp_path), pictures, cuda)
    worst = apart([one.observation for one in found], [one.observation for one in expected])
    assert all(worst[name] <= limit for name, limit in LIMITS.items()), worst
    assert [one.assessment.state for one in found] == [one.assessment.state for one in expected]
    assert set(launches) <= {1, 2, 3}, "every frame is seen on the device, and nothing is tried in the loop"
    assert "piece by piece" not in caplog.text
    assert cuda.held == []


def judged(config, pictures, cuda):
    """Each picture's judgement, and how many graphs it took."""
    judgements, launched = [], []
    with app.open_pipeline(config, "test") as pipeline:
        for picture in pictures:
            before = cuda.launched_graphs
            judgements.append(pipeline.step(picture))
            launched.append(cuda.launched_graphs - before)
    return judgements, launched
