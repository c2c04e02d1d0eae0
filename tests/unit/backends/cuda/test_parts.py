"""Memory, graphs and the runner over a CUDA that computes on the host."""

import sys
from contextlib import suppress
from inspect import signature

import numpy as np
import pytest

from dms.backends.cuda.graph import Work
from dms.backends.cuda.memory import STRATEGIES, Mapped, Pinned, choose
from dms.backends.cuda.runner import DeviceRunner
from dms.backends.cuda.runtime import Device, Stream
from dms.errors import EngineError, EngineUnavailable
from tests.unit.backends.cuda.engines import MoodyEngine, RefusingEngine, SumEngine
from tests.unit.backends.cuda.host_cuda import ATTRIBUTES, Error, HostCuda


@pytest.fixture
def cuda(monkeypatch):
    return HostCuda().install(monkeypatch)


def pictures(rows, size=4):
    return np.random.default_rng(rows).integers(0, 256, (rows, 1, size, size), dtype=np.uint8)


def test_the_stand_in_has_only_functions_of_the_real_bindings():
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="the CUDA bindings are not installed")
    from cuda.bindings import driver, nvrtc

    named = [name[1:] for name in vars(HostCuda) if name.startswith(("_cuda", "_cu", "_nvrtc"))]
    assert len(named) > 25
    for name in named:
        module = runtime if name.startswith("cuda") else nvrtc if name.startswith("nvrtc") else driver
        real, own = (signature(f).parameters for f in (getattr(module, name), vars(HostCuda)[f"_{name}"]))
        assert len(own) == len(real) + 1, name  # and self
    for name in vars(HostCuda().runtime):
        assert hasattr(runtime, name), name
    assert all(hasattr(runtime.cudaDeviceAttr, name) for name in ATTRIBUTES)


def test_tells_what_the_device_is(cuda):
    info = Device().info
    assert (info.name, info.arch, info.integrated) == ("Host, playing a GPU", "sm_87", True)
    assert "driver for CUDA 13.0, bindings for 13.5" in str(info)


