"""How the process fares: rate, latencies, drops and memory over the last seconds, in plain numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import psutil

from dms.control.policy import Load
from dms.records import DeviceReading, Vitals

MAX_FRAMES = 20_000
"""Frames remembered at most, whatever the window: 80 s at the 240 fps a source may reach."""
LOAD_S = 2.0
"""The controller is told of the last two seconds: long enough for a percentile, short enough to act on."""


class _Judged(NamedTuple):
    """One judged frame; `lost` is how many were dropped for lack of time up to it."""

    captured_s: float
    latency_s: float
    waited_s: float
    lost: int
    stage_s: Mapping[str, float]


class Metrics:
    """Collects one entry a frame and forgets those older than `window_s` seconds of capture time."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._recent: deque[_Judged] = deque(maxlen=MAX_FRAMES)
        self._frames = 0
        self._process = psutil.Process()
        self._process.cpu_percent()  # the share is counted from here on

    def frame(
        self,
        captured_s: float,
        latency_s: float,
        stage_s: Mapping[str, float],
        *,
        waited_s: float = 0.0,
        lost: int = 0,
    ) -> None:
        """Note one judged frame.

        Args:
            captured_s: when it was captured; one from before the last (a clock set back) empties the window.
            latency_s: how long it took until it was judged.
            stage_s: what each stage took.
            waited_s: how old it was when its judgement began.
            lost: frames dropped for lack of time since the start; what the level passes over is no loss.
        """
        if self._recent and captured_s < self._recent[-1].captured_s:
            self._recent.clear()
        self._frames += 1
        self._recent.append(_Judged(captured_s, latency_s, waited_s, lost, stage_s))
        self._forget(captured_s)

    def load(self, now_s: float) -> Load:
        """Latency and losses of the last two seconds; unknown where no frame was judged in them."""
        recent: list[_Judged] = []
        lost_before: int | None = None
        for judged in reversed(self._recent):
            if not now_s - LOAD_S <= judged.captured_s <= now_s:
                lost_before = judged.lost
                break
            recent.append(judged)
        if not recent:
            return Load(None, None)
        p95_s = _percentiles(judged.latency_s for judged in recent).p95_s
        lost = max(0, recent[0].lost - (recent[-1].lost if lost_before is None else lost_before))
        return Load(p95_s, lost / (lost + len(recent)))

    def vitals(
        self,
        now_s: float,
        drops: Mapping[str, int],
        *,
        level: int = 0,
        device: DeviceReading | None = None,
        sinks: Mapping[str, Mapping[str, float]] | None = None,
    ) -> Vitals:
        """Sum up the window that ends at `now_s`; the arguments are passed on as they are.

        Latencies are None when no frame lies in the window. A source that has stalled shows as a falling
        rate, because the rate is taken up to `now_s` and not up to the last frame. The share of the processor
        is that since vitals were asked for last.
        """
        self._forget(now_s)
        latency = _percentiles(judged.latency_s for judged in self._recent) if self._recent else None
        waited = _percentiles(judged.waited_s for judged in self._recent) if self._recent else None
        stages = {name: _percentiles(values) for name, values in self._by_stage().items()}
        return Vitals(
            captured_s=now_s,
            frames=self._frames,
            drops=drops,
            fps=self._fps(now_s),
            latency_p50_s=latency.p50_s if latency else None,
            latency_p95_s=latency.p95_s if latency else None,
            waited_p95_s=waited.p95_s if waited else None,
            stage_p50_s={name: stage.p50_s for name, stage in stages.items()},
            stage_p95_s={name: stage.p95_s for name, stage in stages.items()},
            rss_bytes=self._process.memory_info().rss,
            cpu_share=self._process.cpu_percent() / 100,
            level=level,
            device=device,
            sinks=sinks or {},
        )

    def _forget(self, now_s: float) -> None:
        while self._recent and self._recent[0].captured_s < now_s - self._window_s:
            self._recent.popleft()

    def _fps(self, now_s: float) -> float:
        if len(self._recent) < 2 or now_s <= self._recent[0].captured_s:
            return 0.0
        return (len(self._recent) - 1) / (now_s - self._recent[0].captured_s)

    def _by_stage(self) -> dict[str, list[float]]:
        by_stage: dict[str, list[float]] = {}
        for judged in self._recent:
            for name, seconds in judged.stage_s.items():
                by_stage.setdefault(name, []).append(seconds)
        return by_stage


class _Percentiles(NamedTuple):
    p50_s: float
    p95_s: float


def _percentiles(values: Iterable[float]) -> _Percentiles:
    """Of at least one value."""
    p50, p95 = np.percentile(np.fromiter(values, dtype=np.float64), (50, 95))
    return _Percentiles(float(p50), float(p95))
