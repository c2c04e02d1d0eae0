"""The stand-in engine of the GPU tests is right, and a chain of the shipped nets does what the host does.

All on the host here; `tests/hardware/test_gpu_nets.py` does the same on a GPU.
"""

from contextlib import ExitStack, closing

import numpy as np
import pytest

from dms.backends import open_backend
from dms.backends.checked import CheckedBackend
from dms.backends.cuda.memory import Pinned
from dms.backends.cuda.runner import DeviceRunner
from dms.engines.contract import CONTRACTS
from dms.engines.opening import Opened
from dms.errors import EngineError, EngineOutputError
from dms.records import FrameState, Observation
from dms.resources import engines_folder
from dms.stages.tensors import Crop
from dms.stages.views import CutView, DeviceView, open_views
from tests.unit.backends.cuda import twin as twins
from tests.unit.backends.cuda.host_cuda import HostCuda
from tests.unit.backends.cuda.sight import LIMITS, apart, frames, seen_on

pytest.importorskip("onnx", reason="the extra quantize is not installed")
torch = pytest.importorskip("torch", reason="the extra train is not installed")
TorchEngine = pytest.importorskip("tests.hardware.torch_engine").TorchEngine


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    if not twins.has_compiler():
        pytest.skip("g++ is not installed")
    return twins.built(tmp_path_factory.mktemp("twin"))


@pytest.fixture
def cuda(monkeypatch, twin):
    return HostCuda(twin).install(monkeypatch)


@pytest.fixture(scope="module")
def backends():
    with ExitStack() as stack:
        yield {net: stack.enter_context(closing(on_host(net))) for net in CONTRACTS}


def on_host(net):
    return CheckedBackend(net, open_backend("ort", engines_folder() / net / "model.onnx"))


def on_stand_in(net, cuda):
    torch.set_num_threads(1)
    return TorchEngine(engines_folder() / net / "model.onnx", cuda.put, "cpu")


def assert_same_sight(found, expected):
    worst = apart(found, expected)
    assert all(worst[name] <= limit for name, limit in LIMITS.items()), worst


def opened(engines, backends):
    return {net: Opened(backends[net], "trt", "fp32", "1", "0", engines.get(net)) for net in CONTRACTS}


@pytest.mark.parametrize("net", CONTRACTS)
def test_the_stand_in_computes_what_onnx_runtime_does(net, cuda, backends):
    contract = CONTRACTS[net]
    image = np.random.default_rng(0).integers(0, 256, (3, 1, contract.height, contract.width), dtype=np.uint8)
    runner = DeviceRunner(on_stand_in(net, cuda), 2, Pinned)
    assert (runner.inputs, runner.outputs) == (backends[net].inputs, backends[net].outputs)
    expected = backends[net].infer({"image": image})
    for name, found in runner.infer({"image": image}).items():
        assert found == pytest.approx(expected[name], abs=1e-4), name


def test_the_stages_see_on_the_chain_what_they_see_on_the_host(cuda, backends, tmp_path):
    engines = {net: on_stand_in(net, cuda) for net in CONTRACTS}
    pictures = frames(12)
    expected = seen_on({net: CutView(net, backend) for net, backend in backends.items()}, pictures)
    with open_views(opened(engines, backends), tmp_path, pictures[0].image.shape) as views:
        assert all(isinstance(view, DeviceView) for view in views.values())
        launched = cuda.launched_graphs
        assert_same_sight(seen_on(views, pictures), expected)
        # One launch a frame; two where there is no track to place the eyes by, as on the first.
        assert cuda.launched_graphs - launched == len(pictures) + 1
    assert cuda.held == []


def test_engines_that_are_not_on_the_device_are_cut_for_by_the_host(cuda, backends, tmp_path):
    engines = {net: on_stand_in(net, cuda) for net in ("eyes", "distraction")}
    pictures = frames(6)
    expected = seen_on({net: CutView(net, backend) for net, backend in backends.items()}, pictures)
    with open_views(opened(engines, backends), tmp_path) as views:
        assert [net for net, view in views.items() if isinstance(view, CutView)] == ["face", "fatigue"]
        assert_same_sight(seen_on(views, pictures), expected)


def test_a_follower_that_fails_does_not_blind_the_eyes(cuda, backends, tmp_path):
    engines = {net: on_stand_in(net, cuda) for net in CONTRACTS}

    def refuse(stream, batch=1):
        raise EngineError("refused")

    engines["fatigue"].enqueue = refuse
    with open_views(opened(engines, backends), tmp_path) as views:
        for seen in seen_on(views, frames(4)):
            assert seen.faults == {"fatigue": "refused"}
            assert seen.eyes is not None
            assert seen.distraction is not None or seen.frame_id > 0


def test_where_the_device_cannot_be_had_the_host_cuts(monkeypatch, backends, caplog):
    cuda = HostCuda(driver=0).install(monkeypatch)
    engines = {"eyes": on_stand_in("eyes", cuda)}
    with open_views(opened(engines, backends)) as views:
        assert all(isinstance(view, CutView) for view in views.values())
    assert "no NVIDIA driver" in caplog.text


def test_numbers_that_are_none_never_get_out(cuda, backends, tmp_path):
    engine = on_stand_in("fatigue", cuda)
    engine._net._constants = {n: c * np.nan if c.is_floating_point() else c for n, c in constants(engine)}
    with open_views(opened({"fatigue": engine}, backends), tmp_path) as views:
        frame = frames(1)[0]
        state = FrameState(frame, Observation(0.0, 0))
        with pytest.raises(EngineOutputError, match="engine fatigue: output state"):
            views["fatigue"].look(state, Crop(100, 100, 80))


def constants(engine):
    return engine._net._constants.items()
