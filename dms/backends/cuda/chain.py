"""One frame through several engines without leaving the device, launched as one CUDA graph.

```
frame, crops ─upload─▶ cut ─▶ face, eyes ─▶ place ─▶ cut ─▶ fatigue, distraction ─download─▶ results
```

The crops of `fatigue` and `distraction` lie on the landmarks that `eyes` finds on the same frame. So the
device places them itself (`place`), and the answers are those of the way through the host.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dms.backends import Arrays
from dms.backends.cuda.crops import LARGEST_FRAME, ROW, Cut, Cutter, Warp, describe
from dms.backends.cuda.graph import Work
from dms.backends.cuda.memory import Buffer, Strategy, aligned, choose, end_of, slots
from dms.backends.cuda.runner import bind
from dms.backends.cuda.runtime import Device, Stream
from dms.backends.device import DeviceEngine
from dms.errors import EngineError

log = logging.getLogger(__name__)

NETS = ("face", "eyes", "fatigue", "distraction")
"""The order of rows and results: nets that are cut together are neighbours."""
ROOTS = (("face",), ("eyes",), ("face", "eyes"), ("fatigue",), ("distraction",))
"""What the host may place, and run, together."""
FOLLOWERS = ((), ("fatigue",), ("distraction",), ("fatigue", "distraction"))
"""What the device may place by the landmarks of `eyes`."""
_PIXELS = aligned(len(NETS) * ROW.itemsize)
"""Where the frame begins in the block that is uploaded; before it lie the rows."""

Nets = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """What a net said of the present frame; `cut` is None where the device chose the place."""

    cut: Cut | None
    arrays: Arrays


@dataclass(frozen=True, slots=True)
class _Sized:
    """What depends on the size of the frame: the block that is uploaded, and the work recorded with it."""

    block: Buffer
    rows: NDArray[np.void]
    pixels: NDArray[np.uint8]
    work: dict[tuple[Nets, Nets], Work]


class FrameChain:
    """Engines that run on crops of one frame. It does not own them; they must outlive it.

    Args:
        engines: by the net's name, any of `NETS`; each takes one uint8 `image`.
        cache: folder for compiled kernels; None keeps nothing.
        memory: how buffers are made; None measures which way is better here.
        graphs: False launches everything piece by piece.

    Raises:
        EngineUnavailable: no GPU, too little memory on it, or no compiler for the kernels.
    """

    def __init__(
        self,
        engines: Mapping[str, DeviceEngine],
        cache: Path | None = None,
        memory: Strategy | None = None,
        *,
        graphs: bool = True,
    ) -> None:
        self._graphs = graphs
        self._engines = {net: engines[net] for net in NETS if net in engines}
        with ExitStack() as stack:
            self._device = Device()
            self._memory = memory or choose(self._device).strategy
            self._stream = stack.enter_context(closing(Stream(self._device)))
            self._cutter = stack.enter_context(closing(Cutter(self._device, cache)))
            self._inputs = {net: self._input(engine, stack) for net, engine in self._engines.items()}
            self._results = stack.enter_context(closing(self._memory(self._device, self._lay_out())))
            self._resources: ExitStack | None = stack.pop_all()
        self._of_size = ExitStack()
        self._sized: _Sized | None = None
        self._frame: tuple[int, NDArray[np.uint8]] | None = None
        self._held: dict[str, _Held] = {}

    @property
    def nets(self) -> frozenset[str]:
        """The nets that it runs."""
        return frozenset(self._engines)

    @property
    def eager(self) -> dict[str, str]:
        """What is not launched as a graph, and why."""
        work = self._sized.work if self._sized else {}
        return {w.name: w.eager_because for w in work.values() if w.eager_because is not None}

    def _input(self, engine: DeviceEngine, stack: ExitStack) -> int:
        address = self._device.allocate(int(np.prod(_shape(engine))))
        stack.callback(self._device.free, address)
        return address

    def _lay_out(self) -> int:
        """Lay the results net by net into one block, so that one copy brings all; returns its size."""
        self._slots = {net: slots(engine.outputs.values(), 1) for net, engine in self._engines.items()}
        sizes = [aligned(end_of(laid)) for laid in self._slots.values()]
        self._begins = dict(zip(self._slots, accumulate(sizes, initial=0), strict=False))
        return sum(sizes)

    def prepare(self, shape: tuple[int, ...]) -> None:
        """Make all that depends on the size of the frames, (height, width), and try every graph.

        That takes a while: to be done at start. A frame of another size does it on its way.

        Raises:
            EngineError: the frames are too large.
            EngineUnavailable: too little memory.
        """
        self._check_open()
        if self._sized is not None:
            if self._sized.pixels.shape == shape:
                return
            log.warning("frames are now %sx%s: what depends on that is made anew on the GPU", *shape[::-1])
        self._held.clear()
        self._sized, self._frame = None, None
        self._of_size.close()
        self._sized = self._made_for(shape)

    def look(
        self,
        net: str,
        frame_id: int,
        image: NDArray[np.uint8],
        cuts: Mapping[str, Cut],
        followers: Collection[str] = (),
    ) -> Arrays:
        """What `net` says of its part of the frame.

        All of `cuts` and `followers` run with it, unless it has run already: what they say is kept for this
        frame, until they are asked with the same cut.

        Args:
            net: who is asked; one of `cuts`.
            frame_id: the frame's number.
            image: its luma, shape (height, width).
            cuts: the part of the frame for each net that runs with it, by name.
            followers: nets to run on the landmarks that `eyes`, one of `cuts`, finds.

        Raises:
            EngineError: something failed on the device; nothing is kept.
        """
        self._check_open()
        if self._frame is None or self._frame[0] != frame_id or self._frame[1] is not image:
            self._take(frame_id, image)
        held = self._held.pop(net, None)
        if held is None or held.cut not in (None, cuts[net]):
            self._run(cuts, tuple(n for n in NETS if n in followers))
            held = self._held.pop(net)
        return held.arrays

    def _check_open(self) -> None:
        if self._resources is None:
            raise EngineError("the engines' chain was closed; open it again before use")

    def _take(self, frame_id: int, image: NDArray[np.uint8]) -> None:
        self._held.clear()
        self._frame = None
        self.prepare(image.shape)
        assert self._sized is not None, "prepared for"
        np.copyto(self._sized.pixels, image)
        self._frame = frame_id, image

    def _run(self, cuts: Mapping[str, Cut], followers: Nets) -> None:
        assert self._sized is not None, "a frame was taken before"
        self._held.clear()
        roots = tuple(net for net in NETS if net in cuts)
        for net in roots:
            describe(self._sized.rows[NETS.index(net)], cuts[net])
        self._sized.work[roots, followers].run()
        for net in roots + followers:
            self._held[net] = _Held(cuts.get(net), self._said(net))

    def _said(self, net: str) -> Arrays:
        begin, end = self._span((net,))
        block = self._results.host[begin:end].copy()  # the next frame overwrites the buffer
        return {name: slot.of(block) for name, slot in self._slots[net].items()}

    def _made_for(self, shape: tuple[int, ...]) -> _Sized:
        """Buffers and graphs for frames of this size. The graphs are tried on noise."""
        size = prod(shape)
        if size > LARGEST_FRAME:
            raise EngineError(f"a frame of {size} pixels is too large to cut, at most {LARGEST_FRAME}")
        with ExitStack() as stack:
            block = stack.enter_context(closing(self._memory(self._device, _PIXELS + size)))
            rows = block.host[: len(NETS) * ROW.itemsize].view(ROW)
            pixels = block.host[_PIXELS:].reshape(shape)
            pixels[:] = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
            self._describe_rows(rows, shape)
            work: dict[tuple[Nets, Nets], Work] = {}
            sized = _Sized(block, rows, pixels, work)
            for nets in self._sets():
                work[nets] = stack.enter_context(closing(self._made_work(sized, *nets)))
            self._of_size = stack.pop_all()
        return sized

    def _made_work(self, sized: _Sized, roots: Nets, followers: Nets) -> Work:
        nets = roots + followers
        enqueue = partial(self._enqueue, sized, roots, followers)
        return Work(
            " + ".join(nets),
            self._stream,
            enqueue,
            self._results,
            self._span(nets),
            as_graph=self._graphs,
        )

    def _describe_rows(self, rows: NDArray[np.void], shape: tuple[int, ...]) -> None:
        """Sizes and addresses of the inputs; the cut is a square at the frame's corner until one is given."""
        for net, engine in self._engines.items():
            row = rows[NETS.index(net)]
            row["height"], row["width"] = _shape(engine)
            row["out"] = self._inputs[net]
            scale = min(shape) / max(_shape(engine))
            describe(row, Warp((scale, 0, 0, 0, scale, 0)))

    def _sets(self) -> list[tuple[Nets, Nets]]:
        """Which nets may run together: the host's, then those that follow."""
        sets = ((roots, followers) for roots in ROOTS for followers in FOLLOWERS)
        return [s for s in sets if self.nets >= set(sum(s, ())) and ("eyes" in s[0] or not s[1])]

    def _span(self, nets: Nets) -> tuple[int, int]:
        """From the first byte of these nets' results to the one after the last."""
        first, last = (min(nets, key=NETS.index), max(nets, key=NETS.index))
        return self._begins[first], self._begins[last] + end_of(self._slots[last])

    def _enqueue(self, sized: _Sized, roots: Nets, followers: Nets) -> None:
        sized.block.upload(self._stream, 0, len(sized.block.host))
        self._cut_and_infer(sized, roots)
        if followers:
            eyes, fatigue, distraction = (self._row(sized, net) for net in NETS[1:])
            points = self._results.address + self._begins["eyes"] + self._slots["eyes"]["landmarks"].begin
            self._cutter.place(self._stream, points, eyes, fatigue, distraction)
            self._cut_and_infer(sized, followers)
        begin, end = self._span(roots + followers)
        self._results.download(self._stream, begin, end)

    def _cut_and_infer(self, sized: _Sized, nets: Nets) -> None:
        largest = max(int(np.prod(_shape(self._engines[net]))) for net in nets)
        pixels = sized.block.address + _PIXELS
        rows = self._row(sized, nets[0])
        shape = sized.pixels.shape[0], sized.pixels.shape[1]
        self._cutter.cut(self._stream, pixels, shape, rows, len(nets), largest)
        for net in nets:
            engine = self._engines[net]
            # Anew each time: the engine may also run alone, with its tensors elsewhere.
            engine.bind("image", self._inputs[net])
            bind(engine, self._slots[net], self._results.address + self._begins[net])
            engine.enqueue(self._stream.handle, 1)

    def _row(self, sized: _Sized, net: str) -> int:
        return int(sized.block.address) + NETS.index(net) * ROW.itemsize

    def close(self) -> None:
        """Give back all but the engines. May be called twice."""
        if self._resources is not None:
            resources, self._resources = self._resources, None
            self._sized, self._frame = None, None
            self._of_size.close()
            resources.close()


def _shape(engine: DeviceEngine) -> tuple[int, int]:
    """Height and width of the engine's input."""
    _, _, height, width = engine.inputs["image"].shape
    return int(height or 1), int(width or 1)
