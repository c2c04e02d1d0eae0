"""Judge a recording as fast as it goes: one JSON line a frame, a summary, an overlay."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from dms.app import judge_recording
from dms.config import Config
from dms.errors import InputError
from dms.files import require_folder, write_atomically
from dms.records import Frame, Judgement
from dms.sinks import Sink
from dms.sinks.jsonl import JsonlSink
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
    progress: Progress | None = None,
) -> Summary:
    """Judge `recording` (anything a source URI can name that ends) by its recorded time.

    `out` gets a JSON line a frame, `summary` the summary as JSON, `overlay` a video with what was seen drawn
    in; `progress` is told the recorded seconds judged so far.

    Raises:
        InputError: the recording is missing, unreadable or no recording.
    """
    if summary:
        require_folder(summary)
    source_config = config.source.model_copy(update={"uri": recording, "realtime": False})
    with ExitStack() as stack:
        source = stack.enter_context(closing(open_source(source_config)))
        if source.live:
            raise InputError(f"{recording} never ends: a live source is watched with `dms run`")
        sinks: list[Sink] = []
        if out:
            sinks.append(stack.enter_context(closing(JsonlSink(out))))
        video = stack.enter_context(closing(OverlayWriter(overlay, source.fps))) if overlay else None

        def observe(frame: Frame, judgement: Judgement) -> None:
            if video:
                video.write(draw(frame.image, judgement))
            if progress:
                progress(frame.captured_s)

        result = judge_recording(config, source, sinks, observe)
    if summary:
        write_atomically(summary, json.dumps(result.to_dict(), indent=2) + "\n")
    return result
