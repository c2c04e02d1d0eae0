# ruff: noqa: T201 (what is found is kept as a measurement)
"""The chain on a real GPU with the shipped nets; each test prints what it found.

PyTorch plays the engine: TensorRT has its own tests.
"""

from contextlib import ExitStack, closing

import cv2
import numpy as np
import pytest

from dms.backends import open_backend
from dms.backends.cuda.chain import FrameChain
from dms.backends.cuda.memory import Pinned
from dms.backends.cuda.runner import DeviceRunner
from dms.engines.contract import CONTRACTS
from dms.resources import engines_folder
from dms.stages.cuts import as_cut
from dms.stages.tensors import Crop, distraction_crop, fatigue_crop, fitted, landmark_box
from tests.hardware.gpu import BOTH, ON_GPU, WARP_LIMIT, frame, on_host

pytestmark = ON_GPU


@pytest.fixture(scope="module")
def engines():
    pytest.importorskip("onnx", reason="onnx is not installed")
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch does not see the GPU")
    from tests.hardware.torch_engine import TorchEngine

    return {net: TorchEngine(engines_folder() / net / "model.onnx") for net in CONTRACTS}


@pytest.fixture(scope="module")
def backends():
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    with ExitStack() as stack:
        paths = {net: engines_folder() / net / "model.onnx" for net in CONTRACTS}
        yield {net: stack.enter_context(closing(open_backend("ort", path))) for net, path in paths.items()}


def test_the_stand_in_computes_what_onnx_runtime_does(engines, backends):
    for net, contract in CONTRACTS.items():
        shape = (3, 1, contract.height, contract.width)
        image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        expected = backends[net].infer({"image": image})
        with closing(DeviceRunner(Lent(engines[net]), 2, Pinned)) as runner:
            found = runner.infer({"image": image})
        for name, values in found.items():
            print(f"\n{net}.{name}: at most {np.abs(values - expected[name]).max():.2e} apart", end="")
            assert values == pytest.approx(expected[name], abs=2e-3, rel=1e-3), (net, name)


class Lent:
    """An engine that its user does not close."""

    def __init__(self, engine):
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self.bind, self.enqueue = engine.bind, engine.enqueue

    def close(self):
        pass


@BOTH
def test_every_set_of_nets_is_one_graph_and_says_what_the_host_says(engines, backends, kernels, strategy):
    image = cv2.GaussianBlur(frame(), (0, 0), 6)
    places = {"face": fitted(image.shape, 160, 256), "eyes": Crop(640, 360, 400)}
    cuts = {net: as_cut(place, CONTRACTS[net].width) for net, place in places.items()}
    anywhere = as_cut(Crop(0, 0, 1), 96)
    with closing(FrameChain(engines, kernels, strategy)) as chain:
        found = {"face": chain.look("face", 1, image, cuts, ("fatigue", "distraction"))}
        found |= {
            net: chain.look(net, 1, image, {net: cuts.get(net, anywhere)}) for net in list(CONTRACTS)[1:]
        }
        print(f"\nnot graphs: {chain.eager or 'none'}")
        assert not chain.eager
    points = found["eyes"]["landmarks"][0]
    to_frame = places["eyes"].to_frame(112)
    points = ((points * 112 - 0.5) @ to_frame[:, :2].T + to_frame[:, 2]).astype(np.float32)
    places |= {"fatigue": fatigue_crop(points), "distraction": distraction_crop(landmark_box(points))}
    for net, place in places.items():
        shape = (CONTRACTS[net].height, CONTRACTS[net].width)
        expected = backends[net].infer({"image": on_host(image, place, shape)[None, None]})
        for name, values in found[net].items():
            print(f"{net}.{name}: at most {np.abs(values - expected[name]).max():.2e} apart")
            limit = 0.02 if WARP_LIMIT == 1 else 0.5  # degrees are the coarsest unit here
            assert values == pytest.approx(expected[name], abs=limit, rel=0.02), (net, name)


def test_a_chain_gives_the_same_answer_every_time(engines, kernels):
    images = [frame(seed=seed) for seed in range(2)]
    cuts = {"eyes": as_cut(Crop(640, 360, 400), 112)}
    with closing(FrameChain(engines, kernels, Pinned)) as chain:
        answers = [
            chain.look("eyes", i, images[i % 2], cuts, ("fatigue", "distraction"))["landmarks"]
            for i in range(200)
        ]
    assert not np.array_equal(answers[0], answers[1])
    assert all(np.array_equal(answer, answers[i % 2]) for i, answer in enumerate(answers))


def test_the_stages_see_on_the_chain_what_they_see_on_the_host(engines, backends, kernels):
    pytest.importorskip("pydantic", reason="pydantic is not installed")
    from dms.engines.opening import Opened
    from dms.stages.views import CutView, DeviceView, open_views
    from tests.unit.backends.cuda.sight import LIMITS, apart, frames, seen_on

    pictures = frames(60)
    expected = seen_on({net: CutView(net, backend) for net, backend in backends.items()}, pictures)
    opened = {n: Opened(backends[n], "trt", "fp32", "1", "0", engines[n]) for n in CONTRACTS}
    with open_views(opened, kernels, pictures[0].image.shape) as views:
        assert all(isinstance(view, DeviceView) for view in views.values())
        found = apart(seen_on(views, pictures), expected)
    print(f"\n{found}")
    assert all(found[name] <= (1 if WARP_LIMIT == 1 else 8) * limit for name, limit in LIMITS.items())
