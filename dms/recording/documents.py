"""Reading what was told, from bundles and from JSON lines, as the same documents.

Whoever explains an alert works on `dms.frame/1` documents and those told between them, wherever from.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dms.errors import InputError
from dms.recording.bundle import SUFFIX, Bundle, Moment, is_bundle, open_bundle
from dms.recording.shelf import bundle_of, shelved
from dms.records import Judgement
from dms.sinks import driver_payload
from dms.sinks.lines import read_lines

log = logging.getLogger(__name__)

Document = dict[str, Any]

BEFORE_S, AFTER_S = 15.0, 5.0
"""So much around an alert is looked at where a record holds more."""


@dataclass(slots=True)
class Excerpt:
    """One alert in a record: what made the record, the phases of the alert, and what was told around it."""

    run: Document
    phases: list[Document] = field(default_factory=list)
    frames: list[Document] = field(default_factory=list)
    told: list[Document] = field(default_factory=list)
    """Changes of health and level."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One alert as a list shows it.

    `duration_s` is None where its end is not in the record, `cause` where only its end is.
    """

    id: str
    type: str
    severity: str
    onset_s: float
    duration_s: float | None
    cause: str | None
    path: Path


def excerpt(origin: Path, alert_id: str) -> Excerpt:
    """The alert of this id in a folder of bundles, a bundle or a file of JSON lines.

    Raises:
        InputError: there is no such alert, or what should hold it cannot be read.
    """
    path = bundle_of(origin, alert_id) if origin.is_dir() else origin
    found = _cut(documents(path), alert_id) if path is not None else None
    if found is None:
        raise InputError(f"no alert {alert_id} in {origin}; `dms explain --from {origin}` lists those it has")
    return found


def alerts_in(origin: Path) -> list[Listed]:
    """All alerts of a folder of bundles, a bundle or a file of JSON lines, each once, in their order.

    A bundle of a folder that cannot be read is logged and passed over.

    Raises:
        InputError: the folder, the file, or every bundle of the folder cannot be read.
    """
    found: dict[str, Listed] = {}
    if not origin.is_dir():
        _list(origin, found)
        return list(found.values())
    bundles, unread = shelved(origin), 0
    for item in reversed(bundles):
        try:
            _list(item.path, found)
        except InputError as e:
            unread += 1
            log.warning("passed over: %s", e)
    if bundles and unread == len(bundles) and not found:
        raise InputError(f"{origin}: none of {unread} bundles can be read; the lines above say why")
    return list(found.values())


def _list(path: Path, found: dict[str, Listed]) -> None:
    for document in documents(path):
        for alert in document.get("alerts", ()):
            found[alert["id"]] = _listed(alert, path, found.get(alert["id"]))


def documents(path: Path) -> Iterator[Document]:
    """All documents of a bundle or a file of JSON lines, in order.

    Those told at a time that was no number are passed over: they have no place in a story.

    Raises:
        InputError: it cannot be read; it names the line.
    """
    return (told for told in _all_documents(path) if _is_timed(told))


def _all_documents(path: Path) -> Iterator[Document]:
    if path.suffix == SUFFIX or is_bundle(path):
        with open_bundle(path) as bundle:
            yield from bundle_documents(bundle)
    else:
        for where, document in read_lines(path):
            _require_ours(document, where)
            yield document


def bundle_documents(bundle: Bundle) -> Iterator[Document]:
    """A bundle as the documents a file of JSON lines would hold."""
    run = {"schema": "dms.run/1", "ts": None}
    yield {**run, **{name: bundle.manifest.get(name) for name in ("software", "engines", "cheapest")}}
    verdict = None
    for line in bundle.lines():
        content = line.content
        if isinstance(content, Moment):
            verdict = content.assessment or verdict
            if verdict is not None:
                yield driver_payload.frame(Judgement(content.observation, verdict, content.alerts, {}), None)
        else:
            yield dict(content)


def _require_ours(document: Document, where: str) -> None:
    if "schema" not in document:
        raise InputError(f"{where}: no document of dms: it names no schema")
    if document["schema"] == "dms.frame/1" and not _is_frame(document):
        raise InputError(f"{where}: this dms.frame/1 lacks what it must have; was it edited?")


def _is_timed(document: Document) -> bool:
    return document["schema"] == "dms.run/1" or isinstance(document.get("captured_s"), int | float)


def _is_frame(document: Document) -> bool:
    alerts = document.get("alerts")
    return (
        isinstance(document.get("captured_s", ""), int | float | None)
        and isinstance(document.get("signals"), dict)
        and isinstance(alerts, list)
        and all(isinstance(alert, dict) and alert.keys() >= _ALERT_KEYS for alert in alerts)
    )


_ALERT_KEYS = {"id", "type", "phase", "severity", "t_onset", "t_detect", "duration_s", "cause", "evidence"}


def _cut(told: Iterable[Document], alert_id: str) -> Excerpt | None:
    """The time around one alert, in one pass: a record may hold days."""
    found = Excerpt(run={})
    recent: deque[Document] = deque()
    end_s: float | None = None
    for document in told:
        schema = document["schema"]
        if schema == "dms.run/1":
            if found.phases:
                break
            found.run = document
            recent.clear()
        elif schema in ("dms.health/1", "dms.control/1"):
            recent.append(document)
        elif schema == "dms.frame/1":
            recent.append(document)
            now_s = document["captured_s"]
            phases = [alert for alert in document["alerts"] if alert["id"] == alert_id]
            found.phases += phases
            if any(phase["phase"] == "end" for phase in phases):
                end_s = now_s
            if end_s is not None and not 0 <= now_s - end_s < AFTER_S:
                break
            if not found.phases:
                _forget(recent, now_s)
    found.frames = [item for item in recent if item["schema"] == "dms.frame/1"]
    found.told = [item for item in recent if item["schema"] != "dms.frame/1"]
    return found if found.phases else None


def _forget(recent: deque[Document], now_s: float) -> None:
    while recent and not 0 <= now_s - recent[0]["captured_s"] <= BEFORE_S:
        recent.popleft()


def _listed(alert: Document, path: Path, before: Listed | None) -> Listed:
    ended = alert["phase"] == "end"
    return Listed(
        id=alert["id"],
        type=alert["type"],
        severity=alert["severity"],
        onset_s=alert["t_onset"],
        duration_s=alert["duration_s"] if ended else None,
        cause=alert["cause"] if not ended else before.cause if before else None,
        path=before.path if before else path,
    )
