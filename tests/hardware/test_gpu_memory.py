# ruff: noqa: T201 (what is found is kept as a measurement)
"""Memory, streams, graphs and the runner on a real GPU; each test prints what it found."""

from contextlib import closing

import cv2
import numpy as np
import pytest

from dms.backends import TensorSpec
from dms.backends.cuda.chain import FrameChain
from dms.backends.cuda.crops import Warp
from dms.backends.cuda.graph import Work
from dms.backends.cuda.memory import STRATEGIES, Pinned, choose
from dms.backends.cuda.runner import DeviceRunner
from dms.backends.cuda.runtime import Event
from dms.engines.contract import CONTRACTS
from dms.errors import EngineError, EngineUnavailable
from tests.hardware.gpu import BOTH, ON_GPU, frame

DRIVERS_OWN = 8 << 20
"""Bytes that the driver may take or give back by itself; what twenty leaks would take is five times that."""

pytestmark = ON_GPU


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
