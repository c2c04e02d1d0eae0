"""The benchmark of the pipeline for a reader: tables for a terminal or, the same, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from dms.evaluation.report import aligned, markdown_table
from dms.tools.bench.records import QUIET_PERCENT
from dms.tools.bench.text import NONE, Table, environment_lines, milliseconds
from dms.tools.bench_pipeline.records import Middle, PipelineReport, Played, Side, StageTimes, Stream, Times
from dms.tools.bench_pipeline.targets import ratios, verdicts

SECTION = "bench-pipeline"
"""The tables stand in a page between the marks of this name."""
DISTURBED = (
    f"Not a quiet machine: other processes took more than {QUIET_PERCENT:g} % of a core in some of these "
    "runs. Take the ratios, processor times and memory; the milliseconds are too long."
)
OURS, PEER = "dms", "peer"
NOTES = (
    "Every figure is the median of the runs; in brackets the lowest and the highest run. Frames come from "
    "memory, at the time at which they were recorded; the times begin when a frame lies ready in its size. "
    "In engines: what the runtimes took. Outside: everything else of a frame. Unpaced, frames/s count "
    "judging alone. CPU ms: processor time a frame, all threads. CPU %: of one core. Others: what other "
    "processes took of one core meanwhile, in the worst run.",
    "A stage's times are of the frames on which it ran; the means are over all frames.",
)
STREAM_NOTE = (
    "A stream is a whole process that decodes the file at its pace, watched from outside from a second after "
    "its first frame on: `dms run` with decoding, all engines, judgement, alerts, controller, log, and the "
    "sinks of its configuration. Start: from the start of the process to the first judged frame. PSS: memory "
    "shared with other processes counts by their share. Level: the highest that the controller came to."
)
PEER_NOTE = (
    "The peer sees the same frames, grey made RGB before its times begin, and finds one face and its "
    "landmarks, nothing more. Both take turns, in processes of their own, never at the same time; one that "
    "is idle sleeps. Ratios are ours over the peer's, run by run. Its stream is a process with OpenCV's "
    "decoder, MediaPipe and little else."
)


def text(report: PipelineReport) -> str:
    """The report for a terminal."""
    lines = _head(report)
    for table in tables(report):
        lines += ["", table.title, *aligned(table.header, table.body)]
    return "\n".join([*lines, "", *_verdict_lines(report), "", *_notes(report)])


def markdown(report: PipelineReport) -> str:
    """The report as part of a page."""
    lines = [f"* {line}" for line in _head(report)]
    for table in tables(report):
        lines += ["", f"**{table.title}**", "", *markdown_table(table.header, table.body)]
    judged = [f"* {line}" for line in _verdict_lines(report)]
    return "\n".join([*lines, "", *judged, "", "\n\n".join(_notes(report))])


def _head(report: PipelineReport) -> list[str]:
    clip = report.clip
    part = "the first " if clip.cut else ""
    lines = [
        *environment_lines(report.environment),
        f"{clip.name}, {part}{clip.frames / clip.fps:.1f} s: {clip.frames} frames of {clip.image_size} at "
        f"{clip.fps:g} a second; to decode one takes {milliseconds(clip.decode_ms)} ms, "
        f"{milliseconds(clip.decode_cpu_ms)} ms of processor time (not part of the times below)",
        *(f"{net}: {engine}" for net, engine in report.engines.items()),
    ]
    if report.configured:
        lines.append(f"configured by {' '.join(report.configured)}")
    return [*lines, f"peer: {report.peer}"] if report.peer else lines


def _notes(report: PipelineReport) -> list[str]:
    found = [DISTURBED] if report.disturbed else []
    found += NOTES
    found += [STREAM_NOTE] if report.streams else []
    return [*found, PEER_NOTE] if report.peer else found


def _verdict_lines(report: PipelineReport) -> list[str]:
    return [str(verdict) for verdict in verdicts(report)]


def tables(report: PipelineReport) -> list[Table]:
    """All tables of a report."""
    count = len(report.runs)
    runs = "1 run" if count == 1 else f"{count} runs"
    found = [_frames(report, runs), *(_stages(report, size) for size in report.sizes)]
    if report.peer:
        found.append(_ratios(report))
    return [*found, _streams(report)] if report.streams else found


def _frames(report: PipelineReport, runs: str) -> Table:
    header = [
        "frame",
        "who",
        "pace",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "in engines",
        "outside",
        "frames/s",
        "CPU ms",
    ]
    body = []
    for size in report.sizes:
        turns = report.turns(size)
        sides = {OURS: [turn.ours for turn in turns], PEER: [turn.peer for turn in turns if turn.peer]}
        for pace in ("unpaced", "paced"):
            body += [
                [size, who, pace, *_played([_of(side, pace) for side in each], paced=pace == "paced")]
                for who, each in sides.items()
                if each
            ]
    return Table(
        f"A frame through the whole pipeline, {runs}; in engines and outside: means, ms",
        [*header, "CPU %", "others %", "lost"],
        body,
    )


def _of(side: Side, pace: str) -> Played:
    return side.unpaced if pace == "unpaced" else side.paced


def _played(runs: Sequence[Played], *, paced: bool) -> list[str]:
    frames = [run.frame for run in runs]
    engines = [run.engines for run in runs if run.engines]
    outside = [run.outside for run in runs if run.outside]
    return [
        *(
            _middle((getattr(times, name) for times in frames), milliseconds)
            for name in ("p50", "p95", "p99")
        ),
        *(_mean(part) for part in (engines, outside)),
        _middle((run.fps for run in runs), _whole),
        _middle((run.cpu_ms for run in runs), milliseconds),
        _middle((run.cpu_percent for run in runs), _tenth) if paced else NONE,
        f"{max(run.others_percent for run in runs):.0f}",
        f"{sum(run.lost for run in runs)}" if paced else NONE,
    ]


def _mean(parts: Sequence[Times]) -> str:
    return _middle((times.mean for times in parts), milliseconds) if parts else NONE


STAGES = ["stage", "pace", "runs/s of video", "p50 ms", "p95 ms", "p99 ms", "engine ms", "outside ms"]


def _stages(report: PipelineReport, size: str) -> Table:
    body = []
    for pace in ("unpaced", "paced"):
        runs = [_of(turn.ours, pace).stages for turn in report.turns(size)]
        for name in runs[0]:
            body.append([name, pace, *_stage([stages[name] for stages in runs if name in stages])])
    title = f"Stages at {size}; engine and outside: means over all frames, ms"
    return Table(title, STAGES, body)


def _stage(runs: Sequence[StageTimes]) -> list[str]:
    took = [run.took for run in runs if run.took]
    return [
        _known((run.runs_per_s for run in runs), 1),
        *(_known((getattr(times, name) for times in took), 3) for name in ("p50", "p95", "p99")),
        _known((run.engine_ms for run in runs), 3),
        _known((run.outside_ms for run in runs), 3),
    ]


def _known(values: Iterable[float | None], digits: int) -> str:
    """The median of what is known; a dash where nothing is."""
    known = [value for value in values if value is not None]
    return f"{Middle.of(known).value:.{digits}f}" if known else NONE


def _ratios(report: PipelineReport) -> Table:
    body = []
    for size in report.sizes:
        each = [ratios(turn) for turn in report.turns(size)]
        for name in each[0]:
            values = [ratio[name] for ratio in each]
            body.append([size, name, *(f"{value:.2f}" for value in values), f"{Middle.of(values).value:.2f}"])
    streams, peers = report.streams, report.peer_streams
    for name, field in (("CPU, stream", "cpu_percent"), ("memory (RSS), stream", "rss_mb")):
        values = [
            getattr(ours, field) / getattr(peer, field) for ours, peer in zip(streams, peers, strict=True)
        ]
        if values:
            middle = f"{Middle.of(values).value:.2f}"
            body.append([report.clip.image_size, name, *(f"{value:.2f}" for value in values), middle])
    numbers = [f"run {k + 1}" for k in range(len(report.runs))]
    return Table("Ours over the peer's, run by run", ["frame", "what", *numbers, "median"], body)


STREAM = [
    "who",
    "start s",
    "CPU %",
    "RSS MB",
    "peak MB",
    "PSS MB",
    "threads",
    "level",
    "frames/s",
    "others %",
    "mJ/frame",
]


def _streams(report: PipelineReport) -> Table:
    each = {OURS: report.streams, PEER: report.peer_streams}
    body = [[who, *_stream(streams)] for who, streams in each.items() if streams]
    seconds = Middle.of(stream.seconds for stream in report.streams).value
    clip = report.clip
    title = (
        f"One stream of {clip.image_size} at {clip.fps:g} frames a second, {seconds:.0f} s of each process"
    )
    return Table(title, STREAM, body)


def _stream(streams: Sequence[Stream]) -> list[str]:
    shared = [stream.pss_mb for stream in streams if stream.pss_mb is not None]
    levels = [stream.level for stream in streams if stream.level is not None]
    energy = [s.device.frame_mj for s in streams if s.device.frame_mj is not None]
    return [
        _middle((stream.start_s for stream in streams), lambda value: f"{value:.2f}"),
        _middle((stream.cpu_percent for stream in streams), _tenth),
        _middle((stream.rss_mb for stream in streams), _whole),
        _middle((stream.peak_mb for stream in streams), _whole),
        _middle(shared, _whole) if shared else NONE,
        f"{max(stream.threads for stream in streams)}",
        f"{max(levels)}" if levels else NONE,
        _middle((stream.fps for stream in streams), _tenth),
        f"{max(stream.others_percent for stream in streams):.0f}",
        _middle(energy, _whole) if energy else NONE,
    ]


def _middle(values: Iterable[float], show: Callable[[float], str]) -> str:
    """The median and, where runs differ, their range."""
    m = Middle.of(values)
    return show(m.value) if m.low == m.high else f"{show(m.value)} ({show(m.low)} to {show(m.high)})"


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _tenth(value: float) -> str:
    return f"{value:.1f}"
