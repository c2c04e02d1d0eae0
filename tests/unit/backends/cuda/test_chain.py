"""The chain on a CUDA that computes on the host, with the shipped nets, against the way through the host."""

from contextlib import suppress

import numpy as np
import pytest

from dms import landmarks as lm
from dms.backends import TensorSpec
from dms.backends.cuda import chain as chains
from dms.backends.cuda.chain import FrameChain
from dms.backends.cuda.crops import Fit, Warp
from dms.backends.cuda.memory import STRATEGIES, Mapped, Pinned
from dms.engines.contract import CONTRACTS
from dms.errors import EngineError
from tests.unit.backends.cuda import twin as twins
from tests.unit.backends.cuda.engines import array_at
from tests.unit.backends.cuda.host_cuda import HostCuda

pytestmark = pytest.mark.skipif(not twins.has_compiler(), reason="g++ is not installed")

WHOLE = Fit(0, 8, 256, 144, averaged=True)


def square(x, y, scale):
    return Warp((scale, 0.0, x, 0.0, scale, y))


class NetLike:
    """Says with every output what it saw: the mean of its input, spread so that landmarks make a face."""

    def __init__(self, cuda, net):
        contract = CONTRACTS[net]
        self._cuda, self._bound = cuda, {}
        self.inputs = {"image": TensorSpec("image", (None, 1, contract.height, contract.width), "uint8")}
        self.outputs = {n: TensorSpec(n, (None, *s), "float32") for n, s in contract.outputs.items()}
        self.runs = 0

    def bind(self, name, address):
        self._bound[name] = address

    def enqueue(self, stream, batch=1):
        bound = dict(self._bound)
        self._cuda.put(stream, lambda: self._compute(bound))

    def _compute(self, bound):
        self.runs += 1
        image = array_at(bound["image"], self.inputs["image"].shape[1:], np.uint8)
        for name, spec in self.outputs.items():
            shape = spec.shape[1:]
            spread = np.random.default_rng(len(name)).uniform(0.3, 0.6, shape)
            array_at(bound[name], shape, np.float32)[:] = image.mean() / 255 * 0.2 + spread

    def close(self):
        pass


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    return twins.built(tmp_path_factory.mktemp("twin"))


@pytest.fixture
def cuda(monkeypatch, twin):
    return HostCuda(twin).install(monkeypatch)


@pytest.fixture
def engines(cuda):
    return {net: NetLike(cuda, net) for net in CONTRACTS}


def frame(seed=0, height=180, width=320):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def same(one, other):
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_what_runs_together_says_what_each_says_alone(engines, strategy):
    chain, image = FrameChain(engines, memory=strategy), frame()
    assert not chain.eager
    cuts = {"face": WHOLE, "eyes": square(40, 20, 1.3)}
    together = {"face": chain.look("face", 1, image, cuts, ("fatigue", "distraction"))}
    together["eyes"] = chain.look("eyes", 1, image, {"eyes": cuts["eyes"]})
    for net in ("fatigue", "distraction"):  # asked with a cut of the host's, as the stages do
        together[net] = chain.look(net, 1, image, {net: square(0, 0, 1)})
    points = together["eyes"]["landmarks"][0]
    assert points.min() > 0.2
    alone = FrameChain(engines, memory=strategy)
    for net in ("face", "eyes"):
        assert same(alone.look(net, 1, image, {net: cuts[net]}), together[net])
    for net, cut in followers_cuts(points, cuts["eyes"]).items():
        found = alone.look(net, 1, image, {net: cut})
        for name, values in found.items():
            assert values == pytest.approx(together[net][name], abs=1e-4)


def followers_cuts(points, eyes):
    from dms.stages.tensors import distraction_crop, fatigue_crop, landmark_box

    to_frame = np.array(eyes.matrix).reshape(2, 3)
    found = ((points * 112 - 0.5) @ to_frame[:, :2].T + to_frame[:, 2]).astype(np.float32)
    return {
        "fatigue": Warp(tuple(fatigue_crop(found).to_frame(96).ravel())),
        "distraction": Warp(tuple(distraction_crop(landmark_box(found)).to_frame(128).ravel())),
    }


def test_what_has_run_already_is_not_run_again(engines):
    chain, image = FrameChain(engines, memory=Pinned), frame()
    cuts = {"face": WHOLE, "eyes": square(40, 20, 1)}
    chain.look("face", 1, image, cuts, ("fatigue",))
    runs = {net: engine.runs for net, engine in engines.items()}
    chain.look("eyes", 1, image, {"eyes": cuts["eyes"]}, ("fatigue",))
    chain.look("fatigue", 1, image, {"fatigue": square(0, 0, 1)})
    assert {net: engine.runs for net, engine in engines.items()} == runs


def test_eyes_that_must_look_elsewhere_run_again_and_with_them_those_that_follow(engines):
    chain, image = FrameChain(engines, memory=Pinned), frame()
    chain.look("face", 1, image, {"face": WHOLE, "eyes": square(40, 20, 1)}, ("fatigue",))
    moved = {"eyes": square(100, 20, 1)}
    eyes = chain.look("eyes", 1, image, moved, ("fatigue",))
    fatigue = chain.look("fatigue", 1, image, {"fatigue": square(0, 0, 1)})
    other = FrameChain(engines, memory=Pinned)
    assert same(other.look("eyes", 1, image, moved, ("fatigue",)), eyes)
    assert same(other.look("fatigue", 1, image, {"fatigue": square(0, 0, 1)}), fatigue)


