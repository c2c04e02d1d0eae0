"""Where `dms watch` writes: a terminal, a plain stream, or JSON lines.

What arrives was written by anybody who may publish there: it is shown as text, never trusted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

import click

from dms.watch_text import (
    clean,
    control_line,
    device_words,
    event_line,
    health_line,
    level_word,
    parse,
    state_line,
    state_word,
    text,
    verdict,
)

STALE_AFTER_S = 2.0
"""A state older than this no longer says anything about the driver: four messages at 2 Hz are missing."""

_CLEAR_LINE = "\r\x1b[K"
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"


@dataclass(frozen=True, slots=True)
class Item:
    """One message: its whole topic, what stands below the vehicle's topic (`state`), and the raw text."""

    topic: str
    vehicle: str
    name: str
    text: str
    retained: bool = False


class Screens(Protocol):
    """What `watch` writes to. Times are seconds on any monotonic clock."""

    def show(self, item: Item, now_s: float) -> None:
        """A message came."""
        ...

    def note(self, line: str) -> None:
        """The connection has news."""
        ...

    def tick(self, now_s: float) -> None:
        """Time passes."""
        ...

    def finish(self) -> None:
        """Nothing more comes."""
        ...


class JsonScreen:
    """Every message as one line `{"topic": …, "payload": …}`; what else there is to tell goes to `errors`."""

    def __init__(self, out: TextIO, errors: TextIO) -> None:
        self._out = out
        self._errors = errors
        self._last_note = ""

    def show(self, item: Item, now_s: float) -> None:
        """Write a message."""
        document = parse(item.text, parse_int=int)
        if document is None:
            self.note(f"{item.topic}: not understood, no JSON object")
            return
        self._out.write(json.dumps({"topic": item.topic, "payload": document}) + "\n")
        self._out.flush()

    def note(self, line: str) -> None:
        """Write a line to `errors` unless it only repeats the last one."""
        if line != self._last_note:
            self._last_note = line
            click.echo(clean(line), file=self._errors)

    def tick(self, now_s: float) -> None:
        """Nothing changes with time alone."""

    def finish(self) -> None:
        """Nothing to tidy."""


@dataclass(slots=True)
class _Vehicle:
    """What is known of one vehicle."""

    state: Mapping[str, Any] | None = None
    state_came_s: float = 0.0
    control: Mapping[str, Any] | None = None
    metrics: Mapping[str, Any] | None = None
    offline: str | None = None

    def line(self, now_s: float) -> str:
        """All of it."""
        if self.offline is not None:
            return click.style(f"OFFLINE ({self.offline}): nobody watches the driver", fg="bright_red")
        if self._is_stale(now_s):
            return click.style("STALE: no state has come lately", fg="magenta")
        parts = [
            state_line(self.state) if self.state else "no state yet",
            level_word(self.control) if self.control else "",
            device_words(self.metrics) if self.metrics else "",
        ]
        return "  ".join(part for part in parts if part)

    def word(self, now_s: float) -> str:
        """The verdict alone, where many vehicles share a line."""
        if self.offline is not None:
            return click.style("OFFLINE", fg="bright_red")
        if self._is_stale(now_s):
            return click.style("STALE", fg="magenta")
        return state_word(self.state) if self.state else "–"

    def _is_stale(self, now_s: float) -> bool:
        return self.state is not None and now_s - self.state_came_s > STALE_AFTER_S


class Screen:
    """Lines that stay, each with its vehicle, and on a terminal (`live`) one line below that is redrawn."""

    def __init__(self, out: TextIO, *, live: bool) -> None:
        self._out = out
        self._live = live
        self._vehicles: dict[str, _Vehicle] = {}
        self._last_line = ""

    def show(self, item: Item, now_s: float) -> None:
        """Show a message."""
        document = parse(item.text)
        name = clean(item.vehicle)
        if document is None:
            self.note(f"{item.topic}: not understood, no JSON object")
        elif item.name.startswith("event/"):
            self._write(f"{name}  {event_line(document)}")
        elif item.name == "state":
            self._show_state(name, document, now_s, retained=item.retained)
        elif item.name == "status":
            self._show_status(name, document)
        elif item.name == "health":
            self._write_once(f"{name}  {health_line(document)}")
        elif item.name == "control":
            self._vehicle(name).control = document
            self._write_once(f"{name}  {control_line(document)}")
        elif item.name == "metrics":
            self._vehicle(name).metrics = document
        self.tick(now_s)

    def note(self, line: str) -> None:
        """Show news of the connection."""
        self._write_once(clean(line))

    def tick(self, now_s: float) -> None:
        """Time passes: a state that no longer comes is shown to be old."""
        if not self._live:
            return
        # A line that wraps could not be cleared again.
        self._out.write(_CLEAR_LINE + _NO_WRAP + self._status_line(now_s) + _WRAP)
        self._out.flush()

    def finish(self) -> None:
        """Leave the cursor on a fresh line."""
        if self._live:
            self._out.write("\n")
            self._out.flush()

    def _vehicle(self, name: str) -> _Vehicle:
        return self._vehicles.setdefault(name, _Vehicle())

    def _show_state(self, name: str, document: Mapping[str, Any], now_s: float, *, retained: bool) -> None:
        vehicle = self._vehicle(name)
        changed = vehicle.state is None or verdict(document) != verdict(vehicle.state)
        vehicle.state = document
        # A retained state was written some unknown time ago: it counts as old until the next one comes.
        vehicle.state_came_s = now_s - 2 * STALE_AFTER_S if retained else now_s
        if changed and not retained and not self._live:
            self._write(f"{name}  {state_line(document)}")

    def _show_status(self, name: str, document: Mapping[str, Any]) -> None:
        online = document.get("status") == "online"
        offline = None if online else text(document.get("reason"))
        self._vehicle(name).offline = offline
        line = f"{text(document.get('software'))} is online" if online else f"OFFLINE: {offline}"
        self._write_once(f"{name}  {click.style(line, fg=None if online else 'bright_red', bold=not online)}")

    def _status_line(self, now_s: float) -> str:
        if len(self._vehicles) == 1:
            ((name, vehicle),) = self._vehicles.items()
            return f"{name}  {vehicle.line(now_s)}"
        words = (f"{name} {vehicle.word(now_s)}" for name, vehicle in sorted(self._vehicles.items()))
        return "  ".join(words) or "no state yet"

    def _write_once(self, line: str) -> None:
        """Write a line unless it only repeats the last one."""
        if line != self._last_line:
            self._write(line)

    def _write(self, line: str) -> None:
        self._last_line = line
        text = line if self._live else click.unstyle(line)
        self._out.write((_CLEAR_LINE if self._live else "") + text + "\n")
        self._out.flush()
