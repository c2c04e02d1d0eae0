"""`dms watch`: the state and the alerts of vehicles, live, as a broker tells them."""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from dms.config.sinks import MqttConfig
from dms.mqtt_client import connect_error, leave, new_client, prefix_topic
from dms.watch_screen import Item, Screens

log = logging.getLogger(__name__)

POLL_S = 0.2
HINT_AFTER_S = 5.0
"""A vehicle that runs tells its state twice a second, and its broker the last one at once."""
QUEUE_LIMIT = 1000
TO_VEHICLE = ("in/", "cmd/")
"""What is below these others tell the vehicle; it is not shown."""


def watch(
    config: MqttConfig,
    vehicle: str | None,
    screen: Screens,
    stop: threading.Event,
    hint_after_s: float = HINT_AFTER_S,
) -> None:
    """Show what `vehicle` publishes, or all vehicles when None, until `stop` is set.

    A broker that is away is waited for. A line says what is listened to where nothing comes for
    `hint_after_s`.

    Raises:
        ConfigError: the broker's settings cannot be used.
        BrokenPipeError: whoever reads the screen is gone.
    """
    topic = f"{prefix_topic(config)}/{vehicle or '+'}/#"
    inbox: queue.Queue[Item | str] = queue.Queue(QUEUE_LIMIT)
    client = _subscribe(config, topic, inbox)
    hint: str | None = (
        f"nothing on {topic} for {hint_after_s:g} s; is the vehicle running, with MQTT enabled?"
    )
    quiet_since_s = time.monotonic()
    try:
        while not stop.is_set():
            try:
                item = inbox.get(timeout=POLL_S)
            except queue.Empty:
                now_s = time.monotonic()
                if hint and client.is_connected() and now_s - quiet_since_s >= hint_after_s:
                    screen.note(hint)
                    hint = None
                screen.tick(now_s)
                continue
            quiet_since_s = time.monotonic()
            if isinstance(item, str):
                screen.note(item)
            else:
                hint = None
                screen.show(item, quiet_since_s)
    finally:
        screen.finish()
        leave(client)


def _subscribe(config: MqttConfig, topic: str, inbox: queue.Queue[Item | str]) -> Client:
    broker = f"{config.host}:{config.port}"
    above = f"{prefix_topic(config)}/"

    def put(item: Item | str) -> None:
        try:
            inbox.put_nowait(item)
        except queue.Full:
            log.warning("messages come faster than they can be shown; some are skipped")

    def on_message(client: Client, userdata: Any, message: MQTTMessage) -> None:
        vehicle, _, name = message.topic.removeprefix(above).partition("/")
        if name.startswith(TO_VEHICLE):
            return
        raw = message.payload.decode("utf-8", "replace")
        put(Item(message.topic, vehicle, name, raw, message.retain))

    client = new_client(config, f"dms-watch-{uuid.uuid4().hex[:8]}")
    # Not `on_message`: the demonstration broker sometimes sends what another client has subscribed to.
    client.message_callback_add(topic, on_message)
    _tell_connection(client, broker, topic, put)
    client.loop_start()
    return client


def _tell_connection(client: Client, broker: str, topic: str, tell: Callable[[str], None]) -> None:
    """Subscribe at every connection, and tell what becomes of it."""

    def on_connect(
        client: Client, userdata: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            tell(f"the broker {broker} refused the connection: {reason}")
            return
        tell(f"connected to {broker}, watching {topic}")
        client.subscribe(topic, 1)

    def on_subscribe(
        client: Client, userdata: Any, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        for reason in reasons:
            if reason.is_failure:
                tell(f"the broker {broker} refuses to tell of {topic}: {reason}")

    def on_connect_fail(client: Client, userdata: Any) -> None:
        tell(f"waiting for the broker {broker}: {connect_error()}")

    def on_disconnect(
        client: Client,
        userdata: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        tell(f"the broker {broker} closed the connection: {reason}")

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_connect_fail = on_connect_fail
    client.on_disconnect = on_disconnect
