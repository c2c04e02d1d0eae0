"""What `dms bench` measured: the rows of a report and where they were measured; read from and written as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from dms.errors import InputError

PARTS = 5
"""A run is cut into so many parts, whose own percentiles tell how steady it was."""
STEPS = ("pre", "infer", "post")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spread(_Strict):
    """Percentiles in milliseconds; the ranges are the lowest and highest of the parts of a run."""

    p50: float
    p95: float
    p99: float
    p50_range: tuple[float, float]
    p95_range: tuple[float, float]

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> Spread:
        """Sum up milliseconds in the order they were taken; at least one."""
        p50, p95, p99 = _rounded(np.percentile(times_ms, (50, 95, 99)))
        parts = np.array_split(np.asarray(times_ms), min(PARTS, len(times_ms)))
        each = np.array([np.percentile(part, (50, 95)) for part in parts])
        (low50, low95), (high50, high95) = _rounded(each.min(axis=0)), _rounded(each.max(axis=0))
        return cls(p50=p50, p95=p95, p99=p99, p50_range=(low50, high50), p95_range=(low95, high95))


class Stages(_Strict):
    """One frame's way: to the input, through the engine, from its outputs to a record; and all of it."""

    pre: Spread
    infer: Spread
    post: Spread
    total: Spread

    @classmethod
    def of(cls, frames_ms: np.ndarray) -> Stages:
        """Sum up frames of shape (frames, 3): milliseconds of each of `STEPS`."""
        steps = {name: Spread.of(frames_ms[:, k]) for k, name in enumerate(STEPS)}
        return cls(**steps, total=Spread.of(frames_ms.sum(axis=1)))


class Run(_Strict):
    """Frames one after the other: all nets together and each alone; frames a second reached.

    `cpu_percent` is of one core.
    """

    frames: int
    fps: float
    cpu_percent: float
    stages: Stages
    by_net: dict[str, Stages]


class Memory(_Strict):
    """Megabytes of the process: before the runtime, added by loading, added by running, and at most."""

    base_mb: float
    model_mb: float
    run_mb: float
    peak_mb: float


class Figures(_Strict):
    """What was measured of a row. `load_s` by net; the first one's holds the start of the runtime."""

    load_s: dict[str, float]
    unpaced: Run
    paced: Run
    memory: Memory


class SpeedUp(_Strict):
    """How many times as fast as FP32 the inference is: middle, lowest and highest turn."""

    value: float
    low: float
    high: float


class Power(_Strict):
    """Mean of what the whole board took while paced, and per frame."""

    board_w: float
    frame_mj: float


Key = tuple[str, str, str]
"""Runtime, artefact, frame size."""


class Row(_Strict):
    """One platform with one precision at one frame size; without `figures`, `why` tells the reason.

    `loss_points` are what `dms engines verify` proved for the artefact on the runtime; None where it did not.
    """

    runtime: str
    precision: str
    image_size: str
    nets: tuple[str, ...]
    file_mb: dict[str, float] = {}
    loss_points: dict[str, float | None] = {}
    figures: Figures | None = None
    speed_up: SpeedUp | None = None
    power: Power | None = None
    why: str = ""

    @property
    def key(self) -> Key:
        """What tells a row from the others."""
        return self.runtime, self.precision, self.image_size

    @property
    def is_reference(self) -> bool:
        """Whether the others of the platform are compared with it."""
        return self.precision.removeprefix("lite.") == "fp32"

    @property
    def worst_loss_points(self) -> float | None:
        """Of the nets, the most points lost; None where one is not proved."""
        known = [lost for lost in self.loss_points.values() if lost is not None]
        return max(known) if known and len(known) == len(self.nets) else None


class Environment(_Strict):
    """Where and when; what could not be read is None."""

    date: str
    processor: str
    cores: int
    board: str | None
    l4t: str | None
    kernel: str
    versions: dict[str, str]
    power_mode: str | None
    cpu_clocks_mhz: dict[str, float | None]
    gpu_clock_mhz: float | None
    temperatures_before_c: dict[str, float | None]
    temperatures_after_c: dict[str, float | None]
    throttled_by: tuple[str, ...] | None


class Report(_Strict):
    """A whole run of `dms bench`."""

    environment: Environment
    rows: tuple[Row, ...]


def load_report(path: Path) -> Report:
    """Read what `dms bench --json` wrote.

    Raises:
        InputError: it is missing or is none.
    """
    try:
        return Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; write it: `dms bench --json {path}`") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path} is no report of this version of `dms bench` ({where}: {first['msg']}); measure anew"
        ) from error


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 4) for value in values]
