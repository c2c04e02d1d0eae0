"""The exact state of the judgement as plain JSON values, and back."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

from dms.alerts.manager import AlertManager
from dms.assess.assessor import Assessor
from dms.errors import InputError
from dms.recording.things import ThingReader, ThingWriter, classes

log = logging.getLogger(__name__)

SCHEMA = "dms.checkpoint/1"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Judges:
    """What turns observations into assessments and alerts, and remembers."""

    assessor: Assessor
    alerts: AlertManager


def checkpoint(judges: Judges, constants: ThingWriter | None = None) -> Document:
    """The state of the judges as plain values.

    `constants`, made with the tag `$` and used for all checkpoints of the same judges, spares writing the
    configuration and the profiles each time.

    Raises:
        InputError: an object among them holds what no checkpoint can keep.
    """
    constants = constants or ThingWriter(tag="$")
    table = ThingWriter(constants)
    roots = {name: table.refer(getattr(judges, name), name) for name in ("assessor", "alerts")}
    return {"schema": SCHEMA, **roots, "things": table.things, "constants": list(constants.things)}


def restore(document: Any) -> Judges:
    """New judges in the state that a checkpoint tells of.

    Raises:
        InputError: it is of another version, names a class that may not be restored, or is damaged.
    """
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        found = document.get("schema") if isinstance(document, dict) else type(document).__name__
        raise InputError(f"checkpoint: this dms reads {SCHEMA}, not {found!r:.60}")
    things, constants = document.get("things"), document.get("constants")
    if not isinstance(things, list) or not isinstance(constants, list):
        raise InputError("checkpoint: its table of things is missing")
    table = ThingReader(things, ThingReader(constants, tag="$"))
    try:
        assessor, alerts = table.value(document.get("assessor")), table.value(document.get("alerts"))
    except RecursionError as e:
        raise InputError("checkpoint: its things refer to each other too deeply") from e
    if not isinstance(assessor, Assessor) or not isinstance(alerts, AlertManager):
        raise InputError("checkpoint: it holds no assessor and alert manager")
    return Judges(assessor, alerts)


class Checkpoints:
    """Takes a checkpoint before the first frame and about every `every_s`.

    One that falls into an urgent time is put off by at most as much again: then no frame waits for it.
    """

    def __init__(self, every_s: float) -> None:
        """Take the interval in seconds."""
        self._every_s = every_s
        self._taken_s: float | None = None
        self._failed = False
        self._constants = ThingWriter(tag="$")
        classes()  # looked up at start, not on the first frame

    def due(
        self, captured_s: float, assessor: Assessor, alerts: AlertManager, urgent: bool
    ) -> Document | None:
        """A checkpoint if it is time for one; to be called before the frame captured then is judged.

        Never at a time that is no number: it would be due at every frame.
        """
        if self._failed or not math.isfinite(captured_s):
            return None
        waited_s = None if self._taken_s is None else captured_s - self._taken_s
        patience_s = self._every_s * (2 if urgent else 1)
        if waited_s is not None and 0 <= waited_s < patience_s:
            return None
        self._taken_s = captured_s
        try:
            return checkpoint(Judges(assessor, alerts), self._constants)
        except InputError as e:
            # A fault of ours; the driver is judged all the same, and the black box tells what it loses.
            log.error("no checkpoint can be taken, so no bundle can be written: %s", e)
            self._failed = True
            return None
