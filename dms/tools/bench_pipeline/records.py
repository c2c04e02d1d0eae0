"""What `dms bench --pipeline` measured, and what that says: read from and written as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from dms.tools.bench.records import QUIET_PERCENT, Device, Environment
from dms.tools.bench_pipeline.play import Seconds, Taken


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Times(_Strict):
    """Milliseconds: the mean and percentiles."""

    mean: float
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, times_s: Seconds) -> Times:
        """Sum up seconds; at least one."""
        mean, *percentiles = 1e3 * np.array([times_s.mean(), *np.percentile(times_s, (50, 95, 99))])
        p50, p95, p99 = (round(float(value), 4) for value in percentiles)
        return cls(mean=round(float(mean), 4), p50=p50, p95=p95, p99=p99)


class StageTimes(_Strict):
    """One stage: `runs_per_s` a second of video, `took` of the frames on which it ran.

    `mean_ms` is the mean over all frames, `engine_ms` the part of it inside the engine. Both counts are None
    where engines cannot be told apart; then `took` is of all frames. It is None for a stage that never ran.
    """

    runs_per_s: float | None
    took: Times | None
    mean_ms: float
    engine_ms: float | None

    @property
    def outside_ms(self) -> float | None:
        """The mean over all frames outside the engine."""
        return None if self.engine_ms is None else self.mean_ms - self.engine_ms


class Played(_Strict):
    """Frames from memory, judged one by one.

    `fps` is frames a second of judging alone. `engines` and `outside` divide each frame into the time inside
    engines and the rest; None where that cannot be told apart. `cpu_ms` is processor time a frame, all
    threads: the figure that other work on the machine disturbs least. Percents are of one core and of all
    the time that passed, so `cpu_percent` is for paced frames.
    """

    frames: int
    lost: int
    fps: float
    frame: Times
    engines: Times | None
    outside: Times | None
    stages: dict[str, StageTimes]
    cpu_ms: float
    cpu_percent: float
    others_percent: float

    @classmethod
    def of(cls, blocks: Sequence[Taken]) -> Played:
        """Sum up blocks of one run."""
        judged_s = np.concatenate([block.judged_s for block in blocks])
        engine_s = _joined(blocks, "engine_s")
        inside_s = np.nansum(list(engine_s.values()), axis=0) if engine_s else None
        wall_s, cpu_s = sum(block.wall_s for block in blocks), sum(block.cpu_s for block in blocks)
        video_s = sum(block.video_s for block in blocks)
        frame = Times.of(judged_s)
        return cls(
            frames=len(judged_s),
            lost=sum(block.lost for block in blocks),
            fps=round(1e3 / frame.mean, 2),
            frame=frame,
            engines=None if inside_s is None else Times.of(inside_s),
            outside=None if inside_s is None else Times.of(judged_s - inside_s),
            stages={
                name: _stage(took_s, engine_s.get(name), video_s, apart=bool(engine_s))
                for name, took_s in _joined(blocks, "stage_s").items()
            },
            cpu_ms=round(1e3 * cpu_s / len(judged_s), 4),
            cpu_percent=round(100 * cpu_s / wall_s, 2),
            others_percent=round(100 * sum(block.others_s for block in blocks) / wall_s, 1),
        )


def _joined(blocks: Sequence[Taken], field: str) -> dict[str, Seconds]:
    """The columns of all blocks one after the other, NaN where a block has none."""
    columns = [getattr(block, field) for block in blocks]
    names = dict.fromkeys(name for column in columns for name in column)
    return {
        name: np.concatenate(
            [
                column.get(name, np.full(len(block.judged_s), np.nan))
                for block, column in zip(blocks, columns, strict=True)
            ]
        )
        for name in names
    }


def _stage(took_s: Seconds, engine_s: Seconds | None, video_s: float, *, apart: bool) -> StageTimes:
    """A stage with an engine ran where that did; another one where it has a time."""
    ran = ~np.isnan(took_s if engine_s is None else engine_s)
    engine_ms = 0.0 if engine_s is None else 1e3 * float(np.nansum(engine_s)) / len(took_s)
    return StageTimes(
        runs_per_s=round(float(ran.sum()) / video_s, 2) if apart else None,
        took=Times.of(took_s[ran]) if ran.any() else None,
        mean_ms=round(1e3 * float(np.nansum(took_s)) / len(took_s), 4),
        engine_ms=round(engine_ms, 4) if apart else None,
    )


class Side(_Strict):
    """Ours, or the peer, in a process of its own. `opened_mb` is its memory when loaded, without the clip."""

    opened_mb: float
    unpaced: Played
    paced: Played


class Stream(_Strict):
    """A whole process that plays a file at its pace, watched from outside.

    `start_s` is from the start of the process to its first judged frame. Megabytes are at the end; `pss_mb`
    counts pages shared with other processes by their share; None where the system does not tell. `level` is
    the highest level of the controller that it told of.
    """

    seconds: float
    start_s: float
    fps: float
    cpu_percent: float
    others_percent: float
    rss_mb: float
    peak_mb: float
    pss_mb: float | None
    threads: int
    level: int | None
    device: Device


class Turn(_Strict):
    """One run at one frame size, and the peer's, both by turns."""

    image_size: str
    ours: Side
    peer: Side | None


class PipelineRun(_Strict):
    """One of the runs: each of its processes started anew."""

    turns: tuple[Turn, ...]
    stream: Stream | None
    peer_stream: Stream | None


class ClipNote(_Strict):
    """What was played. `cut` tells that the recording is longer; see `bench_pipeline_clip.Clip`."""

    name: str
    image_size: str
    fps: float
    frames: int
    cut: bool
    decode_ms: float
    decode_cpu_ms: float


class PipelineReport(_Strict):
    """A whole run of `dms bench --pipeline`. `engines` by net; `peer` is empty where none was measured."""

    environment: Environment
    clip: ClipNote
    engines: dict[str, str]
    configured: tuple[str, ...]
    peer: str
    runs: tuple[PipelineRun, ...]

    @property
    def sizes(self) -> list[str]:
        """The frame sizes, in the order in which they were measured."""
        return [turn.image_size for turn in self.runs[0].turns]

    def turns(self, size: str) -> list[Turn]:
        """The turns of all runs at a frame size."""
        return [turn for run in self.runs for turn in run.turns if turn.image_size == size]

    @property
    def streams(self) -> list[Stream]:
        """Ours, of all runs."""
        return [run.stream for run in self.runs if run.stream]

    @property
    def peer_streams(self) -> list[Stream]:
        """The peer's, of all runs."""
        return [run.peer_stream for run in self.runs if run.peer_stream]

    @property
    def disturbed(self) -> bool:
        """Whether other processes took so much of the machine that the milliseconds tell of them, too."""
        sides = [side for run in self.runs for t in run.turns for side in (t.ours, t.peer) if side]
        percents = [p.others_percent for side in sides for p in (side.unpaced, side.paced)]
        percents += [stream.others_percent for stream in (*self.streams, *self.peer_streams)]
        return max(percents) > QUIET_PERCENT


class Middle(_Strict):
    """The median of the runs, the lowest and the highest."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Middle:
        """Sum up one value a run; at least one."""
        known = list(values)
        return cls(value=float(np.median(known)), low=min(known), high=max(known))
