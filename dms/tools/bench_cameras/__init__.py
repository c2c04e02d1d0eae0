"""How many streams of 30 frames a second one process judges in time, and what each of them costs.

Every count runs in a process of its own, through the fleet that `dms run` uses: a thread, a loop and a
pipeline for each camera, engines shared by all. Frames come decoded from memory (what the engines can do) or
from files that every camera decodes for itself. Nothing is published: a sink only takes the time.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np
import psutil

from dms.config import Config, SourceConfig
from dms.config.sinks import SinksConfig
from dms.errors import DmsError, EngineError
from dms.fleet import Fleet, camera_config
from dms.fleet.sharing import open_shared
from dms.records import Judgement, Luma, Message
from dms.service import Notifier
from dms.sources import FrameSource, open_source
from dms.tools.bench.apart import Told, apart
from dms.tools.bench.frame import Size
from dms.tools.bench_cameras.records import CamerasReport, Frames, Row, line
from dms.tools.bench_cameras.source import FPS, LoopedSource

COUNTS = (1, 2, 4, 8, 12, 16, 20, 24, 28, 32)
WARM_S = 4.0
"""Left out at the start of a count: engines run for the first time, and every camera looks for its face."""
CLIP_S = 20.0
"""So much of the shipped clip lies decoded in memory; each camera begins at another place of it."""
LIMIT_S = 60.0


class Stopwatch:
    """A sink that notes when each frame was judged, and how long after its capture; seconds."""

    name = "stopwatch"

    def __init__(self, source: FrameSource) -> None:
        self.times_s: list[tuple[float, float]] = []
        self._source = source

    def publish(self, message: Message) -> None:
        """Take the time of a judged frame."""
        if isinstance(message, Judgement) and message.observation.frame_id >= 0:
            latency_s = self._source.now_s() - message.observation.captured_s
            self.times_s.append((time.monotonic(), latency_s))

    def fault(self) -> str | None:
        """Never at fault."""
        return None

    def figures(self) -> Mapping[str, float]:
        """Nothing to tell."""
        return {}

    def close(self) -> None:
        """Nothing to release."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """What the process had used by then: seconds of processors, its own and everybody's; context switches."""

    at_s: float
    own_s: float
    all_s: float
    switches: int

    @classmethod
    def now(cls) -> _Moment:
        own, each = resource.getrusage(resource.RUSAGE_SELF), psutil.cpu_times(percpu=True)
        busy_s = [core.user + core.nice + core.system + core.irq + core.softirq for core in each]
        return cls(
            time.monotonic(),
            own.ru_utime + own.ru_stime,
            sum(busy_s[core] for core in os.sched_getaffinity(0) if core < len(busy_s)),
            own.ru_nvcsw + own.ru_nivcsw,
        )


class _Window:
    """The time that counts. Asked whether to stop, it notes when it begins and when it is over."""

    def __init__(self, seconds: float) -> None:
        self._begin_s: float | None = None
        self._seconds = seconds
        self.begin: _Moment | None = None
        self.end: _Moment | None = None

    def moments(self) -> tuple[_Moment, _Moment]:
        """Its begin and its end.

        Raises:
            EngineError: the fleet ended before it was over.
        """
        if self.begin is None or self.end is None:
            raise EngineError("the clip ended before the measurement: choose fewer --seconds")
        return self.begin, self.end

    def is_over(self) -> bool:
        """Whether the time that counts has gone by."""
        now_s = time.monotonic()
        if self._begin_s is None:
            self._begin_s = now_s + WARM_S
        if self.begin is None and now_s >= self._begin_s:
            self.begin = _Moment.now()
        if self.begin is not None and self.end is None and now_s >= self.begin.at_s + self._seconds:
            self.end = _Moment.now()
        return self.end is not None


