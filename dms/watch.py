"""`dms watch`: the driver's state and alerts, live in a terminal, as a broker tells them.

What arrives was written by anybody who may publish there: it is shown as text, never trusted.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import click
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from dms.config.sinks import MqttConfig
from dms.sinks.mqtt_client import connect_error, new_client, root_topic
from dms.watch_text import clean, event_line, health_line, parse, state_line, text, verdict

log = logging.getLogger(__name__)

STALE_AFTER_S = 2.0
"""A state older than this no longer says anything about the driver: four messages at 2 Hz are missing."""
POLL_S = 0.2
QUEUE_LIMIT = 1000

_CLEAR_LINE = "\r\x1b[K"
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"


def watch(
    config: MqttConfig,
    out: TextIO,
    stop: threading.Event,
    *,
    as_json: bool = False,
    limit: int | None = None,
) -> None:
    """Show what `config`'s vehicle publishes until `stop` is set or `limit` events were shown.

    On a terminal one status line is redrawn in place and alerts scroll above it; elsewhere there are plain
    lines, and `as_json` writes the raw events instead, one line each. A broker that is away is waited for.

    Raises:
        ConfigError: the broker's settings cannot be used.
        BrokenPipeError: whoever reads `out` is gone.
    """
    root = root_topic(config)
    inbox: queue.Queue[_Item] = queue.Queue(QUEUE_LIMIT)
    screen = _JsonScreen(out) if as_json else _Screen(out, live=out.isatty())
    client = _subscribe(config, root, inbox)
    try:
        shown = 0
        while not stop.is_set() and (limit is None or shown < limit):
            try:
                item = inbox.get(timeout=POLL_S)
            except queue.Empty:
                screen.tick(time.monotonic())
                continue
            shown += screen.show(item, time.monotonic())
    finally:
        screen.finish()
        client.disconnect()
        client.loop_stop()


@dataclass(frozen=True, slots=True)
class _Item:
    """One message below the vehicle's topic; `topic` is None for news of the connection itself."""

    topic: str | None
    text: str
    retained: bool = False


def _subscribe(config: MqttConfig, root: str, inbox: queue.Queue[_Item]) -> Client:
    broker = f"{config.host}:{config.port}"

    def put(item: _Item) -> None:
        try:
            inbox.put_nowait(item)
        except queue.Full:
            log.warning("messages come faster than they can be shown; some are skipped")

    def on_connect(
        client: Client, userdata: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            put(_Item(None, f"the broker {broker} refused the connection: {reason}"))
            return
        put(_Item(None, f"connected to {broker}, watching {root}"))
        client.subscribe([(f"{root}/{name}", 1) for name in ("status", "state", "health", "event/#")])

    def on_connect_fail(client: Client, userdata: Any) -> None:
        put(_Item(None, f"waiting for the broker {broker}: {connect_error()}"))

    def on_disconnect(
        client: Client,
        userdata: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        put(_Item(None, f"the broker {broker} closed the connection: {reason}"))

    def on_message(client: Client, userdata: Any, message: MQTTMessage) -> None:
        text = message.payload.decode("utf-8", "replace")
        put(_Item(message.topic.removeprefix(f"{root}/"), text, message.retain))

    client = new_client(config, f"dms-watch-{uuid.uuid4().hex[:8]}")
    client.on_connect = on_connect
    client.on_connect_fail = on_connect_fail
    client.on_disconnect = on_disconnect
    client.on_message = on_message
    client.loop_start()
    return client


class _JsonScreen:
    """Raw events, one line each."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, item: _Item, now_s: float) -> int:
        """Write an event; tells how many events were shown."""
        if item.topic is None:
            log.info("%s", item.text)
        if item.topic is None or not item.topic.startswith("event/"):
            return 0
        document = parse(item.text)
        if document is None:
            log.warning("%s is no JSON object and was skipped", item.topic)
            return 0
        self._out.write(json.dumps(document) + "\n")
        self._out.flush()
        return 1

    def tick(self, now_s: float) -> None:
        """Nothing changes with time alone."""

    def finish(self) -> None:
        """Nothing to tidy."""


class _Screen:
    """Lines that stay, and on a terminal (`live`) one line below them that is redrawn."""

    def __init__(self, out: TextIO, *, live: bool) -> None:
        self._out = out
        self._live = live
        self._state: Mapping[str, Any] | None = None
        self._state_came_s = 0.0
        self._offline: str | None = None
        self._last_line = ""

    def show(self, item: _Item, now_s: float) -> int:
        """Show a message; tells how many events were shown."""
        if item.topic is None:
            self._write_once(clean(item.text))
            return 0
        document = parse(item.text)
        if document is None:
            self._write_once(f"{clean(item.topic)}: not understood, no JSON object")
            return 0
        if item.topic.startswith("event/"):
            self._write(event_line(document))
            self._redraw(now_s)
            return 1
        if item.topic == "state":
            self._show_state(document, now_s, retained=item.retained)
        elif item.topic == "status":
            self._show_status(document, now_s)
        elif item.topic == "health":
            self._write_once(health_line(document))
        return 0

    def tick(self, now_s: float) -> None:
        """Time passes: a state that no longer comes is shown to be old."""
        self._redraw(now_s)

    def finish(self) -> None:
        """Leave the cursor on a fresh line."""
        if self._live:
            self._out.write("\n")
            self._out.flush()

    def _show_state(self, document: Mapping[str, Any], now_s: float, *, retained: bool) -> None:
        changed = self._state is None or verdict(document) != verdict(self._state)
        self._state = document
        # A retained state was written some unknown time ago: it counts as old until the next one comes.
        self._state_came_s = -STALE_AFTER_S if retained else now_s
        if self._live:
            self._redraw(now_s)
        elif changed and not retained:
            self._write(state_line(document))

    def _show_status(self, document: Mapping[str, Any], now_s: float) -> None:
        online = document.get("status") == "online"
        self._offline = None if online else text(document.get("reason"))
        line = f"{text(document.get('software'))} is online" if online else f"OFFLINE: {self._offline}"
        self._write_once(click.style(line, fg=None if online else "bright_red", bold=not online))
        self._redraw(now_s)

    def _redraw(self, now_s: float) -> None:
        if not self._live:
            return
        # A line that wraps could not be cleared again.
        self._out.write(_CLEAR_LINE + _NO_WRAP + self._status_line(now_s) + _WRAP)
        self._out.flush()

    def _status_line(self, now_s: float) -> str:
        if self._offline is not None:
            return click.style(f"OFFLINE ({self._offline}): nobody watches the driver", fg="bright_red")
        if self._state is None:
            return "no state yet"
        if now_s - self._state_came_s > STALE_AFTER_S:
            return click.style("STALE: no state has come lately", fg="magenta")
        return state_line(self._state)

    def _write_once(self, line: str) -> None:
        """Write a line unless it only repeats the last one."""
        if line != self._last_line:
            self._write(line)

    def _write(self, line: str) -> None:
        self._last_line = line
        text = line if self._live else click.unstyle(line)
        self._out.write((_CLEAR_LINE if self._live else "") + text + "\n")
        self._out.flush()
