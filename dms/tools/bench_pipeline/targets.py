"""What the pipeline is asked to reach, and whether it did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dms.tools.bench_pipeline.records import Middle, PipelineReport, Turn

RATE_HZ = 30.0
"""The rate that the targets of a stream are for."""
LEAST_FPS_RATIO = 4.0
MOST_P95_RATIO = 0.35
MOST_CPU_PERCENT = 6.0
MOST_RSS_MB = 100.0


@dataclass(frozen=True)
class Verdict:
    """A figure beside its target; the median of the runs decides."""

    what: str
    measured: Middle
    target: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether the target was reached."""
        value = self.measured.value
        return value >= self.target if self.at_least else value <= self.target

    def __str__(self) -> str:
        """For a person."""
        m, bound = self.measured, "at least" if self.at_least else "at most"
        head = "met" if self.met else "MISSED"
        runs = f" ({m.low:.3g} to {m.high:.3g})" if m.low < m.high else ""
        return f"{head}: {self.what} {m.value:.3g}{runs}, asked {bound} {self.target:g}"


def ratios(turn: Turn) -> dict[str, float]:
    """Ours over the peer's, of one run; none without a peer."""
    ours, peer = turn.ours, turn.peer
    if peer is None:
        return {}
    return {
        "frames/s unpaced": ours.unpaced.fps / peer.unpaced.fps,
        "p50 unpaced": ours.unpaced.frame.p50 / peer.unpaced.frame.p50,
        "p95 unpaced": ours.unpaced.frame.p95 / peer.unpaced.frame.p95,
        "processor time unpaced": ours.unpaced.cpu_ms / peer.unpaced.cpu_ms,
        "p50 paced": ours.paced.frame.p50 / peer.paced.frame.p50,
        "p95 paced": ours.paced.frame.p95 / peer.paced.frame.p95,
        "processor time paced": ours.paced.cpu_ms / peer.paced.cpu_ms,
    }


def verdicts(report: PipelineReport) -> list[Verdict]:
    """What was measured against its target."""
    return [*_against_peer(report), *_of_stream(report)]


def _against_peer(report: PipelineReport) -> Iterator[Verdict]:
    for size in report.sizes if report.peer else ():
        each = [ratios(turn) for turn in report.turns(size)]
        fps = Middle.of(ratio["frames/s unpaced"] for ratio in each)
        yield Verdict(f"frames a second at {size}, times the peer's:", fps, LEAST_FPS_RATIO, True)
        p95 = Middle.of(ratio["p95 unpaced"] for ratio in each)
        yield Verdict(f"95th percentile at {size}, of the peer's:", p95, MOST_P95_RATIO, False)


def _of_stream(report: PipelineReport) -> Iterator[Verdict]:
    streams = report.streams
    if not streams or abs(report.clip.fps - RATE_HZ) > 0.5:
        return
    cpu, memory = Middle.of(s.cpu_percent for s in streams), Middle.of(s.rss_mb for s in streams)
    yield Verdict(f"`dms run` at {RATE_HZ:g} frames a second, % of one core:", cpu, MOST_CPU_PERCENT, False)
    yield Verdict("`dms run`, MB of memory (RSS):", memory, MOST_RSS_MB, False)