def measure(
    config: Config,
    counts: Iterable[int] = COUNTS,
    *,
    seconds: float = 20.0,
    frames: Frames = "memory",
    size: Size = (640, 360),
    told: Told = lambda line: None,
) -> CamerasReport:
    """Measure every count until one's process dies; `told` hears a line when one is done.

    Args:
        config: engines, rates and judgement; its sources and sinks are not used.
        counts: numbers of streams, rising.
        seconds: how long each count is measured, after a warm-up.
        frames: decoded ones from memory, or files that each camera decodes (these keep their own size).
        size: width and height of the decoded ones.
        told: hears of the progress.

    Raises:
        EngineError: the process of the first count died.
    """
    rows: list[Row] = []
    ended = None
    for count in counts:
        try:
            row = apart(_count, config, count, seconds, frames, size, limit_s=LIMIT_S + 2 * seconds)
        except DmsError as error:
            if not rows:
                raise
            ended = f"{count} streams could not be measured, nor were more tried: {error}"
            break
        told(line(row))
        rows.append(row)
    return CamerasReport(frames, size, seconds, tuple(rows), ended)


def _count(config: Config, count: int, seconds: float, frames: Frames, size: Size, told: Told) -> Row:
    """One count, in this process."""
    names = [f"c{number}" for number in range(count)]
    cameras = dict.fromkeys(names, SourceConfig())
    control = config.control.model_copy(update={"enabled": False})  # all at level 0: that is the question
    config = config.model_copy(update={"cameras": cameras, "sinks": SinksConfig(), "control": control})
    own = {name: camera_config(config, name) for name in names}
    pictures = _pictures(size) if frames == "memory" else []
    with open_shared(config, told) as shared:
        window, begin_s = _Window(seconds), time.monotonic()
        fleet = Fleet(own, Notifier(None), window.is_over)
        watches = []
        for number, name in enumerate(names):
            source = _source(own[name], pictures, number / count, begin_s)
            watches.append(Stopwatch(source))
            fleet.add(name, source, shared, watches[-1:])
        fleet.judge()
        return _row(watches, window, sum(picture.nbytes for picture in pictures))


def _source(config: Config, pictures: Sequence[Luma], phase: float, begin_s: float) -> FrameSource:
    if pictures:
        return LoopedSource(pictures, phase, begin_s)
    return open_source(config.source)


def _pictures(size: Size) -> list[Luma]:
    with closing(open_source(SourceConfig(realtime=False))) as source:
        return [
            np.asarray(cv2.resize(source.newest(1.0).image, size, interpolation=cv2.INTER_AREA), np.uint8)
            for _ in range(round(CLIP_S * FPS))
        ]


def _row(watches: Sequence[Stopwatch], window: _Window, pictures_bytes: int) -> Row:
    begin, end = window.moments()
    wall_s = end.at_s - begin.at_s
    due = FPS * wall_s * len(watches)
    latencies_ms = [
        latency_s * 1e3
        for watch in watches
        for at_s, latency_s in watch.times_s
        if begin.at_s <= at_s < end.at_s
    ]
    judged = len(latencies_ms)
    p50_ms, p95_ms, p99_ms = map(float, np.percentile(latencies_ms, (50, 95, 99))) if judged else [None] * 3
    in_time = sum(latency_ms <= 1e3 / FPS for latency_ms in latencies_ms)
    machine_s = wall_s * len(os.sched_getaffinity(0))
    own_s = end.own_s - begin.own_s
    return Row(
        streams=len(watches),
        fps=judged / wall_s / len(watches),
        missed=max(0.0, 1 - in_time / due),
        dropped=max(0.0, 1 - judged / due),
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        cpu_percent=100 * own_s / machine_s,
        others_percent=100 * max(0.0, end.all_s - begin.all_s - own_s) / machine_s,
        switches=(end.switches - begin.switches) / judged if judged else None,
        rss_mb=(psutil.Process().memory_info().rss - pictures_bytes) / 1e6,
    )
