"""Frame sources: one file each, chosen from a table by the form of one URI-like argument."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, cast

from dms.config import SourceConfig
from dms.errors import InputError
from dms.records import Frame
from dms.resources import demo_clip


class FrameSource(Protocol):
    """Hands out frames.

    Live sources return the newest frame not yet returned; recordings return every frame in order.
    """

    live: bool
    """Whether `captured_s` is on this machine's monotonic clock (a camera) or is recorded time."""
    fps: float
    """Nominal frames a second: of the recording, or as asked of the camera."""
    dropped: int
    """Frames captured but never handed out, since the start."""

    def newest(self, timeout_s: float) -> Frame:
        """Wait up to `timeout_s` seconds for a frame.

        Raises:
            SourceLost: nothing came in time, or the device is gone.
            SourceEnded: the recording is over.
        """
        ...

    def now_s(self) -> float:
        """The present on this source's own clock, the one `captured_s` is on; seconds.

        Live: the machine's monotonic clock. A recording: the time of the frame handed out last, plus, played
        at its pace, the time gone by since; 0 before the first frame.
        """
        ...

    def close(self) -> None:
        """Release the device or file. May be called twice."""
        ...


SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "device": "dms.sources.camera:DeviceSource",
        "stream": "dms.sources.camera:StreamSource",
        "file": "dms.sources.replay:ReplaySource",
        "folder": "dms.sources.folder:FolderSource",
        "sim": "dms.sources.simulated:SimulatedSource",
    }
)
"""Form of the URI → "module:Class", imported when asked for; what it is called with: `open_source`."""

FORMS = """\
  0, /dev/video0        a camera (V4L2)
  rtsp://…, http(s)://… a network stream
  clip.mp4              a video file
  pictures/             a folder of images
  sim:demo, sim:X.yaml  the simulated driver
  demo                  the demonstration clip that ships with the package"""

_STREAM = re.compile(r"(rtsps?|https?)://.", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def open_source(config: SourceConfig) -> FrameSource:
    """Open what `config.uri` names.

    A recording is checked at once. A live source is opened by its own thread, so the first `newest` tells
    whether it is there. From here on OpenCV keeps to one thread.

    Raises:
        InputError: the form is none of `FORMS`, or the file or folder is missing or unreadable.
    """
    if config.uri == "demo":
        config = config.model_copy(update={"uri": str(demo_clip())})
    form = form_of(config.uri)
    module, _, name = SOURCES[form].partition(":")
    source_class = getattr(importlib.import_module(module), name)
    importlib.import_module("dms.sources.opencv").keep_to_one_thread()
    if form == "sim":
        # The simulator plays scripts for others too: it knows a script, not the section of a source.
        return cast(FrameSource, source_class(config.uri.removeprefix("sim:"), config.realtime))
    return cast(FrameSource, source_class(config))


def form_of(uri: str) -> str:
    """The row of `SOURCES` for `uri`.

    Raises:
        InputError: no row fits; the text lists the accepted forms.
    """
    if uri.startswith("sim:"):
        return "sim"
    if uri.isdecimal() or uri.startswith("/dev/"):
        return "device"
    if _STREAM.match(uri):
        return "stream"
    if _SCHEME.match(uri):
        raise _unknown(uri, "no source for this scheme")
    return _form_of_path(uri)


def _form_of_path(uri: str) -> str:
    path = Path(uri)
    if not uri or not path.exists():
        raise _unknown(uri, "no such file or folder")
    if path.is_dir():
        return "folder"
    if path.is_file():
        return "file"
    raise _unknown(uri, "neither a file nor a folder")


def _unknown(uri: str, why: str) -> InputError:
    return InputError(f"source {uri!r}: {why}. A source is one of:\n{FORMS}")
