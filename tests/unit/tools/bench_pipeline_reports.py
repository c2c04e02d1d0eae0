"""Reports as `dms bench --pipeline` makes them, with figures made up for tests."""

from __future__ import annotations

import numpy as np

from dms.tools.bench.records import Device
from dms.tools.bench_pipeline.play import Taken
from dms.tools.bench_pipeline.records import (
    ClipNote,
    PipelineReport,
    PipelineRun,
    Played,
    Side,
    Stream,
    Turn,
)
from tests.unit.tools.bench_reports import environment


def taken(frame_ms, engine_ms=None, **changes) -> Taken:
    """A block whose frames took `frame_ms` each; `engine_ms` of them in the engine of `eyes`."""
    judged_s = np.array(frame_ms, dtype=float) / 1e3
    engine_s = {} if engine_ms is None else {"eyes": np.array(engine_ms, dtype=float) / 1e3}
    given = {
        "judged_s": judged_s,
        "stage_s": {"eyes": judged_s} if engine_s else {},
        "engine_s": engine_s,
        "lost": 0,
        "video_s": len(judged_s) / 30,
        "wall_s": len(judged_s) / 30,
        "cpu_s": float(judged_s.sum()),
        "others_s": 0.0,
    }
    return Taken(**(given | changes))


def played(ms, engine_share=None, **changes) -> Played:
    engine_ms = None if engine_share is None else np.full(100, engine_share * ms)
    return Played.of([taken(np.full(100, ms), engine_ms, **changes)])


def side(ms, engine_share=None, **changes) -> Side:
    one = played(ms, engine_share, **changes)
    return Side(opened_mb=100.0, unpaced=one, paced=one)


def stream(cpu_percent=5.0, rss_mb=90.0, **changes) -> Stream:
    given = {
        "seconds": 10.0,
        "start_s": 0.7,
        "fps": 30.0,
        "others_percent": 1.0,
        "peak_mb": rss_mb + 5,
        "pss_mb": rss_mb - 20,
        "threads": 5,
        "level": 0,
        "device": Device(),
    }
    return Stream(cpu_percent=cpu_percent, rss_mb=rss_mb, **(given | changes))


def report(ours_ms=(1.0, 1.0, 1.0), peer_ms=(5.0, 5.0, 5.0), fps=30.0, **changes) -> PipelineReport:
    """One run for each of `ours_ms`; `peer_ms` None: no peer."""
    runs = [
        PipelineRun(
            turns=(
                Turn(
                    image_size="640x360",
                    ours=side(ms, engine_share=0.75),
                    peer=side(peer_ms[k]) if peer_ms else None,
                ),
            ),
            stream=stream(),
            peer_stream=stream(cpu_percent=20.0, rss_mb=180.0) if peer_ms else None,
        )
        for k, ms in enumerate(ours_ms)
    ]
    given = {
        "environment": environment(),
        "clip": ClipNote(
            name="demo",
            image_size="640x360",
            fps=fps,
            frames=2700,
            cut=False,
            decode_ms=0.4,
            decode_cpu_ms=0.9,
        ),
        "engines": {"eyes": "1.1.0 cpu.int8 ort sha256:abc"},
        "configured": (),
        "peer": "MediaPipe 9.9.9 face landmarker (some.task sha256:def)" if peer_ms else "",
        "runs": tuple(runs),
    }
    return PipelineReport(**(given | changes))
