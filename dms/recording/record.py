"""Keeps a whole run in one bundle, from its first frame to its end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from dms.errors import SinkError
from dms.files import PRIVATE
from dms.recording.bundle import Writer, content_of, to_line
from dms.recording.redaction import Redactor
from dms.records import Judgement, Message

log = logging.getLogger(__name__)


class RecordSink:
    """Writes a bundle of everything that is judged; it stands under its name once it is closed.

    Args:
        path: the bundle; a former file is replaced.
        about: what the manifest tells (`recording.about`).
        redactor: leaves out of faults what names a place.

    Raises:
        SinkError: the file cannot be written.
    """

    name = "record"

    def __init__(self, path: Path, about: Mapping[str, Any], redactor: Redactor) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._about = about
        self._redactor = redactor
        self._last: Judgement | None = None
        self._alerts: dict[str, None] = {}
        self._writer: Writer | None = None
        self._fault: str | None = None
        try:
            self._partial.touch(PRIVATE)
            self._file: IO[bytes] | None = self._partial.open("wb")
        except OSError as e:
            raise SinkError(f"{path} cannot be written: {e.strerror}") from e

    def publish(self, message: Message) -> None:
        """Take a judgement, or what is told between two."""
        if self._fault is not None or self._file is None:
            return
        try:
            self._take(message, self._file)
        except OSError as e:
            self._fault = f"{self._path} cannot be written: {e.strerror}; there will be no record of this run"
            log.error("%s", self._fault)

    def fault(self) -> str | None:
        """Why there will be no record; None when all is well."""
        return self._fault

    def figures(self) -> Mapping[str, float]:
        """How much was kept."""
        return {"lines_written": self._writer.count if self._writer else 0}

    def close(self) -> None:
        """Finish the bundle. Without a checkpoint there is none, and `fault` tells so."""
        if self._file is None:
            return
        file, self._file = self._file, None
        if self._writer is None and self._fault is None:
            why = "no frame was judged" if self._last is None else "no checkpoint could be taken, see the log"
            self._fault = f"there is no record of this run, {self._path} is not written: {why}"
        try:
            self._finish(file)
        except OSError as e:
            self._fault = f"{self._path} cannot be written: {e.strerror}"
        # Nothing is left where the bundle has its name; a disk that turned read-only refuses even that.
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _finish(self, file: IO[bytes]) -> None:
        with file:
            if self._writer is None or self._fault is not None:
                return
            whole = {"alert": None, "alerts": list(self._alerts), "landmarks": True, **self._about}
            self._writer.finish(whole)
        self._partial.replace(self._path)

    def _take(self, message: Message, file: IO[bytes]) -> None:
        content = content_of(message, self._last)
        if content is None:
            return
        if isinstance(message, Judgement):
            self._last = message
            self._alerts.update(dict.fromkeys(alert.id for alert in message.alerts))
            if self._writer is None and message.checkpoint is not None:
                self._writer = Writer(file, self._redactor.checkpoint(message.checkpoint))
        if self._writer is not None:
            self._writer.add(to_line(self._redactor.line(content)))
