"""The connection to one broker: what waits in the outbox goes out as soon as it may.

The broker may be down, refuse or vanish at any time; nobody ever waits for it, except on closing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from dms.config.sinks import MqttConfig
from dms.mqtt_client import CLOSE_TIMEOUT_S, connect_error, leave, new_client, root_topic
from dms.sinks.outbox import Outbox, Packet

log = logging.getLogger(__name__)

EVENT_EXPIRY_S = 86_400
"""MQTT 5: a broker may hold an event this long for a subscriber that is away. A day, so that a fleet's log
misses no night; who warns a driver looks at `ts` and must not replay old events."""
CONFIRM_TIMEOUT_S = 5.0
"""A broker that owes a confirmation this long is at fault; keep-alive notices after twice its interval."""


class MqttLink:
    """Empties an outbox to one broker with paho's own thread; safe to construct while the broker is down.

    Args:
        config: where and how.
        outbox: what is to go out.
        will: what the broker tells when the connection breaks.
        greet: puts what must come first after every connection into the outbox.

    Raises:
        ConfigError: a certificate or the password file cannot be used.
    """

    def __init__(self, config: MqttConfig, outbox: Outbox, will: Packet, greet: Callable[[], None]) -> None:
        self.broker = f"{config.host}:{config.port}"
        self._root = root_topic(config)
        self._outbox = outbox
        self._greet = greet
        self._connected = False
        self._closed = False
        self._fault: str | None = None
        self._begun_s = time.monotonic()
        self._client = self._prepared_client(config, will)
        self._client.loop_start()

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._connected

    def fault(self) -> str | None:
        """Why nobody hears us, as a sentence; None when all is well."""
        fault = self._fault
        if fault is None and not self._connected and time.monotonic() - self._begun_s > CONFIRM_TIMEOUT_S:
            fault = "has not answered yet"
        if fault is None and self._outbox.unconfirmed_s() > CONFIRM_TIMEOUT_S:
            fault = "confirms nothing any more"
        return None if fault is None else f"MQTT broker {self.broker} {fault}"

    def pump(self) -> None:
        """Hand over whatever may go now. Called by the loop and by paho's thread, with no lock held."""
        while self._connected and (packet := self._outbox.take()):
            info = self._client.publish(
                packet.topic, packet.payload, qos=1, retain=packet.retain, properties=self._properties(packet)
            )
            self._outbox.sent(packet, info.mid)

    def drain(self) -> None:
        """Hand over everything before the end; at most `CLOSE_TIMEOUT_S`. A broken connection stays so."""
        self._closed = True
        self.pump()
        self._outbox.wait_empty(CLOSE_TIMEOUT_S)

    def close(self) -> None:
        """Leave the broker; at most about `CLOSE_TIMEOUT_S`."""
        self._closed = True
        leave(self._client)
        self._connected = False

    def _prepared_client(self, config: MqttConfig, will: Packet) -> Client:
        # The same id after every start: the broker then drops a dead predecessor's connection at once, so its
        # last will (a retained `offline`) cannot come long after the successor said `online`.
        client = new_client(config, f"dms-{config.vehicle}")
        client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _properties(self, packet: Packet) -> Properties | None:
        if self._client.protocol != MQTTv5:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # of paho
        properties.ContentType = "application/json"
        if not packet.retain:
            properties.MessageExpiryInterval = EVENT_EXPIRY_S
        return properties

    def _set_fault(self, fault: str | None) -> None:
        if fault == self._fault:
            return
        self._fault = fault
        if fault is None:
            log.info("connected to MQTT broker %s as %s", self.broker, self._root)
        elif not self._closed:
            log.warning("MQTT broker %s %s", self.broker, fault)

    def _on_connect(
        self,
        client: Client,
        userdata: Any,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._set_fault(f"refused the connection: {reason}")
            return
        if self._closed:
            client.disconnect()
            return
        self._outbox.renew()
        self._greet()
        self._connected = True
        self._set_fault(None)
        self.pump()

    def _on_connect_fail(self, client: Client, userdata: Any) -> None:
        self._set_fault(f"cannot be reached, trying again: {connect_error()}")
        if self._closed:
            client.disconnect()

    def _on_disconnect(
        self,
        client: Client,
        userdata: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        # After a refusal paho reports a disconnect too; the refusal is the better reason.
        if self._connected:
            self._connected = False
            self._set_fault(f"closed the connection: {reason}")

    def _on_publish(
        self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:  # MQTT 5 only: an older broker drops what it forbids without a word
            self._set_fault(f"refuses a message: {reason}")
        self._outbox.confirm(mid, accepted=not reason.is_failure)
        self.pump()
