# ruff: noqa: T201 (what is found is kept as a measurement)
"""Memory, streams, graphs, kernels and the chain on a real GPU. Run with `pytest -m gpu -rA -s`.

Each test prints what it found. PyTorch plays the engine: TensorRT has its own tests.
"""

import ctypes
from contextlib import ExitStack, closing

import cv2
import numpy as np
import pytest

from dms import landmarks as lm
from dms.backends import TensorSpec, open_backend
from dms.backends.cuda.chain import FrameChain
from dms.backends.cuda.crops import ROW, Cutter, Warp, cubin, describe
from dms.backends.cuda.graph import Work
from dms.backends.cuda.kernels import Module
from dms.backends.cuda.memory import STRATEGIES, Pinned, choose
from dms.backends.cuda.runner import DeviceRunner
from dms.backends.cuda.runtime import Device, Event, Stream
from dms.engines.contract import CONTRACTS
from dms.errors import EngineError, EngineUnavailable
from dms.resources import engines_folder
from dms.stages.cuts import as_cut
from dms.stages.tensors import Crop, cut, distraction_crop, fatigue_crop, fitted, landmark_box, letterbox
from tests.unit.backends.cuda import twin as twins

WARP_LIMIT = 1 if int(cv2.__version__.partition(".")[0]) >= 5 else 8
"""Grey levels; see `tests/unit/backends/cuda/test_kernel.py`."""
DRIVERS_OWN = 8 << 20
"""Bytes that the driver may take or give back by itself; what twenty leaks would take is five times that."""
BOTH = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)


def why_not():
    try:
        Device()
    except EngineUnavailable as error:
        return str(error)
    return ""


pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(why_not()), reason=why_not())]


@pytest.fixture(scope="module")
def device():
    return Device()


@pytest.fixture
def stream(device):
    with closing(Stream(device)) as stream:
        yield stream


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return tmp_path_factory.mktemp("kernels")


class Copying:
    """An engine that copies the first row of its input to the output `row`; it can be made to refuse."""

    def __init__(self, device, refuses=""):
        self.inputs = {"image": TensorSpec("image", (None, 1, 16, 64), "uint8")}
        self.outputs = {"row": TensorSpec("row", (None, 64), "uint8")}
        self._device, self._refuses, self._bound = device, refuses, {}

    def bind(self, name, address):
        self._bound[name] = address

    def enqueue(self, stream, batch=1):
        rt = self._device._rt
        capturing = int(rt.cudaStreamIsCapturing(stream)[1]) != 0
        if capturing and self._refuses == "raises":
            raise EngineError("this engine cannot be recorded")
        if capturing and self._refuses == "waits":
            rt.cudaStreamSynchronize(stream)  # refused by CUDA, and the capture is void
        kind = rt.cudaMemcpyKind.cudaMemcpyDefault
        for i in range(batch):
            rt.cudaMemcpyAsync(self._bound["row"] + 64 * i, self._bound["image"] + 1024 * i, 64, kind, stream)

    def close(self):
        pass


def pictures(rows):
    return np.random.default_rng(rows).integers(0, 256, (rows, 1, 16, 64), dtype=np.uint8)


