"""The real loop on this machine, starved by busy processes: a fixed setting and the controller, in turns.

The clip comes as from a camera of the rate given. Each block begins anew at level 0, so what the controller
misses before it has acted is counted against it.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from statistics import median

import numpy as np
import psutil

from dms.app import (
    VITALS_WINDOW_S,
    Controlled,
    open_cheapest_engines,
    open_controlled,
    open_engines,
    open_governor,
)
from dms.config import Config
from dms.loop import Loop
from dms.metrics import Metrics
from dms.records import Control, Frame, Judgement, Luma, Message
from dms.tools.control.clip import ClipCamera

CONTROLLED, FIXED = "controlled", "fixed"
BUSY = """
import os, sys, time
parent, ends_s = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
while os.getppid() == parent and time.monotonic() < ends_s:
    for _ in range(100_000):
        pass
"""
"""A process that keeps one core busy, until its parent is gone or its time is over."""
ENDS_WITHIN_S = 5.0
PER_CORE = 2
"""Busy processes for each core, if not told otherwise."""
SETTLED_S = 12.0
"""Four steps up take nine seconds and more; what is missed later is missed for good."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One judged frame: seconds since the block began, latency, level; frames asked for and missed so far."""

    at_s: float
    latency_s: float
    level: int
    asked: int
    missed: int


@dataclass(frozen=True, slots=True)
class Block:
    """One block of one rule; `begun_s` counts from the first.

    `missed_percent` is of the frames asked for, which are those captured without those that the level does
    not ask for: judged after the budget, or dropped because there was no time. `settled_percent` is the same
    from `SETTLED_S` on. `changes` holds (seconds since the block began, level, cause, detail).
    `others_cores` is what processes that are not ours took meanwhile.
    """

    rule: str
    begun_s: float
    captured: int
    missed_percent: float
    settled_percent: float
    in_time_fps: float
    drops: dict[str, int]
    p50_ms: float
    p95_ms: float
    changes: list[tuple[float, int, str, str]]
    seen: list[Seen]
    others_cores: float = math.nan


@contextmanager
def busy_processes(count: int, at_most_s: float) -> Iterator[list[int]]:
    """Keep `count` processes busy; their ids. They end on leaving, or by themselves when this one is gone."""
    ids: list[int] = []
    with ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", BUSY, str(os.getpid()), str(at_most_s)])
            stack.callback(_end, process)
            ids.append(process.pid)
        yield ids


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(ENDS_WITHIN_S)


class Others:
    """Cores that other processes than this one and the busy ones take: the noise of the measurement."""

    def __init__(self, busy: Sequence[int]) -> None:
        """Count from now on."""
        self._ours = [psutil.Process(), *map(psutil.Process, busy)]
        self._begun_s = time.monotonic()
        self._begun_cpu_s = self._cpu_s()

    def cores(self) -> float:
        """Mean since the start."""
        return (self._cpu_s() - self._begun_cpu_s) / (time.monotonic() - self._begun_s)

    def _cpu_s(self) -> float:
        all_ = psutil.cpu_times()
        times = (process.cpu_times() for process in self._ours)
        ours_s = sum(time_.user + time_.system for time_ in times)
        return float(all_.user + all_.nice + all_.system + all_.irq + all_.softirq - ours_s)


