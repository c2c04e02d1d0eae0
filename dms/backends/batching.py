"""One engine for many callers: who comes while it is at work waits, and those who wait go as one batch."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import numpy as np

from dms.backends import Arrays, Backend
from dms.errors import EngineError

CONCURRENT = frozenset({"ort"})
"""Runtimes of which one loaded engine may be asked from several threads at once; the others have buffers for
one run."""


class BatchingBackend:
    """Wraps a loaded engine for callers in several threads.

    A caller who finds a free seat runs at once, together with all who wait, as one batch of at most
    `max_batch` rows; then the next who waits has the seat. Nobody waits for a batch to fill. A batch that
    fails runs again, caller by caller, so that only the one whose rows are at fault hears of it.

    Args:
        seats: one engine for each run that may go on at the same time: the same one several times where its
            runtime may be asked from several threads at once, else copies of it. They stay the caller's to
            close, through `close`.
        max_batch: rows that run together; 1 shares the seats and batches nothing.
    """

    def __init__(self, seats: Sequence[Backend], max_batch: int) -> None:
        self.inputs = seats[0].inputs
        self.outputs = seats[0].outputs
        self._engines = tuple(seats)
        self._max_batch = max_batch
        self._lock = threading.Lock()
        self._free = list(seats)
        self._waiting: deque[_Call] = deque()

    @property
    def waiting(self) -> int:
        """Callers who have no seat yet."""
        return len(self._waiting)

    def infer(self, feeds: Arrays) -> Arrays:
        """Run once, alone or in a batch; see `Backend.infer`."""
        call = _Call(feeds)
        with self._lock:
            seat = self._free.pop() if self._free else None
            if seat is None:
                self._waiting.append(call)
        if seat is None:
            seat = call.wait()
        if seat is not None:
            self._serve(seat, call)
        return call.result()

    def close(self) -> None:
        """Close the engines. May be called twice."""
        for engine in self._engines:
            engine.close()

    def _serve(self, seat: Backend, call: _Call) -> None:
        """Run `call` and all who wait; then leave the seat to the next, whatever happened."""
        batch = self._batch(call)
        try:
            _run(seat, batch)
        finally:
            self._leave(seat)
            for other in batch[1:]:
                other.wake(None)

    def _batch(self, call: _Call) -> list[_Call]:
        batch = [call]
        if self._max_batch > 1:
            free = self._max_batch - call.rows
            with self._lock:
                while self._waiting and self._waiting[0].rows <= free:
                    batch.append(self._waiting.popleft())
                    free -= batch[-1].rows
        return batch

    def _leave(self, seat: Backend) -> None:
        with self._lock:
            if not self._waiting:
                self._free.append(seat)
                return
            following = self._waiting.popleft()
        following.wake(seat)


class _Call:
    """One caller's rows, and what came of them."""

    __slots__ = ("_error", "_results", "_seat", "_woken", "feeds", "rows")

    def __init__(self, feeds: Arrays) -> None:
        self.feeds = feeds
        self.rows = min(map(len, feeds.values()))
        self._results: Arrays | None = None
        self._error: EngineError | None = None
        self._seat: Backend | None = None
        self._woken = threading.Lock()
        self._woken.acquire()

    def wait(self) -> Backend | None:
        """Sleep until woken: by a seat that is free now, or by None once somebody has run these rows."""
        self._woken.acquire()
        return self._seat

    def wake(self, seat: Backend | None) -> None:
        self._seat = seat
        self._woken.release()

    def take(self, results: Arrays) -> None:
        self._results = results

    def fail(self, error: EngineError) -> None:
        self._error = error

    def result(self) -> Arrays:
        if self._error is not None:
            raise self._error
        if self._results is None:
            raise EngineError("the batch that these rows were in was broken off; the log tells why")
        return self._results


def _run(engine: Backend, batch: list[_Call]) -> None:
    """Run all as one; where that fails, each by itself."""
    if len(batch) > 1:
        try:
            results = engine.infer(_joined(batch))
        except EngineError:
            pass  # whose fault it was tells the run of each by itself
        else:
            _hand_out(results, batch)
            return
    for call in batch:
        try:
            call.take(engine.infer(call.feeds))
        except EngineError as error:
            call.fail(error)


def _joined(batch: list[_Call]) -> Arrays:
    return {name: np.concatenate([call.feeds[name] for call in batch]) for name in batch[0].feeds}


def _hand_out(results: Arrays, batch: list[_Call]) -> None:
    """Each caller's own rows; they are views into the batch's results."""
    begin = 0
    for call in batch:
        end = begin + call.rows
        call.take({name: values[begin:end] for name, values in results.items()})
        begin = end
