"""Playing blocks of a clip to what judges it, and timing that: the same for ours and for others."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from dms.app import open_controlled, open_engines
from dms.backends import Arrays, Backend
from dms.config import Config
from dms.engines.opening import Opened
from dms.errors import EngineError
from dms.pipeline import Pipeline
from dms.records import Frame
from dms.sources.opencv import keep_to_one_thread
from dms.tools.bench.frame import Size
from dms.tools.bench.row import busy_s, rss_mb
from dms.tools.bench_pipeline.clip import Clip, Player

log = logging.getLogger(__name__)

Seconds = NDArray[np.float64]
Judge = Callable[[Any], "Parts"]
Prepare = Callable[[Frame], Any]


@dataclass(frozen=True)
class Parts:
    """What one frame consisted of, in seconds: each stage, and each engine, NaN where it did not run."""

    stage_s: Mapping[str, float] = field(default_factory=dict)
    engine_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """So many frames of the clip from the one of index `start` on; paced: each when its time has come."""

    start: int
    frames: int
    paced: bool


@dataclass(frozen=True)
class Taken:
    """What a block took. Arrays have one entry a judged frame, NaN where a part did not run.

    `lost` frames passed, paced, while another was judged. `cpu_s` is processor time of this process without
    that for preparing frames; `others_s` what other processes took meanwhile.
    """

    judged_s: Seconds
    stage_s: Mapping[str, Seconds]
    engine_s: Mapping[str, Seconds]
    lost: int
    video_s: float
    wall_s: float
    cpu_s: float
    others_s: float


class Stopwatch:
    """Plays blocks and times them: `prepare` makes of a frame what `judge` takes, outside of the times."""

    def __init__(self, player: Player, prepare: Prepare, judge: Judge) -> None:
        self._player = player
        self._prepare = prepare
        self._judge = judge
        self._judged_s: list[float] = []
        self._parts: list[Parts] = []
        self._preparing_s = 0.0

    def play(self, block: Block) -> Taken:
        """Play a block."""
        self._judged_s, self._parts, self._preparing_s = [], [], 0.0
        self._player.seek(block.start)
        begun_s, begun_cpu_s, begun_all_s = time.perf_counter(), time.process_time(), busy_s()
        moments = _paced(self._player, block.frames) if block.paced else _unpaced(self._player, block.frames)
        last_s = 0.0
        for last_s in moments:  # noqa: B007 – how far the video came is wanted after the last one
            self._frame()
        own_s, wall_s = time.process_time() - begun_cpu_s, time.perf_counter() - begun_s
        return Taken(
            judged_s=np.array(self._judged_s),
            stage_s=_columns([parts.stage_s for parts in self._parts]),
            engine_s=_columns([parts.engine_s for parts in self._parts]),
            lost=block.frames - len(self._judged_s),
            video_s=last_s + self._player.period_s,
            wall_s=wall_s,
            cpu_s=own_s - self._preparing_s,
            others_s=max(0.0, busy_s() - begun_all_s - own_s),
        )

    def _frame(self) -> None:
        preparing_s = time.process_time()
        given = self._prepare(self._player.frame())
        self._preparing_s += time.process_time() - preparing_s
        begun_s = time.perf_counter()
        parts = self._judge(given)
        self._judged_s.append(time.perf_counter() - begun_s)
        self._parts.append(parts)


def _unpaced(player: Player, frames: int) -> Iterator[float]:
    """Go from frame to frame; seconds of video that have been played."""
    first_s = player.skip()
    yield 0.0
    for _ in range(frames - 1):
        yield player.skip() - first_s


def _paced(player: Player, frames: int) -> Iterator[float]:
    """Go on when a frame's time has come, past those whose successor's has come, too; as `_unpaced`."""
    begun_s, first_s, gone_s = time.perf_counter(), player.skip(), 0.0
    period_s = player.period_s
    for left in reversed(range(frames)):
        wait_s = begun_s + gone_s - time.perf_counter()
        if wait_s > -period_s:
            time.sleep(max(0.0, wait_s))
            yield gone_s
        if left:
            gone_s = player.skip() - first_s
    time.sleep(max(0.0, begun_s + gone_s + period_s - time.perf_counter()))


def _columns(rows: list[Mapping[str, float]]) -> dict[str, Seconds]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, math.nan) for row in rows]) for name in names}


class Meter:
    """A backend that notes how long another one ran, until `take` asks; NaN when it did not."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self.inputs, self.outputs, self.close = inner.inputs, inner.outputs, inner.close
        self._spent_s = math.nan

    def infer(self, feeds: Arrays) -> Arrays:
        """See `Backend.infer`."""
        begun_s = time.perf_counter()
        results = self._inner.infer(feeds)
        spent_s = time.perf_counter() - begun_s
        self._spent_s = spent_s if math.isnan(self._spent_s) else self._spent_s + spent_s
        return results

    def take(self) -> float:
        """Seconds since it was asked last; NaN when it did not run."""
        spent_s, self._spent_s = self._spent_s, math.nan
        return spent_s


class OurPipeline:
    """The pipeline of `dms run`, played to in this process; `engines` by net, as every event states them."""

    def __init__(
        self, pipeline: Pipeline, meters: Mapping[str, Meter], player: Player, engines: Mapping[str, str]
    ) -> None:
        self._engines = engines
        self._pipeline = pipeline
        self._meters = meters
        self._player = player
        self._watch = Stopwatch(player, lambda frame: frame, self._judge)

    def play(self, block: Block) -> Taken:
        """Play a block; see `Stopwatch.play`.

        Raises:
            EngineError: an engine failed.
        """
        return self._watch.play(block)

    def titles(self) -> Mapping[str, str]:
        """What runs, by net."""
        return self._engines

    def rss_mb(self) -> float:
        """Memory of the process now, without the clip's pages."""
        self._player.let_go()
        return rss_mb(psutil.Process())

    def _judge(self, frame: Frame) -> Parts:
        judgement = self._pipeline.step(frame)
        for name, fault in judgement.faults.items():
            raise EngineError(f"{name}: {fault}")
        return Parts(judgement.stage_s, {net: meter.take() for net, meter in self._meters.items()})


@contextmanager
def open_ours(config: Config, clip: Clip, size: Size) -> Iterator[OurPipeline]:
    """The pipeline as `config` has it, its engines timed apart from the rest.

    Raises:
        EngineError: an engine cannot be opened.
    """
    keep_to_one_thread()  # as a run does when it opens its source
    width, height = size
    source = config.source.model_copy(update={"width_px": width, "height_px": height})
    config = config.model_copy(update={"source": source})
    with closing(Player(clip, size)) as player, open_engines(config.engines, log.info) as engines:
        meters = _meters(engines)
        timed = {net: replace(engines[net], backend=meter) for net, meter in meters.items()}
        built = open_controlled(config, {**engines, **timed}, "bench", interval_s=player.period_s)
        with built as controlled:
            for meter in meters.values():
                meter.take()  # opening has run them already
            titles = {net: str(engine) for net, engine in engines.items()}
            yield OurPipeline(controlled.pipeline, meters, player, titles)


def _meters(engines: Mapping[str, Opened]) -> dict[str, Meter]:
    """One for each engine; none at all where a GPU takes the frame itself and goes past a backend."""
    if any(engine.device is not None for engine in engines.values()):
        return {}
    return {net: Meter(engine.backend) for net, engine in engines.items()}
