"""Writes one line of JSON a frame and one a change of level or health, always whole lines."""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import stat
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from dms.errors import SinkError
from dms.records import Control, Health, Judgement, Message
from dms.sinks import driver_payload, system_payload, values

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 0.5
"""Lines wait this long, by the source's clock, to be written together; one with an alert waits not at all."""
FLUSH_LINES = 64


class JsonlSink:
    """A file of `dms.frame/1` lines, between them `dms.control/1` and `dms.health/1` as they come.

    Where the `origin` of the judgements is given, a `dms.run/1` line tells it before the first of them.
    A former file of that name is replaced, or with `append` continued.
    Lines are appended whole, several in one system call, so a process that is killed leaves no half line; one
    that a power cut left at the end of a former file is cut off. When a write fails (disk full) its lines are
    dropped and counted, the file is cut back to whole lines, and writing goes on with the next ones.

    Raises:
        SinkError: the file cannot be opened for writing.
    """

    name = "jsonl"

    def __init__(
        self,
        path: Path,
        epoch_offset: Callable[[], float | None] = lambda: None,
        append: bool = False,
        origin: system_payload.Origin | None = None,
    ) -> None:
        self._path = path
        self._origin = origin
        self._epoch_offset = epoch_offset
        self._file = _open(path, append)
        # A deque, because a health may come from another thread. That one never writes: the disk may hang.
        self._lines: deque[bytes] = deque()
        self._first_s = 0.0
        self._fault: str | None = None
        self._closed = False
        self.dropped = 0
        """Lines that could not be written, since the start."""

    def publish(self, message: Message) -> None:
        """Take a judgement, or a change of level or health, which is written with the next judgements."""
        if self._closed:
            return
        if isinstance(message, Judgement):
            self._take(message)
        elif isinstance(message, Control):
            self._add(system_payload.control(message, self._epoch_offset()))
        elif isinstance(message, Health):
            self._add(system_payload.health(message, self._epoch_offset()))

    def fault(self) -> str | None:
        """Why lines are being lost; None when all is well."""
        return None if self._fault is None else f"{self._path}: {self._fault}; {self.dropped} lines lost"

    def figures(self) -> Mapping[str, float]:
        """What was lost."""
        return {"lines_dropped": self.dropped}

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._closed:
            return
        self._flush()
        self._closed = True
        os.close(self._file)

    def _take(self, judgement: Judgement) -> None:
        now_s = judgement.observation.captured_s
        if self._origin is not None:
            self._add(system_payload.run(self._origin, self._epoch_offset(), now_s))
            self._origin = None
        if not self._lines:
            self._first_s = now_s
        self._add(driver_payload.frame(judgement, self._epoch_offset()))
        waited = not 0 <= now_s - self._first_s < FLUSH_EVERY_S
        if waited or judgement.alerts or len(self._lines) >= FLUSH_LINES:
            self._flush()

    def _add(self, document: values.Document) -> None:
        self._lines.append(values.encode(document).encode() + b"\n")

    def _flush(self) -> None:
        if not self._lines:
            return
        data = b"".join(self._lines.popleft() for _ in range(len(self._lines)))
        error = "the disk is full"
        try:
            written = os.write(self._file, data)
        except OSError as e:
            written, error = 0, e.strerror or str(e)
        if written == len(data):
            self._recover()
        else:
            self._lose(data, written, error)

    def _lose(self, data: bytes, written: int, error: str) -> None:
        """Keep the whole lines of a write that fell short and drop the rest."""
        whole = data.rfind(b"\n", 0, written) + 1
        # A pipe or a device cannot be cut back, and there is nothing else to be done about it.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, os.fstat(self._file).st_size - (written - whole))
        self.dropped += data.count(b"\n", whole)
        if self._fault is None:
            log.error("%s cannot be written: %s; lines are lost from now on", self._path, error)
        self._fault = error

    def _recover(self) -> None:
        if self._fault is not None:
            log.warning("%s can be written again; %d lines were lost", self._path, self.dropped)
            self._fault = None


def _open(path: Path, append: bool) -> int:
    try:
        if append:
            _cut_half_line(path)
        start = 0 if append else os.O_TRUNC
        return os.open(path, os.O_WRONLY | os.O_CREAT | start | os.O_APPEND | os.O_CLOEXEC, 0o640)
    except OSError as e:
        raise SinkError(
            f"{path} cannot be written: {e.strerror}; name a file in a folder this user may write to"
        ) from e


def _cut_half_line(path: Path) -> None:
    """Cut whatever stands behind the last line of a former file: it would spoil the first new one."""
    with (
        contextlib.suppress(FileNotFoundError),
        os.fdopen(os.open(path, os.O_RDWR | os.O_NONBLOCK), "rb") as file,
    ):
        note = os.fstat(file.fileno())
        if stat.S_ISREG(note.st_mode) and note.st_size:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                whole = content.rfind(b"\n") + 1
            os.ftruncate(file.fileno(), whole)
