"""What a person at a terminal sees beside a command's own output: errors as lines of text, and progress."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, TextIO

import click

from dms.errors import DmsError

log = logging.getLogger(__name__)


def exit_code(received: int) -> int:
    """What a process ended by a signal returns, by custom: 130 for SIGINT (Ctrl-C), 143 for SIGTERM."""
    return 128 + received


def exit_on_signal(number: int, frame: FrameType | None) -> None:
    """A signal handler that ends the process as Ctrl-C does: what was begun is tidied up."""
    sys.exit(exit_code(number))


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
            ctx.exit(exit_code(signal.SIGINT))


def tell_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of ours that nobody foresaw, in one line: a `sys.excepthook`."""
    text = " ".join(str(error).split())
    click.echo(f"dms: internal fault: {kind.__name__}: {text} (`dms --debug …` shows where)", err=True)


def teller(stream: TextIO) -> Callable[[str], None]:
    """Prints lines; once nobody reads them any more (`| head`) it does so into the void, and work goes on."""

    def tell(line: str) -> None:
        try:
            click.echo(line, file=stream)
        except OSError as e:
            log.warning("nothing can be shown any more (%s); work goes on", e.strerror)
            with open(os.devnull, "w") as void:
                os.dup2(void.fileno(), stream.fileno())

    return tell


@contextmanager
def progress(label: str, length_s: float | None) -> Iterator[Callable[[float], None]]:
    """A progress bar over seconds of recording, once there is some; none where the length is not known."""
    if not length_s:
        yield lambda done_s: None
        return
    length_ms = max(1, round(length_s * 1000))
    bar = click.progressbar(
        length=length_ms, label=label, file=sys.stderr, update_min_steps=max(1, length_ms // 200)
    )
    with ExitStack() as shown:

        def advance(done_s: float) -> None:
            if not bar.entered:  # an error before the first frame stands alone
                shown.enter_context(bar)
            bar.update(max(0, round(done_s * 1000) - bar.pos))

        yield advance


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
