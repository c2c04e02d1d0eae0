"""What each level of the ladder costs on this machine: the real pipeline, level by level, in turns.

Other work on the machine slows some turns and not others. So the levels take turns in blocks within one
process, processor time stands beside the time that passed, and ratios are taken within the same turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np

from dms.app import Controlled, open_cheapest_engines, open_controlled, open_engines
from dms.config import Config
from dms.control.levels import LEVELS, Level
from dms.records import Frame
from dms.tools.control.costs import BEST, CHEAPEST, ENGINES, STAGES

WARM_UP_FRAMES = 10
RAN_S = 1e-4
"""A stage that took less asked no engine: it handed on what was seen before, which takes microseconds."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One level. `ratio` and its range are processor time against level 0 of the same turn."""

    level: int
    title: str
    cpu_ms_per_s: float
    ratio: float
    ratio_low: float
    ratio_high: float
    p50_ms: float
    p95_ms: float
    judged_fps: float


@dataclass(frozen=True, slots=True)
class Report:
    """All levels; `stage_s` is the median of one run of each stage by precision, where it ran."""

    engines: dict[str, str]
    cheapest: dict[str, str]
    seconds: float
    turns: int
    levels: list[Cost]
    stage_s: dict[str, dict[str, float]]


@dataclass(slots=True)
class _Bench:
    """One level's pipeline, and what its blocks took."""

    level: Level
    controlled: Controlled
    cpu_s: list[float] = field(default_factory=list)
    frame_s: list[float] = field(default_factory=list)
    stage_s: dict[str, list[float]] = field(default_factory=dict)

    def play(self, frames: Sequence[Frame], offset_s: float) -> None:
        """One block: the frames, `offset_s` later than recorded so that time goes on."""
        begun_s = time.process_time()
        for frame in frames:
            self._judge(replace(frame, captured_s=frame.captured_s + offset_s))
        self.cpu_s.append(time.process_time() - begun_s)

    def _judge(self, frame: Frame) -> None:
        pipeline = self.controlled.pipeline
        if pipeline.admits(frame.captured_s, 0.0) is not None:
            return
        begun_s = time.perf_counter()
        judgement = pipeline.step(frame)
        self.frame_s.append(time.perf_counter() - begun_s)
        for stage, seconds in judgement.stage_s.items():
            if stage not in ENGINES or seconds > RAN_S:
                self.stage_s.setdefault(stage, []).append(seconds)

    def forget(self) -> None:
        """Drop what the warm-up took."""
        self.cpu_s, self.frame_s, self.stage_s = [], [], {}


def measure(config: Config, frames: Sequence[Frame], turns: int, told: Callable[[str], None]) -> Report:
    """Play the frames at every level, `turns` times round."""
    length_s = frames[-1].captured_s - frames[0].captured_s + 1 / config.source.fps
    with ExitStack() as stack:
        engines = stack.enter_context(open_engines(config.engines, told))
        cheapest = stack.enter_context(open_cheapest_engines(config.engines, engines, told))
        benches = []
        for level in LEVELS:
            controlled = stack.enter_context(open_controlled(config, engines, "levels", cheapest=cheapest))
            controlled.use(level)
            benches.append(_Bench(level, controlled))
        for bench in benches:
            bench.play(frames[:WARM_UP_FRAMES], 0.0)
            bench.forget()
        for turn in range(turns):
            told(f"turn {turn + 1} of {turns}")
            for bench in benches:
                bench.play(frames, (turn + 1) * length_s)
        return Report(
            engines={name: str(engine) for name, engine in engines.items()},
            cheapest={name: str(cheapest[name]) for name in controlled.sight.cheapest_s},
            seconds=length_s,
            turns=turns,
            levels=[_cost(bench, benches[0], length_s) for bench in benches],
            stage_s={BEST: _stages(benches, cheapest=False), CHEAPEST: _stages(benches, cheapest=True)},
        )


def _cost(bench: _Bench, first: _Bench, length_s: float) -> Cost:
    ratios = [own / level0 for own, level0 in zip(bench.cpu_s, first.cpu_s, strict=True)]
    p50_s, p95_s = np.percentile(bench.frame_s, (50, 95))
    return Cost(
        level=bench.level.number,
        title=bench.level.title,
        cpu_ms_per_s=1e3 * median(bench.cpu_s) / length_s,
        ratio=median(ratios),
        ratio_low=min(ratios),
        ratio_high=max(ratios),
        p50_ms=1e3 * float(p50_s),
        p95_ms=1e3 * float(p95_s),
        judged_fps=len(bench.frame_s) / len(bench.cpu_s) / length_s,
    )


def _stages(benches: Sequence[_Bench], *, cheapest: bool) -> dict[str, float]:
    """Median seconds of one run of each stage over the levels of this precision."""
    runs: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for bench in benches:
        if bench.level.cheapest == cheapest:
            for stage, seconds in bench.stage_s.items():
                runs[stage] += seconds
    return {stage: median(seconds) for stage, seconds in runs.items() if seconds}


def lines(report: Report) -> Iterator[str]:
    """A table in Markdown, and what ran."""
    yield "| level | CPU ms a second of video | of level 0 | p50 ms | p95 ms | judged/s | what it gives up |"
    yield "|---:|---:|---:|---:|---:|---:|---|"
    for cost in report.levels:
        spread = f"{cost.ratio:.2f} ({cost.ratio_low:.2f} to {cost.ratio_high:.2f})"
        yield (
            f"| {cost.level} | {cost.cpu_ms_per_s:.0f} | {spread} | {cost.p50_ms:.2f} | {cost.p95_ms:.2f} | "
            f"{cost.judged_fps:.1f} | {cost.title} |"
        )
    yield ""
    for precision, stages in report.stage_s.items():
        yield f"{precision}: " + ", ".join(f"{name} {1e3 * s:.2f} ms" for name, s in stages.items())
    if not report.cheapest:
        yield "No engine has a cheaper form here: levels 2 to 4 run the engines of level 0."