def test_nothing_is_carried_over_to_the_next_frame(engines):
    chain, here = FrameChain(engines, memory=Mapped), {"eyes": square(40, 20, 1)}
    first, second = frame(1), frame(2)
    chain.look("eyes", 1, first, here, ("fatigue",))
    place = {"fatigue": square(10, 10, 1)}
    late = chain.look("fatigue", 2, second, place)
    again = FrameChain(engines, memory=Mapped).look("fatigue", 2, second, place)
    assert same(late, again)
    # The same number on another picture is another frame: a recording that starts anew.
    assert not same(chain.look("eyes", 1, first, here), chain.look("eyes", 1, second, here))


def test_prepared_at_start_the_first_frame_takes_one_launch_and_no_memory(engines, cuda):
    chain, image = FrameChain(engines, memory=Pinned), frame()
    chain.prepare(image.shape)
    assert cuda.launched_graphs == 11
    cuda.calls.clear()
    found = chain.look("face", 1, image, {"face": WHOLE, "eyes": square(40, 20, 1)}, ("fatigue",))
    assert cuda.calls == ["cudaGraphLaunch", "cudaEventRecord", "cudaEventSynchronize"]
    assert same(FrameChain(engines, memory=Pinned).look("face", 1, image, {"face": WHOLE}), found)


def test_what_is_prepared_after_a_frame_does_not_answer_for_it(engines):
    chain, image, here = FrameChain(engines, memory=Pinned), frame(), {"eyes": square(40, 20, 1)}
    first = chain.look("eyes", 1, image, here)
    chain.prepare((360, 640))
    assert same(chain.look("eyes", 1, image, here), first)


def test_a_frame_of_another_size_is_no_trouble_and_is_told_once(engines, cuda, caplog):
    chain, here = FrameChain(engines, memory=Pinned), {"eyes": square(10, 10, 1)}
    chain.look("eyes", 1, frame(), here)
    assert not caplog.records
    held = len(cuda.held)
    larger = frame(3, 360, 640)
    found = chain.look("eyes", 2, larger, here)
    chain.look("eyes", 3, larger.copy(), here)
    assert [record.message.split(":")[0] for record in caplog.records] == ["frames are now 640x360"]
    assert len(cuda.held) == held
    assert same(FrameChain(engines, memory=Pinned).look("eyes", 2, larger, here), found)


def test_a_frame_too_large_for_the_sums_is_refused(engines):
    huge = np.broadcast_to(np.uint8(0), (5000, 5000))
    with pytest.raises(EngineError, match="too large"):
        FrameChain(engines, memory=Mapped).look("face", 1, huge, {"face": WHOLE})


def test_a_part_of_the_nets_will_do(engines):
    chain = FrameChain({net: engines[net] for net in ("eyes", "distraction")}, memory=Pinned)
    assert chain.nets == {"eyes", "distraction"}
    image, here = frame(), {"eyes": square(40, 20, 1)}
    chain.look("eyes", 1, image, here, ("distraction",))
    found = chain.look("distraction", 1, image, {"distraction": square(0, 0, 1)})
    whole = FrameChain(engines, memory=Pinned)
    whole.look("eyes", 1, image, here, ("fatigue", "distraction"))
    assert same(whole.look("distraction", 1, image, {"distraction": square(0, 0, 1)}), found)


def test_a_failed_run_is_told_and_the_next_one_works(engines, cuda):
    chain, image, here = FrameChain(engines, memory=Pinned), frame(), {"eyes": square(40, 20, 1)}
    good = chain.look("eyes", 1, image, here)
    cuda.calls.clear()
    cuda.fail_at = 1
    with pytest.raises(EngineError, match="cudaGraphLaunch"):
        chain.look("eyes", 1, image, here)
    assert same(chain.look("eyes", 1, image, here), good)


def test_closing_gives_all_back_and_then_it_refuses(engines, cuda):
    chain = FrameChain(engines)
    chain.look("face", 1, frame(), {"face": WHOLE})
    chain.close()
    chain.close()
    assert cuda.held == []
    with pytest.raises(EngineError, match="closed"):
        chain.look("face", 1, frame(), {"face": WHOLE})
    with pytest.raises(EngineError, match="closed"):
        chain.prepare((180, 320))


@pytest.mark.parametrize("sticky", [False, True])
def test_whatever_fails_while_a_chain_is_made_nothing_is_kept(cuda, sticky):
    engines = {net: NetLike(cuda, net) for net in ("eyes", "fatigue")}

    def use():
        chain = FrameChain(engines, memory=Pinned)
        try:
            chain.look("eyes", 1, frame(), {"eyes": square(40, 20, 1)}, ("fatigue",))
        finally:
            chain.close()

    use()
    calls, cuda.sticky = len(cuda.calls), sticky
    for number in range(1, calls + 1):
        cuda.calls.clear()
        cuda.fail_at = number
        with suppress(EngineError):
            use()
        assert cuda.held == [], number


def test_rows_and_nets_are_those_of_the_contract():
    assert set(chains.NETS) == set(CONTRACTS)
    assert CONTRACTS["eyes"].outputs["landmarks"][0] == lm.COUNT
