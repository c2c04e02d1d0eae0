"""What `dms bench` measured, and where: read from and written as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from dms.backends import BACKENDS
from dms.engines.timing import Times
from dms.errors import InputError

PARTS = 5
"""A run is cut into so many parts, whose own percentiles tell how steady it was."""
QUIET_PERCENT = 7.0
"""Of one core; only what was measured below it counted when the runtimes of this project were chosen."""
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
    def of(cls, times_ms: Times) -> Spread:
        """Sum up milliseconds in the order they were taken; at least one."""
        p50, p95, p99 = _rounded(np.percentile(times_ms, (50, 95, 99)))
        parts = np.array_split(times_ms, min(PARTS, len(times_ms)))
        each = np.array([np.percentile(part, (50, 95)) for part in parts])
        (low50, low95), (high50, high95) = _rounded(each.min(axis=0)), _rounded(each.max(axis=0))
        return cls(p50=p50, p95=p95, p99=p99, p50_range=(low50, high50), p95_range=(low95, high95))


class Stages(_Strict):
    """One frame's way: to the input, through the engine, from its outputs to a record; and all of it.

    `pre` is None where a GPU cuts: there it is one run with the inference, and counted with it.
    """

    pre: Spread | None
    infer: Spread
    post: Spread
    total: Spread

    @classmethod
    def of(cls, frames_ms: Times) -> Stages:
        """Sum up frames of shape (frames, 3): milliseconds of each of `STEPS`, NaN where it has none."""
        known = {k: name for k, name in enumerate(STEPS) if not np.isnan(frames_ms[:, k]).any()}
        steps = {name: Spread.of(frames_ms[:, k]) for k, name in known.items()}
        return cls(**{"pre": None, **steps}, total=Spread.of(np.nansum(frames_ms, axis=1)))


class Run(_Strict):
    """Frames one after the other: all nets together and each alone; frames a second reached.

    Percents are of one core; `others_percent` is what other processes took, who disturb the figures.
    """

    frames: int
    fps: float
    cpu_percent: float
    others_percent: float
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


class Device(_Strict):
    """Means while frames were paced; None where the device does not tell.

    `board_w` is what the whole board took, `frame_mj` the same a frame. `processor_mj` is what a PC's
    processors alone used a frame, for whatever ran on them. `cpu_mhz` is of the fastest core, `gpu_load` from
    0 to 1, `hottest_c` of the hottest zone.
    """

    board_w: float | None = None
    frame_mj: float | None = None
    processor_mj: float | None = None
    cpu_mhz: float | None = None
    gpu_mhz: float | None = None
    gpu_load: float | None = None
    hottest_c: float | None = None


Key = tuple[str, str, str]
"""Runtime, artefact, frame size."""


class Row(_Strict):
    """One platform with one precision at one frame size; without `figures`, `why` tells the reason.

    The times of `emulated` hardware tell nothing. `loss_points` are what `dms engines verify` proved for the
    artefact on the runtime; None where it did not.
    """

    runtime: str
    precision: str
    image_size: str
    nets: tuple[str, ...]
    emulated: bool = False
    file_mb: dict[str, float] = {}
    loss_points: dict[str, float | None] = {}
    figures: Figures | None = None
    speed_up: SpeedUp | None = None
    device: Device = Device()
    why: str = ""

    @property
    def key(self) -> Key:
        """What tells a row from the others."""
        return self.runtime, self.precision, self.image_size

    @property
    def platform(self) -> str:
        """The runtime's name."""
        return BACKENDS[self.runtime].title + (" (emulator)" if self.emulated else "")

    @property
    def disturbed(self) -> bool:
        """Whether other processes took so much of the machine that the milliseconds tell of them, too."""
        runs = (self.figures.paced, self.figures.unpaced) if self.figures else ()
        return any(run.others_percent > QUIET_PERCENT for run in runs)

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
        cure = f"write it: `dms bench --json {path}`"
        raise InputError(f"cannot read {path}: {error.strerror}; {cure}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        wrong = f"{field}: {first['msg']}" if field else first["msg"]
        raise InputError(
            f"{path} is no report of this version of `dms bench` ({wrong}); measure anew"
        ) from error


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 4) for value in values]
