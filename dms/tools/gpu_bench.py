"""What the GPU part costs here: `python -m dms.tools.gpu_bench [--json FILE]`.

Memory both ways, the launch that cuts all inputs, beside what the hardware allows, and, given engines, a
whole frame as a graph, piece by piece, and engine by engine.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.backends.cuda.chain import FrameChain
from dms.backends.cuda.crops import ROW, Cut, Cutter, describe
from dms.backends.cuda.graph import Graph
from dms.backends.cuda.memory import Choice, Pinned, choose
from dms.backends.cuda.runner import DeviceRunner
from dms.backends.cuda.runtime import Device, Event, Stream
from dms.backends.device import DeviceEngine
from dms.engines.contract import CONTRACTS
from dms.errors import EngineUnavailable
from dms.resources import cache_folder
from dms.stages.cuts import as_cut
from dms.stages.tensors import Crop, Letterbox, cut, fitted, letterbox
from dms.tools.gpu_bench_text import as_text

FRAMES = {"360p": (360, 640), "720p": (720, 1280), "1080p": (1080, 1920)}
LAUNCHES = 200
REPEATS = 15
COPIED_BYTES = 1 << 29
LOOKS = 300

Engines = Mapping[str, DeviceEngine]
Places = Mapping[str, Crop | Letterbox]


def measure(engines: Engines | None = None) -> dict[str, Any]:
    """All figures, in microseconds, medians. Without engines those of a whole frame are left out.

    Raises:
        EngineUnavailable: there is no GPU, or not what it needs.
    """
    device = Device()
    choice = choose(device)
    with ExitStack() as stack:
        stream = stack.enter_context(closing(Stream(device)))
        cutter = stack.enter_context(closing(Cutter(device, cache_folder())))
        copy_gb_s = _copy_gb_s(device, stream)
        floor_us = _in_graph_us(device, stream, lambda: cutter.idle(stream))
        found: dict[str, Any] = {
            "device": str(device.info),
            "opencv": cv2.__version__,
            "memory": {"chosen": choice.name, "round_trip_us": choice.round_trip_us},
            "device_copy_gb_s": copy_gb_s,
            "empty_launch_us": floor_us,
            "frames": {
                name: _cutting(device, stream, cutter, shape, copy_gb_s, floor_us)
                for name, shape in FRAMES.items()
            },
        }
    if engines:
        found["whole_frame"] = {name: _whole_frame(engines, shape, choice) for name, shape in FRAMES.items()}
    return found


def _copy_gb_s(device: Device, stream: Stream) -> float:
    """Bytes read and written in a second by a copy on the device."""
    with ExitStack() as stack:
        here, there = device.allocate(COPIED_BYTES), device.allocate(COPIED_BYTES)
        stack.callback(device.free, here)
        stack.callback(device.free, there)
        spent_us = _between_events_us(device, stream, lambda: stream.copy(there, here, COPIED_BYTES))
    return 2 * COPIED_BYTES / spent_us / 1e3


def _between_events_us(device: Device, stream: Stream, enqueue: Callable[[], None]) -> float:
    """Median time of one `enqueue`, by events on the stream."""
    with closing(Event(device)) as begin, closing(Event(device)) as end:
        spent_us = []
        for _ in range(REPEATS):
            begin.record(stream)
            enqueue()
            end.record(stream)
            stream.wait()
            spent_us.append(1e3 * end.ms_since(begin))
    return median(spent_us[2:])


def _in_graph_us(device: Device, stream: Stream, enqueue: Callable[[], None]) -> float:
    """Time of one of many in a row in a graph: what it costs where it stands, without Python."""
    enqueue()
    stream.wait()

    def many() -> None:
        for _ in range(LAUNCHES):
            enqueue()

    with closing(Graph(stream, many)) as graph:
        return _between_events_us(device, stream, graph.launch) / LAUNCHES


def places(shape: tuple[int, int]) -> Places:
    """Where the four nets look on a typical frame: the face is a third of its height."""
    height, width = shape
    face = height / 3
    return {
        "face": fitted(shape, CONTRACTS["face"].height, CONTRACTS["face"].width),
        "eyes": Crop(width / 2, height / 2, 1.5 * face),
        "fatigue": Crop(width / 2, height / 2, face, 0.1),
        "distraction": Crop(width / 2, height / 2 + 0.4 * face, 2.5 * face),
    }


def cut_on_host(image: NDArray[np.uint8], net: str, place: Crop | Letterbox) -> NDArray[np.uint8]:
    """The input of a net as OpenCV makes it."""
    out = np.zeros((CONTRACTS[net].height, CONTRACTS[net].width), np.uint8)
    if isinstance(place, Crop):
        cut(image, place, out)
    else:
        letterbox(image, out)
    return out


def _cutting(
    device: Device, stream: Stream, cutter: Cutter, shape: tuple[int, int], copy_gb_s: float, floor_us: float
) -> dict[str, Any]:
    """One launch from a frame of noise to all four inputs."""
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    chosen = places(shape)
    with ExitStack() as stack:
        on_device = _Noise(device, stream, cutter, image, chosen, stack)
        upload_us = _between_events_us(device, stream, on_device.upload)
        in_graph_us, alone_us = (f(device, stream, on_device.cut) for f in (_in_graph_us, _between_events_us))
        found = on_device.inputs()
    apart = np.abs(found.astype(int) - _all_on_host(image, chosen))
    touched = image.size + found.size
    return {
        "kernel_us": in_graph_us,
        "launched_from_python_us": alone_us,
        "upload_us": upload_us,
        "host_opencv_us": _host_us(lambda: [cut_on_host(image, n, p) for n, p in chosen.items()]),
        "bytes": touched,
        "memory_bound_us": touched / copy_gb_s / 1e3,
        "roofline_us": touched / copy_gb_s / 1e3 + floor_us,
        "max_apart_from_opencv": int(apart.max()),
        "share_apart_from_opencv": float((apart > 0).mean()),
    }


def _all_on_host(image: NDArray[np.uint8], chosen: Places) -> NDArray[np.uint8]:
    return np.concatenate([cut_on_host(image, net, place).ravel() for net, place in chosen.items()])


class _Noise:
    """A picture and the inputs that are cut from it, on the device until `stack` ends."""

    def __init__(
        self,
        device: Device,
        stream: Stream,
        cutter: Cutter,
        image: NDArray[np.uint8],
        chosen: Places,
        stack: ExitStack,
    ) -> None:
        self._stream, self._cutter = stream, cutter
        self._shape = image.shape[0], image.shape[1]
        self._sizes = [CONTRACTS[net].height * CONTRACTS[net].width for net in chosen]
        self._frame = stack.enter_context(closing(Pinned(device, image.size)))
        self._inputs = stack.enter_context(closing(Pinned(device, sum(self._sizes))))
        self._rows = stack.enter_context(closing(Pinned(device, len(chosen) * ROW.itemsize)))
        self._frame.host[:] = image.ravel()
        self._describe(chosen)
        self._rows.upload(stream, 0, len(self._rows.host))

    def _describe(self, chosen: Places) -> None:
        begins = accumulate(self._sizes, initial=self._inputs.address)
        for row, (net, place), begin in zip(self._rows.host.view(ROW), chosen.items(), begins, strict=False):
            height, width = CONTRACTS[net].height, CONTRACTS[net].width
            row["out"], row["height"], row["width"] = begin, height, width
            describe(row, as_cut(place, width))

    def upload(self) -> None:
        """Put the copy of the picture to the device on the stream."""
        self._frame.upload(self._stream, 0, len(self._frame.host))

    def cut(self) -> None:
        """Put the launch that cuts all inputs on the stream."""
        rows, largest = self._rows.address, max(self._sizes)
        self._cutter.cut(self._stream, self._frame.address, self._shape, rows, len(self._sizes), largest)

    def inputs(self) -> NDArray[np.uint8]:
        """What was cut, one input after another."""
        self._inputs.download(self._stream, 0, sum(self._sizes))
        self._stream.wait()
        found: NDArray[np.uint8] = self._inputs.host.copy()
        return found


def _host_us(work: Callable[[], Any], times: int = 50) -> float:
    spent_s = []
    for _ in range(times):
        begun_s = time.perf_counter()
        work()
        spent_s.append(time.perf_counter() - begun_s)
    return 1e6 * median(spent_s[times // 5 :])


def _whole_frame(engines: Engines, shape: tuple[int, int], choice: Choice) -> dict[str, Any]:
    """From a frame in the host's memory to all results there, by the clock of the host."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(2)]
    chosen = places(shape)
    cuts = {net: as_cut(chosen[net], CONTRACTS[net].width) for net in ("face", "eyes")}
    found: dict[str, Any] = {}
    for name, graphs in (("graph_us", True), ("piece_by_piece_us", False)):
        with closing(FrameChain(engines, cache_folder(), choice.strategy, graphs=graphs)) as chain:
            found[name] = _looks_us(chain, images, cuts)
            if graphs:
                found["not_graphs"] = chain.eager
    found["engine_by_engine_us"] = _one_by_one_us(engines, images, chosen, choice)
    return found