def frame(height=720, width=1280, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def test_tells_what_it_is(device):
    print(f"\n{device.info}; OpenCV {cv2.__version__}")
    assert device.info.capability >= 75
    assert device.info.multiprocessors > 0


@BOTH
def test_bytes_get_to_the_device_and_back(device, stream, strategy):
    with closing(strategy(device, 4096)) as buffer:
        buffer.host[:] = 7
        buffer.upload(stream, 0, 4096)
        stream.fill(buffer.address + 1000, 9, 100)
        buffer.download(stream, 0, 4096)
        stream.wait()
        assert buffer.host.tolist() == [7] * 1000 + [9] * 100 + [7] * 2996


def test_the_probe_tells_both_ways(device):
    choice = choose(device)
    print(f"\n{choice}")
    assert set(choice.round_trip_us) == set(STRATEGIES)
    assert choice.name == ("mapped" if device.info.integrated else "pinned")


def test_events_keep_time(device, stream):
    nbytes = 1 << 28
    address = device.allocate(nbytes)
    try:
        with closing(Event(device)) as begin, closing(Event(device)) as end:
            begin.record(stream)
            for _ in range(10):
                stream.fill(address, 0, nbytes)
            end.record(stream)
            stream.wait()
            assert 0 < end.ms_since(begin) < 1000
    finally:
        device.free(address)


def test_more_memory_than_there_is_is_a_typed_error_and_nothing_is_kept(device, stream):
    free, total = device.memory()
    with pytest.raises(EngineUnavailable, match="on the GPU memory") as caught:
        device.allocate(total + (1 << 30))
    print(f"\n{caught.value}")
    assert abs(device.memory()[0] - free) < DRIVERS_OWN
    with closing(Pinned(device, 1024)) as buffer:  # and the device goes on working
        buffer.host[:] = 1
        buffer.upload(stream, 0, 1024)
        stream.wait()


def test_memory_that_runs_out_half_way_gives_back_what_was_taken(device, kernels):
    _, total = device.memory()

    def greedy(device, nbytes):
        if nbytes > 2**20:
            device.allocate(total + 2**30)
        return Pinned(device, nbytes)

    def attempt():
        with closing(FrameChain({"eyes": NetLike(device)}, kernels, greedy)) as chain:
            chain.look("eyes", 1, frame(1080, 1920), {"eyes": Warp((1.0, 0, 0, 0, 1.0, 0))})

    with pytest.raises(EngineUnavailable):
        attempt()
    before = device.memory()[0]
    for _ in range(20):
        with pytest.raises(EngineUnavailable):
            attempt()
    assert abs(device.memory()[0] - before) < DRIVERS_OWN


class NetLike(Copying):
    """The shape of `eyes`, without a net: its landmarks are what the memory holds."""

    def __init__(self, device, refuses=""):
        super().__init__(device, refuses)
        outputs = CONTRACTS["eyes"].outputs
        self.inputs = {"image": TensorSpec("image", (None, 1, 112, 112), "uint8")}
        self.outputs = {n: TensorSpec(n, (None, *s), "float32") for n, s in outputs.items()}

    def enqueue(self, stream, batch=1):
        self._bound["row"] = self._bound["landmarks"]
        super().enqueue(stream, batch)


@BOTH
def test_a_graph_sees_the_input_of_each_run(device, stream, strategy):
    with closing(strategy(device, 1024)) as buffer:

        def enqueue():
            buffer.upload(stream, 0, 1)
            stream.copy(buffer.address + 512, buffer.address, 1)
            buffer.download(stream, 512, 513)

        with closing(Work("copy", stream, enqueue, buffer, (512, 513))) as work:
            assert work.eager_because is None
            for value in (3, 4, 5):
                buffer.host[0] = value
                work.run()
                assert buffer.host[512] == value


@pytest.mark.parametrize("refuses", ["raises", "waits"])
def test_an_engine_that_cannot_be_recorded_runs_piece_by_piece(device, stream, refuses, caplog):
    engine = Copying(device, refuses)
    with closing(Pinned(device, 2048)) as buffer:
        engine.bind("image", buffer.address)
        engine.bind("row", buffer.address + 1024)

        def enqueue():
            buffer.upload(stream, 0, 1024)
            engine.enqueue(stream.handle)
            buffer.download(stream, 1024, 1088)

        with closing(Work("copy", stream, enqueue, buffer, (1024, 1088))) as work:
            print(f"\n{work.eager_because}")
            assert work.eager_because
            assert len(caplog.records) == 1
            buffer.host[:1024] = 42
            work.run()
            assert buffer.host[1024:1088].tolist() == [42] * 64


@BOTH
def test_a_runner_gives_each_row_its_answer(device, strategy):
    images = pictures(7)
    with closing(DeviceRunner(Copying(device), 3, strategy)) as runner:
        first = runner.infer({"image": images})["row"]
        assert np.array_equal(first, images[:, 0, 0])
        runner.infer({"image": np.zeros((1, 1, 16, 64), np.uint8)})
        assert np.array_equal(first, images[:, 0, 0])
        with pytest.raises(EngineError, match="the engine takes"):
            runner.infer({"image": np.zeros((1, 1, 5, 5), np.uint8)})
    with pytest.raises(EngineError, match="closed"):
        runner.infer({"image": images})


@BOTH
def test_closing_gives_all_back(device, kernels, strategy):
    def use():
        with (
            closing(DeviceRunner(NetLike(device), 4, strategy)),
            closing(FrameChain({"eyes": NetLike(device)}, kernels, strategy)) as chain,
        ):
            chain.look("eyes", 1, frame(1080, 1920), {"eyes": Warp((1.0, 0, 0, 0, 1.0, 0))})
            chain.look("eyes", 2, frame(720, 1280), {"eyes": Warp((1.0, 0, 0, 0, 1.0, 0))})

    for _ in range(3):  # the driver keeps some memory of its own from the first uses on
        use()
    before = device.memory()[0]
    for _ in range(20):
        use()
    after = device.memory()[0]
    print(f"\nfree before {before}, after 20 more uses {after}")
    assert abs(after - before) < DRIVERS_OWN


# The kernels


def cut_on_gpu(device, stream, kernels, image, places, shapes):
    with ExitStack() as stack:
        cutter = stack.enter_context(closing(Cutter(device, kernels)))
        frame = stack.enter_context(closing(Pinned(device, image.size)))
        sizes = [height * width for height, width in shapes]
        inputs = stack.enter_context(closing(Pinned(device, sum(sizes))))
        rows = stack.enter_context(closing(Pinned(device, len(places) * ROW.itemsize)))
        begins = np.concatenate([[0], np.cumsum(sizes)])
        for row, place, shape, begin in zip(rows.host.view(ROW), places, shapes, begins, strict=False):
            row["out"], (row["height"], row["width"]) = inputs.address + begin, shape
            describe(row, as_cut(place, shape[1]))
        frame.host[:] = image.ravel()
        frame.upload(stream, 0, image.size)
        rows.upload(stream, 0, len(rows.host))
        cutter.cut(stream, frame.address, image.shape, rows.address, len(places), max(sizes))
        inputs.download(stream, 0, sum(sizes))
        stream.wait()
        parts = np.split(inputs.host.copy(), begins[1:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def on_host(image, place, shape):
    out = np.zeros(shape, np.uint8)
    if isinstance(place, Crop):
        cut(image, place, out)
    else:
        letterbox(image, out)
    return out


def random_crop(rng):
    angle = rng.choice([0.0, rng.uniform(-np.pi, np.pi)])
    return Crop(rng.uniform(-300, 1600), rng.uniform(-300, 1000), rng.uniform(0.5, 2000), angle)


def compared(name, found, expected, limit):
    apart = np.abs(
        np.concatenate([f.ravel().astype(int) - e.ravel() for f, e in zip(found, expected, strict=True)])
    )
    print(f"\n{name}: at most {apart.max()} apart, {np.count_nonzero(apart)} of {apart.size} pixels differ")
    assert apart.max() <= limit


def test_crops_are_those_of_the_host(device, stream, kernels, tmp_path):
    rng, image = np.random.default_rng(3), frame()
    places = [random_crop(rng) for _ in range(300)]
    shapes = [(size, size) for size in rng.choice([96, 112, 128], 300).tolist()]
    found = cut_on_gpu(device, stream, kernels, image, places, shapes)
    expected = [on_host(image, *pair) for pair in zip(places, shapes, strict=True)]
    compared(f"300 crops in one launch, OpenCV {cv2.__version__}", found, expected, WARP_LIMIT)
    if twins.has_compiler():
        twin = twins.built(tmp_path)
        compared("300 crops, C++ twin", found, twins.cut_with(twin, image, places, shapes), 0)


@pytest.mark.parametrize(
    ("height", "width"),
    [(360, 640), (720, 1280), (1080, 1920), (480, 640), (1280, 720), (200, 300), (160, 256), (3, 2), (1, 1)],
)
def test_letterboxes_are_those_of_the_host(device, stream, kernels, height, width):
    image = frame(height, width)
    place = fitted(image.shape, 160, 256)
    found = cut_on_gpu(device, stream, kernels, image, [place], [(160, 256)])
    exact = (height, width) in ((360, 640), (720, 1280), (1080, 1920))
    compared(f"{width}x{height}", found, [on_host(image, place, (160, 256))], 0 if exact else 1)


def test_followers_lie_where_the_host_would_put_them(device, stream, kernels):
    rng, worst = np.random.default_rng(8), 0.0
    with ExitStack() as stack:
        cutter = stack.enter_context(closing(Cutter(device, kernels)))
        points = stack.enter_context(closing(Pinned(device, 8 * lm.COUNT)))
        rows = stack.enter_context(closing(Pinned(device, 3 * ROW.itemsize)))
        table = rows.host.view(ROW)
        for _ in range(200):
            eyes = Crop(rng.uniform(100, 1200), rng.uniform(100, 600), rng.uniform(40, 700))
            landmarks = rng.uniform(0.2, 0.8, (lm.COUNT, 2)).astype(np.float32)
            points.host[:] = landmarks.view(np.uint8).ravel()
            table["width"], table[0]["matrix"] = (112, 96, 128), eyes.to_frame(112).ravel()
            points.upload(stream, 0, len(points.host))
            rows.upload(stream, 0, len(rows.host))
            cutter.place(stream, points.address, *(rows.address + i * ROW.itemsize for i in range(3)))
            rows.download(stream, 0, len(rows.host))
            stream.wait()
            for found, expected in zip(table["matrix"][1:], placed_on_host(landmarks, eyes), strict=True):
                worst = max(worst, float(np.abs(found.reshape(2, 3) - expected).max()))
    print(f"\nat most {worst:.2e} pixels of the frame apart")
    assert worst < 1e-3


def placed_on_host(landmarks, eyes):
    to_frame = eyes.to_frame(112)
    points = landmarks * 112 - 0.5
    points = (points @ to_frame[:, :2].T + to_frame[:, 2]).astype(np.float32)
    return fatigue_crop(points).to_frame(96), distraction_crop(landmark_box(points)).to_frame(128)


def test_compiled_kernels_are_kept(device, tmp_path):
    first = cubin(device.info.arch, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-7])
    assert cubin(device.info.arch, tmp_path) == first
    print(f"\n{path.name}, {len(first)} bytes")


def test_kernels_of_another_device_are_a_typed_error(device):
    other = "sm_75" if device.info.capability >= 80 else "sm_90"
    with pytest.raises(EngineUnavailable, match="cannot load the compiled kernels"):
        Module(cubin(other, None), device.info)


def test_a_launch_that_cuda_refuses_is_a_typed_error(device, stream, kernels):
    with closing(Cutter(device, kernels)) as cutter, pytest.raises(EngineError):
        cutter._module.launch("cut", stream, (1 << 30, 1 << 20), 256, [(0, ctypes.c_void_p)] * 4)


# The chain, with the shipped nets


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
    with open_views(opened, kernels) as views:
        assert all(isinstance(view, DeviceView) for view in views.values())
        found = apart(seen_on(views, pictures), expected)
    print(f"\n{found}")
    assert all(found[name] <= (1 if WARP_LIMIT == 1 else 8) * limit for name, limit in LIMITS.items())
