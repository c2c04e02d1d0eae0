"""What a run told, read back from its JSON lines or from what `dms watch --json` printed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dms.errors import InputError
from dms.records import Phase
from dms.sinks.lines import read_lines
from dms.summary import MAX_GAP_S, AlertRecord, StateTime

RUN, FRAME, STATE, EVENT = "dms.run/1", "dms.frame/1", "dms.state/1", "dms.event/1"


@dataclass(frozen=True)
class Told:
    """One recorded run: its alerts, its length within the timeline and how much of that was judged.

    Times are seconds of the timeline. `profiles` are the hashes of those that raised the alerts, by name.
    """

    alerts: tuple[AlertRecord, ...]
    seconds: float
    judged_s: float
    begins_s: float
    ends_s: float
    profiles: Mapping[str, frozenset[str]]


def read_told(path: Path, start_s: float | None = None, truth_ends_s: float | None = None) -> Told:
    """Read JSON lines of a run, or of `dms watch --json` for one vehicle.

    Args:
        path: the file.
        start_s: the moment, by the record's clock, at which the timeline begins; None = its first line.
        truth_ends_s: where the timeline ends, seconds from its start; None = with the record.

    Raises:
        InputError: unreadable, no such lines, several vehicles or runs in one file, a timeline that begins
            after the record, or moments too far apart to tell time by; says where and what to do.
    """
    fold = _Fold(start_s, math.inf if truth_ends_s is None else truth_ends_s)
    for where, document in _documents(path):
        try:
            fold.take(document)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{where} is no whole line of a run: {error}") from error
    if fold.first_s is None or fold.last_s is None:
        raise InputError(
            f"{path} holds no frame, state or event of a run; give the file of `dms analyze --out`, of "
            "sinks.jsonl.path, or of `dms watch --json`"
        )
    if fold.too_sparse:
        raise InputError(
            f"{path}: most moments lie more than {MAX_GAP_S:g} s apart: nobody can tell how much of it was "
            "judged; record with sinks.mqtt.state_hz 2 or more, or score the lines of sinks.jsonl.path"
        )
    if start_s is not None and start_s > fold.last_s:
        raise InputError(
            f"{path} ends at captured_s {fold.last_s:g}: no timeline begins after it, at {start_s:g}"
        )
    return fold.told(fold.first_s, fold.last_s)


def _documents(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Frames, states and events, and where they stand; a message of MQTT is unpacked."""
    vehicles: set[str] = set()
    runs = 0
    for where, line in read_lines(path):
        document = line.get("payload") if "topic" in line else line
        schema = document.get("schema") if isinstance(document, dict) else None
        runs += schema == RUN
        if runs > 1:
            raise InputError(
                f"{where}: a second run begins, with a clock of its own; cut the file before this line and "
                "score each part against its timeline"
            )
        if not isinstance(document, dict) or schema not in (FRAME, STATE, EVENT):
            continue
        if "topic" in line:
            vehicles.add(_vehicle(str(line["topic"])))
        if len(vehicles) > 1:
            raise InputError(
                f"{where}: several vehicles in one file ({', '.join(sorted(vehicles))}); "
                "record one alone with `dms watch --vehicle NAME --json`"
            )
        yield where, document


def _vehicle(topic: str) -> str:
    """`dms/v1/<vehicle>/state` or `…/event/…` without what comes after the vehicle."""
    return topic.partition("/event/")[0].removesuffix("/state")


class _Fold:
    """Line after line into alerts and judged time."""

    def __init__(self, start_s: float | None, truth_ends_s: float) -> None:
        self._start_s = start_s
        self._truth_ends_s = truth_ends_s
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.time = StateTime()
        self._alerts: dict[str, AlertRecord] = {}
        self._profiles: dict[str, set[str]] = {}

    @property
    def too_sparse(self) -> bool:
        """Whether gaps that count as no time are the rule: states that came less than once a second."""
        return self.time.gaps > self.time.steps

    def take(self, document: dict[str, Any]) -> None:
        schema = document.get("schema")
        if schema in (FRAME, STATE):
            now_s = float(document["captured_s"])
            start_s = self._reach(now_s)
            if 0 <= now_s - start_s <= self._truth_ends_s:
                self.time.take(now_s, document["state"], blind=document.get("frame", 0) is None)
        if schema == FRAME:
            for alert in document["alerts"]:
                self._take_alert(alert)
        elif schema == EVENT:
            self._take_alert(document)

    def told(self, first_s: float, last_s: float) -> Told:
        start_s = first_s if self._start_s is None else self._start_s
        alerts = tuple(
            replace(
                alert,
                onset_s=alert.onset_s - start_s,
                detected_s=alert.detected_s - start_s,
                ended_s=alert.ended_s - start_s,
            )
            for alert in self._alerts.values()
        )
        profiles = {name: frozenset(hashes) for name, hashes in self._profiles.items()}
        time = self.time
        return Told(alerts, time.recorded_s, time.judged_s, first_s - start_s, last_s - start_s, profiles)

    def _reach(self, now_s: float) -> float:
        """The record holds this moment; return where the timeline begins."""
        self.first_s = now_s if self.first_s is None else self.first_s
        self.last_s = now_s if self.last_s is None else max(self.last_s, now_s)
        return self.first_s if self._start_s is None else self._start_s

    def _take_alert(self, told: dict[str, Any]) -> None:
        onset_s = float(told["t_onset"])
        if self.first_s is None:
            self._reach(onset_s)
        if name := told.get("profile"):
            self._profiles.setdefault(name, set()).update(filter(None, [told.get("profile_hash")]))
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
            profile=str(told.get("profile") or ""),
        )