class _Watch:
    """A sink that keeps the decisions, and an observer that notes latencies."""

    name = "watch"

    def __init__(self, camera: ClipCamera, budget_s: float, drops: Callable[[], Mapping[str, int]]) -> None:
        self.begun_s = time.monotonic()
        self.seen: list[Seen] = []
        self.changes: list[tuple[float, int, str, str]] = []
        self._camera = camera
        self._budget_s = budget_s
        self._drops = drops
        self._late = 0
        self._level = 0

    def publish(self, message: Message) -> None:
        if isinstance(message, Control):
            self._level = message.level
            at_s = time.monotonic() - self.begun_s
            self.changes.append((at_s, message.level, message.cause, message.detail))

    def judged(self, frame: Frame, judgement: Judgement) -> None:
        now_s = time.monotonic()
        latency_s = now_s - frame.captured_s
        self._late += latency_s > self._budget_s
        drops = self._drops()
        asked = self._camera.captured - drops["level"]
        missed = self._late + sum(drops.values()) - drops["level"]
        self.seen.append(Seen(now_s - self.begun_s, latency_s, self._level, asked, missed))

    def fault(self) -> str | None:
        return None

    def figures(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        pass


def run(
    config: Config,
    images: Sequence[Luma],
    *,
    processes: int,
    turns: int,
    block_s: float,
    told: Callable[[str], None],
) -> list[Block]:
    """Blocks of the fixed setting and of the controller in turns, all under the same load.

    `config.source.fps` is the camera's rate; the fixed setting is level 0 of `config`.
    """
    with ExitStack() as stack:
        engines = stack.enter_context(open_engines(config.engines, told))
        cheapest = stack.enter_context(open_cheapest_engines(config.engines, engines, told))
        at_most_s = 2 * (2 * turns * block_s + ENDS_WITHIN_S)
        busy = stack.enter_context(busy_processes(processes, at_most_s))
        begun_s = time.monotonic()
        blocks = []
        for _ in range(turns):
            for rule in (FIXED, CONTROLLED):
                with open_controlled(
                    config, engines, "stress", cheapest=cheapest, interval_s=1 / config.source.fps
                ) as controlled:
                    others = Others(busy)
                    block = _block(rule, config, controlled, images, block_s, begun_s)
                    block = replace(block, others_cores=others.cores())
                blocks.append(block)
                told(line_of(block))
        return blocks


def line_of(block: Block) -> str:
    """One block as a line of text."""
    drops = ", ".join(f"{reason} {count}" for reason, count in block.drops.items() if count) or "none"
    levels = " ".join(f"{level}@{at_s:.1f}s" for at_s, level, _, _ in block.changes)
    path = f"; levels {levels}" if levels else ""
    return (
        f"{block.rule:<10} missed {block.missed_percent:5.1f} %, settled {block.settled_percent:5.1f} %, "
        f"in time {block.in_time_fps:4.1f}/s  "
        f"p50 {block.p50_ms:5.1f} ms  p95 {block.p95_ms:6.1f} ms  dropped: {drops}; "
        f"others {block.others_cores:.1f} cores{path}"
    )


def summary(blocks: Sequence[Block]) -> Iterator[str]:
    """The medians of both rules, and what the controller decided, when and why."""
    yield ""
    yield "| median of blocks | missed % | settled % | in time/s | p50 ms | p95 ms | others, cores |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for rule in (FIXED, CONTROLLED):
        own = [block for block in blocks if block.rule == rule]
        cells = (
            median(block.missed_percent for block in own),
            median(block.settled_percent for block in own),
            median(block.in_time_fps for block in own),
            median(block.p50_ms for block in own),
            median(block.p95_ms for block in own),
            median(block.others_cores for block in own),
        )
        yield f"| {rule} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |"
    yield ""
    yield f"missed: of the frames asked for; settled: the same from second {SETTLED_S:g} of a block on"
    for number, block in enumerate(blocks, start=1):
        for at_s, level, cause, detail in block.changes:
            yield f"block {number}, {at_s:5.1f} s: level {level}, {cause}: {detail}"


def as_values(block: Block) -> dict[str, object]:
    """For JSON: everything but the single frames."""
    values = asdict(block)
    del values["seen"]
    return values


def _block(
    rule: str, config: Config, controlled: Controlled, images: Sequence[Luma], block_s: float, since_s: float
) -> Block:
    with ExitStack() as stack:
        governor = None
        if rule == CONTROLLED:
            governor = stack.enter_context(open_governor(config, controlled))
        camera = ClipCamera(images, config.source.fps)
        budget_s = controlled.scheduler.budget_s
        watch = _Watch(camera, budget_s, lambda: loop.drops)
        loop = Loop(
            camera,
            controlled.pipeline,
            [watch],
            Metrics(VITALS_WINDOW_S),
            config,
            clock=time.monotonic,
            stop=lambda: time.monotonic() >= watch.begun_s + block_s,
            heartbeat=lambda: None,
            observer=watch.judged,
            governor=governor,
        )
        loop.run()
    p50_s, p95_s = np.percentile([seen.latency_s for seen in watch.seen], (50, 95))
    return Block(
        rule=rule,
        begun_s=watch.begun_s - since_s,
        captured=camera.captured,
        missed_percent=missed_percent(watch.seen, 0.0),
        settled_percent=missed_percent(watch.seen, SETTLED_S),
        in_time_fps=sum(seen.latency_s <= budget_s for seen in watch.seen) / block_s,
        drops=dict(loop.drops),
        p50_ms=1e3 * float(p50_s),
        p95_ms=1e3 * float(p95_s),
        changes=watch.changes,
        seen=watch.seen,
    )


def missed_percent(seen: Sequence[Seen], from_s: float) -> float:
    """Of the frames asked for from a moment on."""
    later = [each for each in seen if each.at_s >= from_s]
    if len(later) < 2:
        return math.nan
    first, last = later[0], later[-1]
    return 100 * (last.missed - first.missed) / (last.asked - first.asked)
