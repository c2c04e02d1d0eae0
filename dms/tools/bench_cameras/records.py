"""What was measured of many cameras in one process, as values and as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from dms.tools.bench.frame import Size
from dms.tools.bench_cameras.source import FPS

KEPT_SHARE = 0.01
"""A count keeps its deadline while at most this share of its frames is not judged within one interval."""

Frames = Literal["memory", "files"]


@dataclass(frozen=True, slots=True)
class Row:
    """One count of streams.

    `fps` is judged frames a second of the mean stream. `missed` is the share of frames that were not judged
    within one interval of their capture, `dropped` the part of them that was never judged. Latencies run from
    the capture to the sinks. `cpu_percent` and `others_percent` are of the cores this process may run on:
    its own, and that of all others, who disturb the figures. `switches` are context switches a judged
    frame. Where none was judged, latencies and switches are None. `rss_mb` is without the clip's pictures.
    """

    streams: int
    fps: float
    missed: float
    dropped: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    cpu_percent: float
    others_percent: float
    switches: float | None
    rss_mb: float


@dataclass(frozen=True, slots=True)
class CamerasReport:
    """All counts of one run.

    `frames` tells where the pictures came from, `ended` why the counts after the last row are missing.
    """

    frames: Frames
    size: Size
    seconds: float
    rows: tuple[Row, ...]
    ended: str | None = None

    @property
    def kept(self) -> int:
        """The most streams that kept the deadline as all smaller counts did; 0 = not even the first."""
        held = 0
        for row in self.rows:
            if row.missed > KEPT_SHARE:
                break
            held = row.streams
        return held

    def per_stream(self, figure: str) -> float | None:
        """What one more stream adds to a figure: the slope over the counts that kept the deadline."""
        rows = [row for row in self.rows if row.streams <= self.kept]
        if len(rows) < 2:
            return None
        counts = [row.streams for row in rows]
        return float(np.polyfit(counts, [getattr(row, figure) for row in rows], 1)[0])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "schema": "dms.bench_cameras/1",
            **asdict(self),
            "deadline_ms": 1e3 / FPS,
            "kept_share": KEPT_SHARE,
            "streams_in_time": self.kept,
            "cpu_percent_per_stream": self.per_stream("cpu_percent"),
            "mb_per_stream": self.per_stream("rss_mb"),
        }

    def __str__(self) -> str:
        """The table in Markdown."""
        head = (
            "| streams | fps each | missed | dropped | p50 ms | p95 ms | p99 ms | CPU | others | "
            "switches a frame | MB |",
            "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        )
        ended = ["", self.ended] if self.ended else []
        return "\n".join([*head, *map(line, self.rows), "", _verdict(self), *ended])


def line(row: Row) -> str:
    """One line of the table in Markdown."""
    return (
        f"| {row.streams} | {row.fps:.1f} | {row.missed:.2%} | {row.dropped:.2%} | {_told(row.p50_ms)} | "
        f"{_told(row.p95_ms)} | {_told(row.p99_ms)} | {row.cpu_percent:.0f} % | {row.others_percent:.0f} % | "
        f"{_told(row.switches)} | {row.rss_mb:.0f} |"
    )


def _told(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _verdict(report: CamerasReport) -> str:
    kept = f"{report.kept} streams kept the deadline of {1e3 / FPS:.0f} ms (at most {KEPT_SHARE:.0%} missed)"
    cpu, memory = report.per_stream("cpu_percent"), report.per_stream("rss_mb")
    if cpu is None or memory is None:
        return kept
    return f"{kept}; each costs {cpu:.1f} % of the machine and {memory:.1f} MB"
