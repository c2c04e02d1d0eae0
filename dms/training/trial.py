"""A net tried out as the artefacts it would become: speed in FP32 and INT8 on each runtime, task metric."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dms.backends import open_backend
from dms.engines import release
from dms.engines.contract import CONTRACTS
from dms.engines.quantize import float_by_default
from dms.engines.ranges import observe
from dms.engines.running import Images, Infer, Measure, over_batches
from dms.engines.storage import read_model
from dms.engines.table import RangesTable
from dms.errors import EngineMismatch
from dms.evaluation.measure import PREPARED, PRIMARY
from dms.evaluation.pack import Pack
from dms.training import export
from dms.training.qat import relu_of

Call = Callable[[], object]
PRECISION = {"ort": "cpu.int8", "openvino": "trt.int8"}
"""The INT8 form each runtime runs fastest."""
ROUNDS, WARM_UP = 200, 20


@dataclass(frozen=True)
class Judge:
    """The gating metric of a net on the held-out rows of a pack, prepared once."""

    net: str
    measure: Measure

    @property
    def metric(self) -> str:
        """Its name."""
        return PRIMARY[self.net][0]

    def score(self, infer: Infer) -> float:
        """Its value, a fraction of one."""
        return float(self.measure(infer)[self.metric])


def judge(net: str, pack: Pack) -> Judge:
    """Prepare the held-out inputs of a net."""
    return Judge(net, PREPARED[net](pack))


def infer_with(net: nn.Module, batch: int = 64) -> Infer:
    """A trained net as `evaluation` wants models: images (n, 1, height, width) uint8 to named arrays."""
    net = net.eval()
    device = next(net.parameters()).device

    @torch.no_grad()
    def infer(images: Images) -> dict[str, NDArray[Any]]:
        parts = [net(torch.from_numpy(np.ascontiguousarray(p)).to(device)) for p in _split(images, batch)]
        return {k: torch.cat([p[k] for p in parts]).float().cpu().numpy() for k in parts[0]}

    return infer


def _split(images: Images, batch: int) -> Iterator[Images]:
    """Pieces of the images; one empty piece of none, so that outputs have their shapes."""
    for start in range(0, max(1, len(images)), batch):
        yield images[start : start + batch]


def noise_images(name: str, count: int = 64) -> Images:
    """Blocks of random grey: inputs where no data is at hand, for speed alone."""
    contract = CONTRACTS[name]
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (count, 1, contract.height // 8, contract.width // 8), dtype=np.uint8)
    return np.ascontiguousarray(small.repeat(8, 2).repeat(8, 3))


@dataclass(frozen=True)
class Placed:
    """Artefacts of a net as `dms engines` would make them, by precision, and the ranges they share."""

    paths: dict[str, Path]
    ranges: RangesTable


def place(
    name: str, net: nn.Module, folder: Path, images: Images, tops: Mapping[str, float] | None = None
) -> Placed:
    """Export a net, simplify it and quantise it in both forms.

    Args:
        name: the engine.
        net: on the processor.
        folder: where to.
        images: to find ranges with.
        tops: largest results of convolutions that were learned (`qat`) instead of found.

    Raises:
        EngineMismatch: a learned range belongs to no tensor of the exported graph.
    """
    raw = folder / "raw" / "model.onnx"
    export.export(name, net.float(), raw)
    release.place(name, raw, folder / "engines")
    model = read_model(release.fp32_path(name, folder / "engines"), name)
    ranges = observe(model, name, images).table("minmax")
    if tops:
        ranges = learned(ranges, tops)
    release.place_int8(name, folder / "engines", ranges, float_by_default(model))
    return Placed({p: folder / "engines" / name / file for p, file in release.NAMES.items()}, ranges)


def learned(ranges: RangesTable, tops: Mapping[str, float]) -> RangesTable:
    """The table with the learned ranges in place of those found.

    Raises:
        EngineMismatch: a convolution's result is not in the table.
    """
    tensors = dict(ranges.tensors)
    for name, top in tops.items():
        tensor = relu_of(name, tensors)
        if tensor is None:
            raise EngineMismatch(f"the exported graph has no result of {name}; export it with this version")
        tensors[tensor] = (0.0, top)
    return ranges.model_copy(update={"method": "learned", "tensors": tensors})


@contextmanager
def opened(runtime: str, path: Path, name: str) -> Iterator[Call]:
    """One inference of one picture on one thread, as something to call."""
    image = noise_images(name, 1)
    with closing(open_backend(runtime, path)) as backend:
        yield lambda: backend.infer({"image": image})


def alternate(calls: Mapping[Any, Call], rounds: int = ROUNDS) -> dict[Any, float]:
    """Milliseconds of each call, all in turn within one process, so that ratios hold.

    The lower quartile: on a busy machine what was interrupted says nothing about the net.
    """
    spent: dict[Any, list[float]] = {key: [] for key in calls}
    for _ in range(rounds + WARM_UP):
        for key, call in calls.items():
            started = time.perf_counter()
            call()
            spent[key].append(time.perf_counter() - started)
    return {key: quantiles(times[WARM_UP:], n=4)[0] * 1e3 for key, times in spent.items()}


def speeds(name: str, files: Mapping[Any, Path], runtime: str = "ort") -> dict[Any, float]:
    """Milliseconds of one picture of each file, in turn."""
    with ExitStack() as stack:
        return alternate({k: stack.enter_context(opened(runtime, path, name)) for k, path in files.items()})


def score_file(judged: Judge, path: Path, runtime: str = "ort") -> float:
    """The metric of an artefact."""
    with closing(open_backend(runtime, path)) as backend:
        return judged.score(over_batches(backend))
