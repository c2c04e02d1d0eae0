"""Keeps a whole run in one bundle, from its first frame to its end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from dms.errors import SinkError
from dms.recording.bundle import Moment, Told, Writer, to_line
from dms.recording.redaction import Redactor
from dms.records import Control, Health, Judgement, Message
from dms.sinks import system_payload

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
        """Finish the bundle."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            if self._writer is not None and self._fault is None:
                whole = {"alert": None, "alerts": list(self._alerts), "landmarks": True, **self._about}
                self._writer.finish(whole)
            file.close()
            if self._writer is not None and self._fault is None:
                self._partial.replace(self._path)
        except OSError as e:
            self._fault = f"{self._path} cannot be written: {e.strerror}"
            with suppress(OSError):
                file.close()
        self._partial.unlink(missing_ok=True)

    def _take(self, message: Message, file: IO[bytes]) -> None:
        if isinstance(message, Judgement):
            if self._writer is None and message.checkpoint is not None:
                self._writer = Writer(file, self._redactor.checkpoint(message.checkpoint))
            # The end of a run repeats the last judgement: it is no further moment.
            ended = self._last is not None and message.assessment is self._last.assessment
            self._last = message
            self._alerts.update(dict.fromkeys(alert.id for alert in message.alerts))
            self._add(Moment(message.observation, None if ended else message.assessment, message.alerts))
        elif isinstance(message, Health):
            self._add(system_payload.health(message, None))
        elif isinstance(message, Control):
            self._add(system_payload.control(message, None))

    def _add(self, content: Moment | Told) -> None:
        if self._writer is not None:
            self._writer.add(to_line(self._redactor.line(content)))
