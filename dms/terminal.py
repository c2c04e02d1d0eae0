"""What a person at a terminal sees beside a command's own output: errors as lines of text, and progress."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import click

from dms.errors import DmsError

EXIT_INTERRUPTED = 128 + signal.SIGINT


class Commands(click.Group):
    """Turns our errors into lines of text and exit codes: nobody sees a traceback unless he asks for it."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command chosen."""
        try:
            return super().invoke(ctx)
        except DmsError as e:
            if ctx.params["debug"]:
                traceback.print_exc()
            for line in str(e).splitlines():
                click.echo(line if line.startswith(" ") else f"dms: error: {line}", err=True)
            ctx.exit(e.exit_code)
        except KeyboardInterrupt:
            click.echo("dms: interrupted", err=True)
            ctx.exit(EXIT_INTERRUPTED)


def tell_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of ours that nobody foresaw, in one line: a `sys.excepthook`."""
    text = " ".join(str(error).split())
    click.echo(f"dms: internal fault: {kind.__name__}: {text} (`dms --debug …` shows where)", err=True)


@contextmanager
def progress(label: str, length_s: float | None) -> Iterator[Callable[[float], None]]:
    """A progress bar over seconds of recording; no bar where the length is not known beforehand."""
    if not length_s:
        yield lambda done_s: None
        return
    length_ms = max(1, round(length_s * 1000))
    with click.progressbar(
        length=length_ms, label=label, file=sys.stderr, update_min_steps=max(1, length_ms // 200)
    ) as bar:
        yield lambda done_s: bar.update(max(0, round(done_s * 1000) - bar.pos))


def recording_length_s(recording: str) -> float | None:
    """How long a video file says it is; None for anything else."""
    if not Path(recording).is_file():
        return None
    import cv2

    from dms.sources.opencv import hush_opencv

    hush_opencv()
    video = cv2.VideoCapture(recording)
    fps, frames = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
    video.release()
    return frames / fps if fps > 0 and frames > 0 else None
