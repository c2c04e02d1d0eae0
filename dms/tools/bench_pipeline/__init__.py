"""The benchmark of the whole pipeline, alone or by turns with a peer, over several runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dms.config import Config
from dms.control.sensors import Sensors
from dms.engines.contract import CONTRACTS
from dms.resources import demo_clip
from dms.tools.bench.apart import apart
from dms.tools.bench.environment import environment
from dms.tools.bench.frame import Size
from dms.tools.bench_pipeline.clip import Clip, decode
from dms.tools.bench_pipeline.peers import open_peer
from dms.tools.bench_pipeline.play import Block, Taken, open_ours
from dms.tools.bench_pipeline.records import ClipNote, PipelineReport, PipelineRun, Played, Side, Stream, Turn
from dms.tools.bench_pipeline.stream import LEAST_S, SETTLE_S, our_command, peer_command, watch_stream
from dms.tools.bench_pipeline.worker import Worker

LIMIT_S = 600.0
"""A block, opening included, is given up after so long: a small device may build its engines first."""
UNPACED_FRAMES = 300
"""One side's turn: ten seconds of the shipped clip, a fraction of a second of work."""
PACED_S = 5.0
"""One side's turn when frames are paced."""
WARM_UP_FRAMES = 60


@dataclass(frozen=True)
class AskedPipeline:
    """What to measure.

    `configured` are the options with which `dms run` gets the same `config`. `paced_s` is for each run and
    frame size, and for a stream; `most_s` is the most of the clip that is played unpaced. `peer` is the
    title of a peer and its model file.
    """

    config: Config
    configured: tuple[str, ...]
    uri: str
    sizes: Sequence[Size]
    runs: int
    paced_s: float
    most_s: float
    peer: tuple[str, Path] | None = None


class PipelineBench:
    """Measures what was asked for."""

    def __init__(self, asked: AskedPipeline, sensors: Sensors) -> None:
        self._asked = asked
        self._sensors = sensors
        self._engines: dict[str, str] = {}

    @property
    def steps(self) -> int:
        """How often `run` tells what it has done."""
        return 1 + self._asked.runs * (len(self._asked.sizes) + 1)

    def run(self, told: Callable[[str], None]) -> PipelineReport:
        """Measure all; `told` hears what is done.

        Raises:
            EngineError: an engine cannot be opened, or failed.
            InputError: the clip cannot be read.
        """
        asked = self._asked
        before_c = self._sensors.temperatures_c()
        with TemporaryDirectory(prefix="dms-bench-") as folder:
            clip = apart(decode, asked.uri, Path(folder) / "clip.luma", asked.most_s, limit_s=LIMIT_S)
            told("clip")
            runs = tuple(self._run(clip, number, told) for number in range(asked.runs))
        runtimes = dict.fromkeys(getattr(asked.config.engines, net).backend for net in CONTRACTS)
        return PipelineReport(
            environment=environment(runtimes, self._sensors, before_c),
            clip=_note(asked.uri, clip),
            engines=self._engines,
            configured=asked.configured,
            peer=asked.peer[0] if asked.peer else "",
            runs=runs,
        )

    def _run(self, clip: Clip, number: int, told: Callable[[str], None]) -> PipelineRun:
        turns = []
        for width, height in self._asked.sizes:
            turns.append(self._turn(clip, number, (width, height)))
            told(f"run {number + 1}, {width}x{height}")
        stream, peer_stream = self._streams(clip)
        told(f"run {number + 1}, streams")
        return PipelineRun(turns=tuple(turns), stream=stream, peer_stream=peer_stream)

    def _turn(self, clip: Clip, number: int, size: Size) -> Turn:
        """Ours and the peer's by turns, block after block; never both at the same time."""
        asked = self._asked
        with ExitStack() as stack:
            ours = Worker("dms", open_ours, asked.config, clip, size, limit_s=LIMIT_S)
            workers = {"ours": stack.enter_context(closing(ours))}
            if asked.peer:
                peer = Worker("the peer", open_peer, asked.peer[1], clip, size, limit_s=LIMIT_S)
                workers["peer"] = stack.enter_context(closing(peer))
            self._engines = ours.ask("titles")
            opened_mb = {name: worker.ask("rss_mb") for name, worker in workers.items()}
            for worker in workers.values():
                worker.ask("play", Block(0, min(WARM_UP_FRAMES, len(clip.captured_s)), paced=False))
            unpaced = _by_turns(workers, _all_of(clip))
            paced = _by_turns(workers, _paced_part(clip, asked.paced_s, number / asked.runs))
        sides = {
            name: Side(opened_mb=opened_mb[name], unpaced=unpaced[name], paced=paced[name])
            for name in workers
        }
        return Turn(image_size=f"{size[0]}x{size[1]}", ours=sides["ours"], peer=sides.get("peer"))

    def _streams(self, clip: Clip) -> tuple[Stream | None, Stream | None]:
        """One real process each, one after the other; none where the clip is too short for that."""
        asked = self._asked
        seconds = min(asked.paced_s, clip.seconds - 2 * SETTLE_S)
        if seconds < LEAST_S:
            return None, None
        uri = str(demo_clip()) if asked.uri == "demo" else asked.uri
        ours = watch_stream(our_command(uri, asked.configured), seconds, self._sensors)
        if asked.peer is None:
            return ours, None
        return ours, watch_stream(peer_command(uri, asked.peer[1]), seconds, self._sensors)


def _by_turns(workers: dict[str, Worker], blocks: Iterator[Block]) -> dict[str, Played]:
    """Every block is played to one worker after the other; who is first changes each time."""
    taken = {name: list[Taken]() for name in workers}
    names = list(workers)
    for block in blocks:
        for name in names:
            taken[name].append(workers[name].ask("play", block))
        names.reverse()
    return {name: Played.of(blocks) for name, blocks in taken.items()}


def _all_of(clip: Clip) -> Iterator[Block]:
    frames = len(clip.captured_s)
    for start in range(0, frames, UNPACED_FRAMES):
        yield Block(start, min(UNPACED_FRAMES, frames - start), paced=False)


def _paced_part(clip: Clip, seconds: float, share: float) -> Iterator[Block]:
    """`seconds` of the clip from this share of it on, so that every run sees another part."""
    start, left = round(share * len(clip.captured_s)), round(seconds * clip.fps)
    while left > 0:
        frames = min(left, round(PACED_S * clip.fps))
        yield Block(start, frames, paced=True)
        start, left = start + frames, left - frames


def _note(uri: str, clip: Clip) -> ClipNote:
    return ClipNote(
        name=uri if uri == "demo" else Path(uri).name,
        image_size=f"{clip.width}x{clip.height}",
        fps=round(clip.fps, 3),
        frames=len(clip.captured_s),
        cut=clip.cut,
        decode_ms=clip.decode_ms,
        decode_cpu_ms=clip.decode_cpu_ms,
    )
