"""How the process fares: rate, latencies and memory over the last seconds, in plain numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

import numpy as np
import psutil

from dms.records import Vitals

MAX_FRAMES = 20_000
"""Frames remembered at most, whatever the window: 80 s at the 240 fps a source may reach."""


class Metrics:
    """Collects one entry a frame and forgets those older than `window_s` seconds of capture time."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._recent: deque[tuple[float, float, Mapping[str, float]]] = deque(maxlen=MAX_FRAMES)
        self._frames = 0
        self._process = psutil.Process()

    def frame(self, captured_s: float, latency_s: float, stage_s: Mapping[str, float]) -> None:
        """Note one judged frame: when it was captured, how long judging it took, and each stage that ran."""
        self._frames += 1
        self._recent.append((captured_s, latency_s, stage_s))
        self._forget(captured_s)

    def vitals(self, captured_s: float, dropped: int) -> Vitals:
        """Sum up the window that ends at `captured_s`; `dropped` is the source's own count.

        Latencies are 0 when no frame lies in the window. A source that has stalled shows as a falling rate,
        because the rate is taken up to `captured_s` and not up to the last frame.
        """
        self._forget(captured_s)
        p50_s, p95_s = _percentiles(latency_s for _, latency_s, _ in self._recent)
        stages = {name: _percentiles(values) for name, values in self._by_stage().items()}
        return Vitals(
            captured_s=captured_s,
            frames=self._frames,
            dropped=dropped,
            fps=self._fps(captured_s),
            latency_p50_s=p50_s,
            latency_p95_s=p95_s,
            stage_p50_s={name: p50 for name, (p50, _) in stages.items()},
            stage_p95_s={name: p95 for name, (_, p95) in stages.items()},
            rss_bytes=self._process.memory_info().rss,
        )

    def _forget(self, now_s: float) -> None:
        while self._recent and self._recent[0][0] < now_s - self._window_s:
            self._recent.popleft()

    def _fps(self, now_s: float) -> float:
        if len(self._recent) < 2 or now_s <= self._recent[0][0]:
            return 0.0
        return (len(self._recent) - 1) / (now_s - self._recent[0][0])

    def _by_stage(self) -> dict[str, list[float]]:
        by_stage: dict[str, list[float]] = {}
        for _, _, stage_s in self._recent:
            for name, seconds in stage_s.items():
                by_stage.setdefault(name, []).append(seconds)
        return by_stage


def _percentiles(values: Iterable[float]) -> tuple[float, float]:
    """The 50th and the 95th percentile; zeros when there are no values."""
    sample = np.fromiter(values, dtype=np.float64)
    if sample.size == 0:
        return 0.0, 0.0
    p50, p95 = np.percentile(sample, (50, 95))
    return float(p50), float(p95)
