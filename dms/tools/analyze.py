"""Judge a recording as fast as it goes: one JSON line a frame, a summary, an overlay."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from dms.app import judge_recording
from dms.config import Config
from dms.errors import InputError, SinkError
from dms.files import require_folder, write_atomically
from dms.recording.about import about
from dms.recording.checkpoint import Checkpoints
from dms.recording.record import RecordSink
from dms.records import Alert, Frame, Judgement, Phase
from dms.sinks import Sink
from dms.sinks.jsonl import JsonlSink
from dms.sinks.system_payload import Origin
from dms.sources import open_source
from dms.summary import Summary
from dms.tools.overlay import OverlayWriter, draw

Progress = Callable[[float], None]


def analyze(
    config: Config,
    recording: str,
    out: Path | None = None,
    summary: Path | None = None,
    overlay: Path | None = None,
    record: Path | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Judge `recording` (anything a source URI can name that ends) by its recorded time.

    `out` gets a JSON line a frame, `summary` the summary as JSON, `overlay` a video with what was seen drawn
    in, `record` a bundle of the whole run, to be judged again with `dms replay`; `progress` is told the
    recorded seconds judged so far; `stop` is asked before each frame.

    Raises:
        InputError: the recording is missing, unreadable or no recording, or an output cannot be written or
            would overwrite the recording or another output.
        SinkError: lines of `out` were lost, because the disk is full for instance.
    """
    _require_outputs(recording, [path for path in (out, summary, overlay, record) if path])
    source_config = config.source.model_copy(update={"uri": recording, "realtime": False})
    with ExitStack() as stack:
        source = stack.enter_context(closing(open_source(source_config)))
        if source.live:
            raise InputError(f"{recording} never ends: a live source is watched with `dms run`")
        sinks: list[Sink] = []
        drawn = stack.enter_context(closing(_Drawn(overlay, source.fps))) if overlay else None

        def observe(frame: Frame, judgement: Judgement) -> None:
            if drawn:
                drawn.add(frame, judgement)
            if progress:
                progress(frame.captured_s)

        def open_sinks(origin: Origin) -> list[Sink]:
            if out:
                sinks.append(stack.enter_context(closing(JsonlSink(out, origin=origin))))
            if record:
                sinks.append(stack.enter_context(closing(RecordSink(record, *about(config, origin)))))
            return sinks

        checkpoint = Checkpoints(math.inf).due if record else None
        result = judge_recording(config, source, open_sinks, stop, observe, checkpoint)
    if summary:
        write_atomically(summary, json.dumps(result.to_dict(), indent=2) + "\n")
    _require_whole(sinks)
    return result


class _Drawn:
    """The video of what was seen, with the alerts that stand."""

    def __init__(self, path: Path, fps: float) -> None:
        self._video = OverlayWriter(path, fps)
        self._active: dict[str, Alert] = {}

    def add(self, frame: Frame, judgement: Judgement) -> None:
        for alert in judgement.alerts:
            self._active[alert.id] = alert
            if alert.phase is Phase.END:
                del self._active[alert.id]
        self._video.write(draw(frame.image, judgement, list(self._active.values())))

    def close(self) -> None:
        self._video.close()


def _require_whole(sinks: Sequence[Sink]) -> None:
    for sink in sinks:
        if fault := sink.fault():
            raise SinkError(fault)


def _require_outputs(recording: str, outputs: Sequence[Path]) -> None:
    taken = {Path(recording).resolve()}
    for path in outputs:
        require_folder(path)
        if path.resolve() in taken:
            raise InputError(f"{path} is given twice: each output needs a file of its own, not the input's")
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a folder")
        taken.add(path.resolve())
