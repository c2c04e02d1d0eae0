"""What a run told, read back from its JSON lines or from what `dms watch --json` printed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dms.errors import InputError
from dms.records import DriverState, Phase
from dms.summary import MAX_BLIND_S, MAX_GAP_S, AlertRecord

UNJUDGED = frozenset({DriverState.UNKNOWN.value, DriverState.FAULT.value})
FRAME, STATE, EVENT = "dms.frame/1", "dms.state/1", "dms.event/1"


@dataclass(frozen=True)
class Told:
    """One recorded run: its alerts, seconds from its start, its length and how much of it was judged."""

    alerts: tuple[AlertRecord, ...]
    seconds: float
    judged_s: float


def read_told(path: Path, start_s: float | None = None) -> Told:
    """Read JSON lines of a run, or of `dms watch --json` for one vehicle.

    Args:
        path: the file.
        start_s: the moment, by the record's clock, at which the timeline begins; None = its first line.

    Raises:
        InputError: unreadable, no such lines, or several vehicles in one file; says the line and what to do.
    """
    fold = _Fold()
    for number, document in _documents(path):
        try:
            fold.take(document)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: line {number} is no whole line of a run: {error}") from error
    if fold.first_s is None:
        raise InputError(
            f"{path} holds no frame, state or event of a run; give the file of `dms analyze --out`, of "
            "sinks.jsonl.path, or of `dms watch --json`"
        )
    return fold.told(fold.first_s if start_s is None else start_s)


def _documents(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The line's number and the document in it; a message of MQTT is unpacked."""
    vehicles: set[str] = set()
    for number, line in enumerate(_lines(path), 1):
        try:
            document = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}: line {number} is no JSON: {error}") from error
        if not isinstance(document, dict):
            raise InputError(f"{path}: line {number} is no JSON object")
        if "topic" in document:
            vehicles.add(_vehicle(str(document["topic"])))
            document = document.get("payload")
        if len(vehicles) > 1:
            raise InputError(
                f"{path}: line {number}: several vehicles in one file ({', '.join(sorted(vehicles))}); "
                "record one alone with `dms watch --vehicle NAME --json`"
            )
        if isinstance(document, dict):
            yield number, document


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from (line for line in file if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}; give a file of JSON lines") from error


def _vehicle(topic: str) -> str:
    """`dms/v1/<vehicle>/event/…` without what comes after the vehicle."""
    return topic.partition("/event/")[0].rpartition("/state")[0] or topic.partition("/event/")[0]


class _Fold:
    """Line after line into alerts and judged time."""

    def __init__(self) -> None:
        self.first_s: float | None = None
        self._last_s = math.nan
        self._alerts: dict[str, AlertRecord] = {}
        self._seconds = 0.0
        self._judged_s = 0.0

    def take(self, document: dict[str, Any]) -> None:
        schema = document.get("schema")
        if schema in (FRAME, STATE):
            self._take_moment(float(document["captured_s"]), document["state"], document.get("frame", 0))
        if schema == FRAME:
            for alert in document["alerts"]:
                self._take_alert(alert)
        elif schema == EVENT:
            self._take_alert(document)

    def told(self, start_s: float) -> Told:
        alerts = tuple(
            replace(
                alert,
                onset_s=alert.onset_s - start_s,
                detected_s=alert.detected_s - start_s,
                ended_s=alert.ended_s - start_s,
            )
            for alert in self._alerts.values()
        )
        return Told(alerts, self._seconds, self._judged_s)

    def _take_moment(self, now_s: float, state: str, frame: int | None) -> None:
        """Time belongs to the state at its end, as in the summary of a run."""
        if self.first_s is None:
            self.first_s = now_s
        elapsed_s = now_s - self._last_s
        self._last_s = now_s
        if 0 < elapsed_s <= (MAX_BLIND_S if frame is None else MAX_GAP_S):
            self._seconds += elapsed_s
            self._judged_s += 0.0 if state in UNJUDGED else elapsed_s

    def _take_alert(self, told: dict[str, Any]) -> None:
        onset_s = float(told["t_onset"])
        if self.first_s is None:
            self.first_s = onset_s
        before = self._alerts.get(told["id"])
        types = before.types if before else ()
        self._alerts[told["id"]] = AlertRecord(
            id=told["id"],
            types=types if told["type"] in types else (*types, told["type"]),
            severity=told["severity"],
            onset_s=before.onset_s if before else onset_s,
            detected_s=before.detected_s if before else float(told["t_detect"]),
            ended_s=onset_s + float(told["duration_s"]),
            cause=before.cause if before and told["phase"] == Phase.END.value else told["cause"],
        )
