"""What one drive learned of a driver, kept for the next in the same seat: by his consent, without identity.

A file holds open levels of eyes and the day it was written; nothing in it tells who the driver is, and
another driver is not judged by it (`assess.baseline` asks for confirmation first). Without consent nothing
is read and nothing is written. `dms seat forget` deletes it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

from dms.config.seat import SeatConfig
from dms.errors import InputError
from dms.files import PRIVATE, make_folder, write_atomically
from dms.records import Judgement, Message

log = logging.getLogger(__name__)

VERSION = 1
KEPT_DAYS = 180
"""Older figures are let go: seats, cameras and eyes change, and what is not needed is not kept."""
WRITE_EVERY_S = 300.0
"""A power cut costs no more than the last five minutes."""
CLOSE_WITHIN_S = 5.0
"""A disk that hangs must not hold up the end of the process."""


class Learner(Protocol):
    """What learns a driver: the assessor."""

    def start_from(self, figures: Mapping[str, float]) -> None:
        """Take the figures of an earlier drive."""

    def baseline_figures(self) -> Mapping[str, float]:
        """The figures learned so far."""


class Seat:
    """The file of one seat."""

    def __init__(self, config: SeatConfig, environment: Mapping[str, str] = os.environ) -> None:
        """Take where it is kept; nothing is read yet."""
        folder = Path(config.folder).expanduser() if config.folder else _state_folder(environment)
        self.path = folder / f"seat-{config.name}.json"

    def read(self) -> dict[str, float]:
        """The kept figures, none without a file. One that is no good is set aside, and that is told.

        One that is too old is deleted.
        """
        try:
            figures, age_days = self._stored()
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as e:
            self._set_aside(str(e))
            return {}
        if age_days > KEPT_DAYS:
            self._let_go()
            return {}
        return figures

    def fault(self) -> str | None:
        """What the next drive will do with the kept file other than start from it; None where it will."""
        try:
            _, age_days = self._stored()
        except (OSError, ValueError, RecursionError) as e:
            return f"it cannot be used and will be set aside: {e}"
        return f"it is older than {KEPT_DAYS} days and will be deleted" if age_days > KEPT_DAYS else None

    def write(self, figures: Mapping[str, float]) -> None:
        """Write figures whole or not at all.

        Raises:
            InputError: the folder cannot be made, or not be written into.
        """
        make_folder(self.path.parent)
        stored = {"version": VERSION, "date": date.today().isoformat(), "figures": dict(figures)}
        write_atomically(self.path, json.dumps(stored, indent=2) + "\n", PRIVATE)

    def forget(self) -> bool:
        """Delete what is kept, also what was set aside; tells whether there was anything.

        Raises:
            InputError: it cannot be deleted.
        """
        found = [path for path in (self.path, self._aside) if path.exists()]
        for path in found:
            try:
                path.unlink()
            except OSError as e:
                raise InputError(f"cannot delete {path}: {e.strerror}; delete it by hand") from e
        return bool(found)

    def _stored(self) -> tuple[dict[str, float], int]:
        """What is kept, and its age in days; OSError or ValueError where that is no good."""
        stored = json.loads(self.path.read_text(encoding="utf-8"))
        return _figures(stored), _age_days(stored)

    @property
    def _aside(self) -> Path:
        return self.path.with_suffix(".bad")

    def _let_go(self) -> None:
        try:
            self.path.unlink()
        except OSError as e:
            log.warning(
                "%s is older than %d days and cannot be deleted: %s", self.path, KEPT_DAYS, e.strerror
            )
            return
        log.info("%s was older than %d days: deleted; the driver is learned anew", self.path, KEPT_DAYS)

    def _set_aside(self, why: str) -> None:
        try:
            self.path.replace(self._aside)
        except OSError as e:
            log.warning(
                "cannot use %s (%s) nor set it aside (%s); the driver is learned anew", self.path, why, e
            )
            return
        log.warning("cannot use %s (%s): set aside as %s; learning anew", self.path, why, self._aside.name)


class SeatSink:
    """Keeps what a learner learns, every few minutes and at the end; made only with the driver's consent.

    The learner starts from what is kept. Writing has a thread of its own: a slow disk stops no frame.
    """

    name = "seat"

    def __init__(self, config: SeatConfig, learner: Learner) -> None:
        self._seat = Seat(config)
        self._learner = learner
        self._written: Mapping[str, float] = {}
        self._due_s: float | None = None
        self._writing: Thread | None = None
        self._fault: str | None = None
        self._closed = False
        self._learned = 0.0
        learner.start_from(self._seat.read())

    def publish(self, message: Message) -> None:
        """Look at the time of each judgement, from the thread that judges."""
        if not isinstance(message, Judgement):
            return
        self._learned = message.assessment.learned.get("eyes", 0.0)
        now_s = message.observation.captured_s
        if self._due_s is None or self._due_s - now_s > WRITE_EVERY_S:
            self._due_s = now_s + WRITE_EVERY_S
        if now_s < self._due_s or (self._writing is not None and self._writing.is_alive()):
            return
        self._due_s = now_s + WRITE_EVERY_S
        figures = dict(self._learner.baseline_figures())
        self._begin_writing(figures)

    def fault(self) -> str | None:
        """Why the baseline is not kept; None when all is well."""
        return self._fault

    def figures(self) -> Mapping[str, float]:
        """Nothing to tell."""
        return {}

    def close(self) -> None:
        """Write what was learned last; a drive too short to learn it leaves what was kept, and says so."""
        if self._closed:
            return
        self._closed = True
        figures = dict(self._learner.baseline_figures())
        if not figures:
            log.info("seat: nothing of this drive is kept: only %.0f %% learned", self._learned * 100)
        if self._written_out():  # the next would hang as well
            self._begin_writing(figures)
            self._written_out()

    def _begin_writing(self, figures: Mapping[str, float]) -> None:
        self._writing = Thread(target=self._write, args=(figures,), name="seat", daemon=True)
        self._writing.start()

    def _written_out(self) -> bool:
        """Wait for what is being written, but not for ever; whether it is done."""
        if self._writing is None:
            return True
        self._writing.join(CLOSE_WITHIN_S)
        if not self._writing.is_alive():
            return True
        self._fault = f"the driver's baseline is not kept: the disk took longer than {CLOSE_WITHIN_S:g} s"
        log.warning("%s", self._fault)
        return False

    def _write(self, figures: Mapping[str, float]) -> None:
        if not figures or figures == self._written:
            return
        try:
            self._seat.write(figures)
        except InputError as e:
            if self._fault is None:
                log.warning("the driver's baseline is not kept: %s", e)
            self._fault = f"the driver's baseline is not kept: {e}"
            return
        self._written, self._fault = figures, None


def seat_sinks(config: SeatConfig, learner: Learner) -> Iterator[SeatSink]:
    """What keeps the baseline; nothing without consent: nothing is read then, and nothing written."""
    if config.consent:
        yield SeatSink(config, learner)


def _state_folder(environment: Mapping[str, str]) -> Path:
    """The service's folder by systemd, else the user's own."""
    service = environment.get("STATE_DIRECTORY")
    if service:
        return Path(service.split(":")[0])
    base = environment.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "dms"


def _figures(stored: Any) -> dict[str, float]:
    """The figures of a file's content; ValueError where it is not what was written."""
    if not isinstance(stored, dict) or stored.get("version") != VERSION:
        raise ValueError(f"not of version {VERSION}")
    figures = stored.get("figures")
    if not isinstance(figures, dict) or not all(map(_is_level, figures.values())):
        raise ValueError("its figures are no levels between 0 and 1")
    return {str(name): float(value) for name, value in figures.items()}


def _age_days(stored: dict[str, Any]) -> int:
    """Whole days since it was written; ValueError where that was after tomorrow."""
    days = (date.today() - date.fromisoformat(str(stored.get("date")))).days
    if days < -1:  # one day is the way from one time zone to another
        raise ValueError(f"written on {stored['date']}, which is yet to come")
    return days


def _is_level(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 < value <= 1.0
