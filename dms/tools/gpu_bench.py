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

FRAMES = {"360p": (360, 640), "720p": (720, 1280), "1080p": (1080, 1920)}
TARGET_US = 15.0
"""For 720p to all four inputs in one launch, on a data-centre GPU."""
LAUNCHES = 200
REPEATS = 15
COPIED_BYTES = 1 << 29
LOOKS = 300

Engines = Mapping[str, DeviceEngine]


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


def places(shape: tuple[int, int]) -> dict[str, Crop | Letterbox]:
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
    sizes = [CONTRACTS[net].height * CONTRACTS[net].width for net in chosen]
    with ExitStack() as stack:
        frame = stack.enter_context(closing(Pinned(device, image.size)))
        inputs = stack.enter_context(closing(Pinned(device, sum(sizes))))
        rows = stack.enter_context(closing(Pinned(device, len(chosen) * ROW.itemsize)))
        frame.host[:] = image.ravel()
        begins = np.concatenate([[0], np.cumsum(sizes)])
        for row, (net, place), begin in zip(rows.host.view(ROW), chosen.items(), begins, strict=False):
            row["out"], row["height"], row["width"] = (
                inputs.address + begin,
                CONTRACTS[net].height,
                CONTRACTS[net].width,
            )
            describe(row, as_cut(place, CONTRACTS[net].width))
        rows.upload(stream, 0, len(rows.host))
        upload_us = _between_events_us(device, stream, lambda: frame.upload(stream, 0, image.size))

        def launch() -> None:
            cutter.cut(stream, frame.address, shape, rows.address, len(chosen), max(sizes))

        in_graph_us, alone_us = (f(device, stream, launch) for f in (_in_graph_us, _between_events_us))
        inputs.download(stream, 0, sum(sizes))
        stream.wait()
        on_host = np.concatenate([cut_on_host(image, n, p).ravel() for n, p in chosen.items()])
        apart = np.abs(inputs.host.astype(int) - on_host)
    touched = image.size + sum(sizes)
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
    chosen: Mapping[str, Crop | Letterbox],
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


def as_text(found: Mapping[str, Any]) -> str:
    """The figures for a person."""
    memory = found["memory"]
    trips = ", ".join(f"{name} {us:.0f} µs" for name, us in memory["round_trip_us"].items())
    lines = [
        found["device"],
        f"memory: {memory['chosen']} (720p in, results out: {trips})",
        f"copy on the device {found['device_copy_gb_s']:.0f} GB/s",
        f"empty launch {found['empty_launch_us']:.2f} µs",
    ]
    for name, row in found["frames"].items():
        lines.append(
            f"{name}: all inputs {row['kernel_us']:.2f} µs (memory {row['memory_bound_us']:.2f} + launch = "
            f"{row['roofline_us']:.2f} µs; from Python {row['launched_from_python_us']:.1f}), "
            f"upload {row['upload_us']:.1f} µs, OpenCV {row['host_opencv_us']:.0f} µs, apart from OpenCV "
            f"{found['opencv']} at most {row['max_apart_from_opencv']} ({row['share_apart_from_opencv']:.4%})"
        )
    kernel_us = found["frames"]["720p"]["kernel_us"]
    lines.append(
        f"target for 720p at most {TARGET_US:.0f} µs: {'met' if kernel_us <= TARGET_US else 'missed'}"
    )
    for name, row in found.get("whole_frame", {}).items():
        lines.append(
            f"{name}, four nets: graph {row['graph_us']:.0f} µs, piece by piece "
            f"{row['piece_by_piece_us']:.0f} µs, engine by engine {row['engine_by_engine_us']:.0f} µs"
        )
        lines += [f"  no graph for {nets}: {why}" for nets, why in row["not_graphs"].items()]
    if "whole_frame" not in found:
        lines.append("a whole frame was not measured: no engines were given")
    return "\n".join(lines)


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