def _looks_us(chain: FrameChain, images: list[NDArray[np.uint8]], cuts: Mapping[str, Cut]) -> float:
    numbers = iter(range(10 * LOOKS))
    followers = ("fatigue", "distraction")

    def look() -> None:
        number = next(numbers)
        chain.look("face", number, images[number % 2], cuts, followers)

    return _host_us(look, LOOKS)


def _one_by_one_us(
    engines: Engines,
    images: list[NDArray[np.uint8]],
    chosen: Places,
    choice: Choice,
) -> float:
    """The host cuts, and each engine is asked by itself. Nothing is closed but the runners' memory."""
    with ExitStack() as stack:
        runners = {
            net: stack.enter_context(closing(DeviceRunner(_Lent(engine), 1, choice.strategy)))
            for net, engine in engines.items()
        }

        def frame() -> None:
            for net, runner in runners.items():
                runner.infer({"image": cut_on_host(images[0], net, chosen[net])[None, None]})

        return _host_us(frame, LOOKS)


class _Lent:
    """An engine that its user does not close."""

    def __init__(self, engine: DeviceEngine) -> None:
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self.bind, self.enqueue = engine.bind, engine.enqueue

    def close(self) -> None:
        """Left to the owner."""


def main(arguments: list[str] | None = None, engines: Engines | None = None) -> int:
    """Print the figures; exit code 5 where there is no GPU."""
    parser = argparse.ArgumentParser(
        prog="python -m dms.tools.gpu_bench", description="Measure the GPU part."
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    given = parser.parse_args(arguments)
    try:
        found = measure(engines)
    except EngineUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(as_text(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