def test_missing_bindings_name_the_extras(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(EngineUnavailable, match=r"pip install 'dms\[jetson6\]'.*dms\[jetson7\]"):
        Device()


def test_no_driver_is_a_typed_error(monkeypatch):
    HostCuda(driver=0).install(monkeypatch)
    with pytest.raises(EngineUnavailable, match="no NVIDIA driver"):
        Device()


def test_a_driver_too_old_for_the_bindings_tells_both_versions(monkeypatch):
    HostCuda(driver=12060).install(monkeypatch)
    with pytest.raises(EngineUnavailable, match=r"driver speaks CUDA 12\.6, the bindings are for 13\.5"):
        Device()


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_bytes_get_to_the_device_and_back(cuda, strategy):
    device = Device()
    stream, buffer = Stream(device), strategy(device, 1000)
    buffer.host[:] = 7
    buffer.upload(stream, 0, 1000)
    stream.fill(buffer.address + 500, 9, 100)
    buffer.download(stream, 0, 1000)
    stream.wait()
    assert buffer.host.tolist() == [7] * 500 + [9] * 100 + [7] * 400
    for closing in (buffer, buffer, stream, stream):
        closing.close()
    assert cuda.held == []


def test_memory_that_is_not_there_is_a_typed_error_and_nothing_is_kept(monkeypatch):
    cuda = HostCuda(total=1 << 20).install(monkeypatch)
    device = Device()
    with pytest.raises(
        EngineUnavailable, match=r"cannot have 0\.6 MB on the GPU memory, 0 of the GPU's 1 MB"
    ):
        Pinned(device, 600_000)  # the host's half fits, the device's does not
    assert cuda.held == []


@pytest.mark.parametrize("integrated", [0, 1])
def test_the_way_suggested_by_the_hardware_is_left_only_for_one_clearly_faster(cuda, monkeypatch, integrated):
    monkeypatch.setitem(ATTRIBUTES, "cudaDevAttrIntegrated", integrated)
    times = {Mapped: 10.0, Pinned: 11.0}
    monkeypatch.setattr("dms.backends.cuda.memory.round_trip_us", lambda d, strategy, n: times[strategy])
    suggested, other = (Mapped, Pinned) if integrated else (Pinned, Mapped)
    assert choose(Device()).strategy is suggested
    times[suggested], times[other] = 30.0, 20.0
    choice = choose(Device())
    assert choice.strategy is other
    assert sorted(choice.round_trip_us.values()) == [20.0, 30.0]


def test_the_probe_measures_both_and_gives_all_back(cuda):
    assert set(choose(Device(), 1000).round_trip_us) == {"mapped", "pinned"}
    assert cuda.held == []


def refuse(cuda, function):
    """Have `function` fail from now on."""
    setattr(cuda, f"_{function}", lambda *_: (Error.cudaErrorInvalidValue, None))


@pytest.mark.parametrize("integrated", [0, 1])
def test_where_one_way_does_not_work_the_other_is_taken(cuda, monkeypatch, integrated):
    monkeypatch.setitem(ATTRIBUTES, "cudaDevAttrIntegrated", integrated)
    refuse(cuda, "cudaHostGetDevicePointer")  # a GPU that cannot map memory of the host
    choice = choose(Device(), 1000)
    assert (choice.name, list(choice.round_trip_us)) == ("pinned", ["pinned"])
    assert cuda.held == []
    runner = DeviceRunner(SumEngine(cuda))
    assert runner.infer({"image": pictures(1)})["mean"] == pytest.approx(pictures(1).mean())


def test_where_no_way_works_another_runtime_may_do_and_both_reasons_are_told(cuda):
    refuse(cuda, "cudaMemcpyAsync")
    with pytest.raises(
        EngineUnavailable, match=r"mapped: cudaMemcpyAsync.*pinned: cudaMemcpyAsync.*another backend"
    ):
        choose(Device(), 1000)
    assert cuda.held == []


def adder(cuda, stream, buffer):
    """Work that copies byte 0 to byte 300."""
    return lambda: stream.copy(buffer.address + 300, buffer.address, 1)


def test_work_is_launched_as_a_graph_that_sees_the_input_of_each_run(cuda):
    device = Device()
    stream, buffer = Stream(device), Mapped(device, 400)
    work = Work("copy", stream, adder(cuda, stream, buffer), buffer, (300, 301))
    assert work.eager_because is None
    before = cuda.launched_graphs
    for value in (3, 4):
        buffer.host[0] = value
        work.run()
        assert buffer.host[300] == value
    assert cuda.launched_graphs == before + 2
    for closing in (work, work, buffer, stream):
        closing.close()
    assert cuda.held == []


@pytest.mark.parametrize("how", ["raises", "invalidates"])
def test_work_that_cannot_be_recorded_is_done_piece_by_piece_and_said_once(cuda, caplog, how):
    device = Device()
    stream, buffer = Stream(device), Mapped(device, 1024)
    engine = RefusingEngine(cuda, how)
    for name, at in (("image", 0), ("mean", 256), ("first", 512)):
        engine.bind(name, buffer.address + at)
    work = Work("mean", stream, lambda: engine.enqueue(stream.handle), buffer, (256, 1024))
    assert work.eager_because
    assert len(caplog.records) == 1
    buffer.host[:16] = 5
    work.run()
    assert buffer.host[256:260].view(np.float32)[0] == 5
    assert cuda.launched_graphs == 0
    for closing in (work, buffer, stream):
        closing.close()
    assert cuda.held == []


def test_a_graph_that_gives_something_else_is_not_used(cuda, caplog):
    device = Device()
    stream, buffer = Stream(device), Mapped(device, 1024)
    engine = MoodyEngine(cuda)
    for name, at in (("image", 0), ("mean", 256), ("first", 512)):
        engine.bind(name, buffer.address + at)
    work = Work("moody", stream, lambda: engine.enqueue(stream.handle), buffer, (256, 1024))
    assert "of 768 bytes of the results differ" in work.eager_because


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_a_runner_gives_each_row_its_answer_in_pieces_where_there_are_many(cuda, strategy):
    runner = DeviceRunner(SumEngine(cuda), 2, strategy)
    assert runner.device.batches == [1], "the first run is made at start"
    images = pictures(5)
    results = runner.infer({"image": images})
    assert runner.device.batches[1:] == [2, 2, 1]
    assert results["mean"] == pytest.approx(images.mean(axis=(2, 3)))
    assert results["first"].tolist() == images[:, 0, 0, 0].tolist()
    assert all(values.dtype == np.float32 for values in results.values())


def test_a_result_is_not_overwritten_by_the_next_run(cuda):
    runner = DeviceRunner(SumEngine(cuda), 2, Mapped)
    first = runner.infer({"image": pictures(1)})["mean"]
    kept = first.copy()
    runner.infer({"image": np.zeros((1, 1, 4, 4), np.uint8)})
    assert first.tolist() == kept.tolist()


@pytest.mark.parametrize(
    "feeds",
    [
        {"image": np.zeros((1, 1, 5, 5), np.uint8)},
        {"image": np.zeros((0, 1, 4, 4), np.uint8)},
        {"image": np.zeros((1, 1, 4, 4), np.float32)},
        {"picture": np.zeros((1, 1, 4, 4), np.uint8)},
        {},
    ],
)
def test_wrong_input_is_a_typed_error(cuda, feeds):
    with pytest.raises(EngineError, match="the engine takes"):
        DeviceRunner(SumEngine(cuda), 1, Mapped).infer(feeds)


def test_a_closed_runner_refuses_and_has_given_all_back(cuda):
    runner = DeviceRunner(SumEngine(cuda), 2)
    runner.close()
    runner.close()
    assert runner.device.closed
    assert cuda.held == []
    with pytest.raises(EngineError, match="closed"):
        runner.infer({"image": pictures(1)})


@pytest.mark.parametrize("sticky", [False, True])
def test_whatever_fails_while_a_runner_is_made_nothing_is_kept(cuda, sticky):
    DeviceRunner(SumEngine(cuda), 2, Pinned).close()
    calls, cuda.sticky = len(cuda.calls), sticky
    for number in range(1, calls + 1):
        cuda.calls.clear()
        cuda.fail_at, engine = number, SumEngine(cuda)
        with suppress(EngineError):
            DeviceRunner(engine, 2, Pinned).close()
        assert cuda.held == [], number
        assert engine.closed, number


def test_a_run_that_fails_is_a_typed_error_and_the_next_one_works(cuda):
    runner = DeviceRunner(SumEngine(cuda), 1, Pinned)
    cuda.calls.clear()
    cuda.fail_at = 1
    with pytest.raises(EngineError, match="cudaMemcpyAsync"):
        runner.infer({"image": pictures(1)})
    assert runner.infer({"image": pictures(1)})["mean"] == pytest.approx(pictures(1).mean())


def test_after_a_sticky_error_the_run_tells_it_and_closing_frees_all_in_silence(cuda, caplog):
    runner = DeviceRunner(SumEngine(cuda), 1, Pinned)
    cuda.calls.clear()
    cuda.fail_at, cuda.sticky = 3, True
    with pytest.raises(EngineError, match="cudaErrorIllegalAddress"):
        runner.infer({"image": pictures(1)})
    runner.close()
    assert cuda.held == []
    assert cuda.calls.count("cudaStreamDestroy") == cuda.calls.count("cudaEventDestroy") == 1
    assert not caplog.records, "what cannot be given back any more is no news"


def test_an_engine_that_cannot_run_is_known_when_it_is_opened(cuda):
    engine = SumEngine(cuda)

    def enqueue(stream, batch=1):
        raise EngineError("cannot run here")

    engine.enqueue = enqueue
    with pytest.raises(EngineError, match="cannot run here"):
        DeviceRunner(engine, 1, Pinned)
    assert engine.closed
    assert cuda.held == []
