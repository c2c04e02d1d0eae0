"""Sharing one engine: who waits goes as one batch, nobody waits for a batch, one's fault is not another's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from dms.backends import Arrays, open_backend
from dms.backends.batching import BatchingBackend
from dms.backends.scripted import ScriptedBackend
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import load_manifest
from dms.errors import EngineError
from dms.resources import engines_folder

WAIT_S = 10.0
BROKEN = 255
BUG = 254


def picture(value: int, rows: int = 1) -> Arrays:
    contract = CONTRACTS["fatigue"]
    return {"image": np.full((rows, 1, contract.height, contract.width), value, np.uint8)}


class Engine(ScriptedBackend):
    """Answers with the first pixel of each row; may be held up; a row of `BROKEN` or `BUG` ends the run."""

    def __init__(self) -> None:
        super().__init__("fatigue", self._answer_rows)
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.held = False

    def _answer_rows(self, feeds: Arrays) -> Arrays:
        values = feeds["image"][:, 0, 0, 0]
        self.batches.append([int(value) for value in values])
        if self.held:
            self.entered.release()
            assert self.go.acquire(timeout=WAIT_S)
        if BROKEN in values:
            raise EngineError("the runtime failed")
        if BUG in values:
            raise ZeroDivisionError("nobody thought of this")
        return {"state": np.repeat(values[:, None].astype(np.float32), 5, axis=1)}


class Rig:
    """A batching backend over one held engine, and callers in threads."""

    def __init__(self, max_batch: int) -> None:
        self.engine = Engine()
        self.shared = BatchingBackend([self.engine], max_batch)
        self.pool = ThreadPoolExecutor(16)

    def ask(self, value: int, rows: int = 1) -> Future[list[float]]:
        return self.pool.submit(lambda: [*map(float, self.shared.infer(picture(value, rows))["state"][:, 0])])

    def ask_behind_a_run(self, *values: int) -> list[Future[list[float]]]:
        """One caller at work, the others waiting behind it in this order."""
        self.engine.held = True
        futures = [self.ask(values[0])]
        assert self.engine.entered.acquire(timeout=WAIT_S)
        for waiting, value in enumerate(values[1:], 1):
            futures.append(self.ask(value))
            until(lambda waiting=waiting: self.shared.waiting == waiting)
        self.engine.held = False
        self.engine.go.release()
        return futures


def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells about."""
    turn = threading.Event()
    for _ in range(round(WAIT_S / 0.001)):
        if condition():
            return
        turn.wait(0.001)
    pytest.fail("it never came")


@pytest.fixture
def rig() -> Rig:
    return Rig(max_batch=4)


def test_a_lone_caller_runs_at_once_and_alone(rig: Rig) -> None:
    assert rig.ask(7).result(WAIT_S) == [7]
    assert rig.engine.batches == [[7]]


def test_those_who_wait_go_as_one_batch_and_each_gets_its_own_rows(rig: Rig) -> None:
    futures = rig.ask_behind_a_run(1, 2, 3, 4)
    assert [f.result(WAIT_S) for f in futures] == [[1], [2], [3], [4]]
    assert rig.engine.batches == [[1], [2, 3, 4]]


def test_no_batch_is_larger_than_allowed(rig: Rig) -> None:
    futures = rig.ask_behind_a_run(*range(1, 8))
    assert [f.result(WAIT_S) for f in futures] == [[value] for value in range(1, 8)]
    assert rig.engine.batches == [[1], [2, 3, 4, 5], [6, 7]]


def test_a_batch_of_one_only_shares_the_seat() -> None:
    rig = Rig(max_batch=1)
    futures = rig.ask_behind_a_run(1, 2, 3)
    assert [f.result(WAIT_S) for f in futures] == [[1], [2], [3]]
    assert rig.engine.batches == [[1], [2], [3]]


def test_callers_with_several_rows_are_never_torn_apart(rig: Rig) -> None:
    rig.engine.held = True
    first = rig.ask(1)
    assert rig.engine.entered.acquire(timeout=WAIT_S)
    pair = rig.ask(2, rows=2)
    until(lambda: rig.shared.waiting == 1)
    three = rig.ask(3, rows=3)
    until(lambda: rig.shared.waiting == 2)
    rig.engine.held = False
    rig.engine.go.release()
    assert [f.result(WAIT_S) for f in (first, pair, three)] == [[1], [2, 2], [3, 3, 3]]
    assert rig.engine.batches == [[1], [2, 2], [3, 3, 3]]


def test_only_the_caller_at_fault_hears_of_it(rig: Rig) -> None:
    futures = rig.ask_behind_a_run(1, 2, BROKEN, 4)
    with pytest.raises(EngineError, match="the runtime failed"):
        futures[2].result(WAIT_S)
    assert [futures[i].result(WAIT_S) for i in (0, 1, 3)] == [[1], [2], [4]]
    assert rig.engine.batches == [[1], [2, BROKEN, 4], [2], [BROKEN], [4]]


def test_the_seat_is_free_again_after_a_failure(rig: Rig) -> None:
    with pytest.raises(EngineError):
        rig.shared.infer(picture(BROKEN))
    assert rig.ask(5).result(WAIT_S) == [5]


def test_a_bug_in_the_engine_frees_those_who_ran_along(rig: Rig) -> None:
    futures = rig.ask_behind_a_run(1, BUG, 3)
    assert futures[0].result(WAIT_S) == [1]
    with pytest.raises(ZeroDivisionError):
        futures[1].result(WAIT_S)
    with pytest.raises(EngineError, match="broken off"):
        futures[2].result(WAIT_S)
    assert rig.ask(5).result(WAIT_S) == [5]


def test_each_seat_runs_at_the_same_time() -> None:
    engine = Engine()
    engine.held = True
    shared = BatchingBackend([engine, engine], max_batch=1)
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(shared.infer, picture(value)) for value in (1, 2, 3)]
        for _ in range(2):
            assert engine.entered.acquire(timeout=WAIT_S)
        until(lambda: shared.waiting == 1)
        assert len(engine.batches) == 2
        engine.go.release(3)
        assert all(len(future.result(WAIT_S)["state"]) == 1 for future in futures)


def test_closing_closes_every_seat() -> None:
    engines = [Engine(), Engine()]
    shared = BatchingBackend(engines, 1)
    shared.close()
    shared.close()
    for engine in engines:
        with pytest.raises(EngineError, match="closed"):
            engine.infer(picture(1))


@pytest.mark.parametrize("net", CONTRACTS)
def test_a_real_engine_answers_many_threads_as_it_answers_one(net: str) -> None:
    contract, manifest = CONTRACTS[net], load_manifest(engines_folder() / net)
    engine = open_backend("ort", manifest.verified_path(manifest.precision_for("int8", "ort")))
    shared = BatchingBackend([engine, engine], max_batch=4)
    random = np.random.default_rng(0)
    pictures = random.integers(0, 255, (24, 1, 1, contract.height, contract.width), dtype=np.uint8)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda image: shared.infer({"image": image}), pictures))
    for image, answer in zip(pictures, answers, strict=True):
        alone = engine.infer({"image": image})
        for name in alone:  # a batch may add up in another order: the last bits differ
            np.testing.assert_allclose(answer[name], alone[name], rtol=1e-5, atol=1e-5)
    shared.close()
