"""Building plans for GPUs that are not here: proof that TensorRT's own parser and builder take every file.

TensorRT-RTX builds without a GPU. What is built is measured and thrown away: a Jetson builds its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dms.backends.trt_api import RTX, load_tensorrt
from dms.backends.trt_build import BuildOptions, build_plan
from dms.engines.manifest import ARTEFACTS, load_manifest
from dms.errors import EngineUnavailable

TARGETS = ("SM86", "SM89", "SM120")
"""Compute capabilities of the desktop GPUs sold since 2020. SM86 is the relative of the Orin's 8.7, for which
there is no builder ahead of time."""
MAX_BATCH = 4


@dataclass(frozen=True, slots=True)
class AheadBuild:
    """One file built for one target; `refused` says why where it was not, and then there is no plan."""

    net: str
    artefact: str
    target: str
    seconds: float
    plan_kb: int
    refused: str = ""


def build_ahead(
    engines: Path,
    wanted: Sequence[str],
    targets: Sequence[str] = TARGETS,
    max_batch: int = MAX_BATCH,
    told: Callable[[str], None] = lambda step: None,
) -> Iterator[AheadBuild]:
    """Build every file that TensorRT is given of the nets `wanted`, for each of `targets`.

    Args:
        engines: the folder of the engines.
        wanted: names of nets.
        targets: compute capabilities, as `SM86`.
        max_batch: the largest batch of the plans.
        told: hears what takes long.

    Raises:
        EngineUnavailable: TensorRT-RTX is not here.
        EngineMismatch: an engine file is missing or changed.
    """
    api = load_tensorrt((RTX,))
    for net in wanted:
        note = load_manifest(engines / net)
        for artefact in ARTEFACTS["trt"].values():
            path = note.verified_path(artefact)
            for target in targets:
                started_s = time.perf_counter()
                try:
                    built = build_plan(api, path, BuildOptions(max_batch), told, target=target)
                except EngineUnavailable as error:
                    yield AheadBuild(net, artefact, target, time.perf_counter() - started_s, 0, str(error))
                    continue
                seconds = time.perf_counter() - started_s
                yield AheadBuild(net, artefact, target, seconds, len(built.plan) >> 10)


def ahead_table(builds: Sequence[AheadBuild]) -> str:
    """For a reader: a line a build, and how many were refused."""
    head = f"{'net':12} {'file':9} {'target':7} {'seconds':>7} {'plan KB':>8}"
    lines = [
        f"{b.net:12} {b.artefact:9} {b.target:7} {b.seconds:7.2f} "
        + (f"refused: {b.refused}" if b.refused else f"{b.plan_kb:8,}")
        for b in builds
    ]
    refused = sum(bool(b.refused) for b in builds)
    return "\n".join([head, *lines, f"{len(builds) - refused} built, {refused} refused"])
