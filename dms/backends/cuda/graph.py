"""Work on a stream that is launched as one CUDA graph where that can be, and piece by piece where not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from dms.backends.cuda.memory import Buffer
from dms.backends.cuda.runtime import Stream
from dms.errors import EngineError

log = logging.getLogger(__name__)


class Graph:
    """What a callable puts on a stream, recorded; launching it costs one call, however much that is.

    Raises:
        EngineError: it put something there that cannot be recorded.
    """

    def __init__(self, stream: Stream, enqueue: Callable[[], None]) -> None:
        self._stream = stream
        self._executable: Any = stream.instantiate(_recorded(stream, enqueue))

    def launch(self) -> None:
        """Put it on the stream."""
        self._stream.launch(self._executable)

    def close(self) -> None:
        """Give it back. May be called twice."""
        if self._executable is not None:
            executable, self._executable = self._executable, None
            self._stream.discard(executable)


def _recorded(stream: Stream, enqueue: Callable[[], None]) -> Any:
    stream.begin_capture()
    try:
        enqueue()
    except BaseException:
        stream.abandon_capture()
        raise
    return stream.end_capture()


class Work:
    """Something to do again and again, its results in the bytes `span` (begin, end) of `results`.

    It is run once piece by piece and once as a graph; the graph is kept only when the results are equal bit
    for bit. They are: the same kernels run on the same input, and engines choose their kernels when they are
    built. An engine whose sums depend on the order of its threads fails this, and runs piece by piece.
    `as_graph` False spares the attempt. `eager_because` tells why there is no graph.
    """

    def __init__(
        self,
        name: str,
        stream: Stream,
        enqueue: Callable[[], None],
        results: Buffer,
        span: tuple[int, int],
        *,
        as_graph: bool = True,
    ) -> None:
        self.name = name
        self._stream = stream
        self._enqueue = enqueue
        self._results = results
        self._span = span
        self._graph: Graph | None = None
        self.eager_because: str | None = None if as_graph else "graphs are switched off"
        if not as_graph:
            return
        try:
            self._try_graph()
        except EngineError as error:
            self.close()
            self.eager_because = str(error)
            log.warning("%s is not launched as one CUDA graph but piece by piece: %s", name, error)

    def _try_graph(self) -> None:
        # The first run lets engines and libraries take what they need: inside a capture nothing can be had.
        self._answer(self._enqueue)
        eager = self._answer(self._enqueue)
        self._graph = Graph(self._stream, self._enqueue)
        differing = np.count_nonzero(eager != self._answer(self._graph.launch))
        if differing:
            raise EngineError(f"as a graph {differing} of {eager.size} bytes of the results differ")

    def _answer(self, launch: Callable[[], None]) -> Any:
        """The results of one run that cannot be left over from the run before."""
        begin, end = self._span
        self._stream.fill(self._results.address + begin, 0xFF, end - begin)
        self._results.download(self._stream, begin, end)
        self._stream.wait()
        launch()
        self._stream.wait()
        return self._results.host[begin:end].copy()

    def run(self) -> None:
        """Do it once; returns when the results are there.

        Raises:
            EngineError: it failed.
        """
        if self._graph is None:
            self._enqueue()
        else:
            self._graph.launch()
        self._stream.wait()

    def close(self) -> None:
        """Give the graph back. May be called twice."""
        if self._graph is not None:
            self._graph.close()
            self._graph = None
