"""Tells over MQTT: retained status, state and health; events that always arrive and are never retained.

The broker may be down, refuse or vanish at any time: the loop never waits for it. What must arrive waits in a
bounded outbox. The topics, their QoS and their payloads are listed in `docs/mqtt.md`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from dms.config.sinks import MqttConfig
from dms.records import (
    Alert,
    Assessment,
    DriverState,
    Health,
    Judgement,
    Message,
    Observation,
    Phase,
    Signal,
    UnknownCause,
    Vitals,
)
from dms.sinks import payload
from dms.sinks.mqtt_client import connect_error, new_client, root_topic
from dms.sinks.outbox import Outbox, Packet

log = logging.getLogger(__name__)

EVENT_EXPIRY_S = 86_400
"""MQTT 5: a broker may hold an event this long for a subscriber that is away. A day, so that a fleet's log
misses no night; who warns a driver looks at `ts` and must not replay old events."""
CONFIRM_TIMEOUT_S = 5.0
"""A broker that owes a confirmation this long is at fault; keep-alive notices after twice its interval."""
CLOSE_TIMEOUT_S = 2.0
"""How long `close` waits for the broker to take what is left, and again for the client's thread to end."""
STATE_SLACK_S = 1e-3
"""Recorded times are rounded; a state due within this is due now, not one frame later."""


class MqttSink:
    """Publishes to one broker with paho's own thread; safe to construct while the broker is down.

    Args:
        config: where and how.
        origin: versions that every event and status carries.
        epoch_offset: gives what to add to the source's clock for Unix time, or None where that is unknown.
            Asked for every message, because a device's wall clock may be set while it runs.

    Raises:
        ConfigError: a certificate or the password file cannot be used.
    """

    name = "mqtt"

    def __init__(
        self,
        config: MqttConfig,
        origin: payload.Origin | None = None,
        epoch_offset: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._config = config
        self._origin = origin or payload.Origin()
        self._epoch_offset = epoch_offset
        self._root = root_topic(config)
        self._broker = f"{config.host}:{config.port}"
        self._outbox = Outbox(config.queue_limit)
        self._connected = False
        self._closed = False
        self._fault: str | None = None
        self._begun_s = time.monotonic()
        self._active: dict[str, Alert] = {}
        self._verdict = Assessment(math.nan, DriverState.UNKNOWN)
        self._state_seq = 0
        self._event_seq = 0
        self._state_key: object = None
        self._next_state_s = 0.0
        self._dropping = False
        # The first lane: before all else at every connection.
        self._tell_status(online=True, reason="connected")
        self._client = self._prepared_client()
        self._client.loop_start()

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._connected

    def publish(self, message: Message) -> None:
        """Take one message; what is not due or cannot be sent now is held or dropped, never waited for."""
        if self._closed:
            return
        if isinstance(message, Judgement):
            self._tell_judgement(message)
        elif isinstance(message, Vitals):
            self._tell_vitals(message)
        else:
            self._tell_health(message)
        self._pump()

    def fault(self) -> str | None:
        """Why nobody hears us, and how many events wait or are lost; None when all is well."""
        fault = self._fault
        if fault is None and not self._connected and time.monotonic() - self._begun_s > CONFIRM_TIMEOUT_S:
            fault = "has not answered yet"
        if fault is None and self._outbox.unconfirmed_s() > CONFIRM_TIMEOUT_S:
            fault = "confirms nothing any more"
        if fault is None:
            return None
        waiting, dropped = self._outbox.events_waiting(), self._outbox.dropped
        return f"MQTT broker {self._broker} {fault}; {waiting} events wait, {dropped} dropped"

    def close(self) -> None:
        """Hand over what is left, unsay the verdict, say `offline`; at most about three `CLOSE_TIMEOUT_S`."""
        if self._closed:
            return
        self._closed = True
        if self._connected:
            self._unsay_verdict()
            self._deliver()  # first: nothing may come after `offline`
            self._tell_status(online=False, reason="closed")
            self._deliver()
        if lost := self._outbox.events_waiting():
            log.warning("%d events could not be delivered to the MQTT broker %s", lost, self._broker)
        self._client.disconnect()
        # paho's loop_stop joins without a timeout, and its thread may be stuck in a slow name look-up.
        stopper = threading.Thread(target=self._client.loop_stop, name="mqtt-stop", daemon=True)
        stopper.start()
        stopper.join(CLOSE_TIMEOUT_S)
        self._connected = False

    # What to tell

    def _tell_judgement(self, judgement: Judgement) -> None:
        for alert in judgement.alerts:
            self._tell_event(alert, judgement.assessment)
        verdict = self._verdict = judgement.assessment
        key = (verdict.state, verdict.unknown_causes, *self._active)
        if key != self._state_key or self._state_due(verdict.captured_s):
            self._state_key = key
            self._next_state_s = verdict.captured_s + 1 / self._config.state_hz
            self._tell_state(judgement)

    def _tell_state(self, judgement: Judgement) -> None:
        self._state_seq += 1
        document = payload.state(judgement, self._active.values(), self._state_seq, self._epoch_offset())
        self._newest("state", document, retain=True)

    def _unsay_verdict(self) -> None:
        """Replace the retained verdict: whoever comes later must not read it as today's."""
        unsaid = replace(
            self._verdict,
            state=DriverState.UNKNOWN,
            unknown_causes=(UnknownCause.STALE,),
            signals={name: Signal(None) for name in self._verdict.signals},
            gaze_source=None,
        )
        self._active.clear()
        self._tell_state(Judgement(Observation(unsaid.captured_s, frame_id=-1), unsaid, (), {}))

    def _state_due(self, now_s: float) -> bool:
        """Due by the clock of the source; one that has jumped back (another recording) starts anew."""
        return (
            not self._next_state_s - 1 / self._config.state_hz <= now_s < self._next_state_s - STATE_SLACK_S
        )

    def _tell_event(self, alert: Alert, assessment: Assessment) -> None:
        if alert.phase is Phase.END:
            self._active.pop(alert.id, None)
        else:
            self._active[alert.id] = alert
        self._event_seq += 1
        document = payload.event(alert, assessment, self._event_seq, self._epoch_offset(), self._origin)
        topic = f"{self._root}/{payload.event_topic(alert.type)}"
        kept_all = self._outbox.put_event(Packet(topic, payload.encode(document), retain=False))
        if not kept_all and not self._dropping:
            log.error("the outbox for MQTT broker %s is full: the oldest events are dropped", self._broker)
        self._dropping = not kept_all

    def _tell_vitals(self, vitals: Vitals) -> None:
        undelivered = {
            "events_waiting": self._outbox.events_waiting(),
            "events_dropped": self._outbox.dropped,
        }
        self._newest("metrics", payload.metrics(vitals, undelivered, self._epoch_offset()), retain=False)

    def _tell_health(self, health: Health) -> None:
        self._newest("health", payload.health(health, self._epoch_offset()), retain=True)

    def _tell_status(self, *, online: bool, reason: str) -> None:
        now = payload.iso(datetime.now(timezone.utc))
        self._newest("status", payload.status(online, reason, now, self._origin), retain=True)

    def _newest(self, topic: str, document: payload.Document, *, retain: bool) -> None:
        self._outbox.put_newest(Packet(f"{self._root}/{topic}", payload.encode(document), retain))

    # How it is sent

    def _prepared_client(self) -> Client:
        # The same id after every start: the broker then drops a dead predecessor's connection at once, so its
        # last will (a retained `offline`) cannot come long after the successor said `online`.
        client = new_client(self._config, f"dms-{self._config.vehicle}")
        will = payload.status(False, "connection lost", None, self._origin)
        client.will_set(f"{self._root}/status", payload.encode(will), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _pump(self) -> None:
        """Hand over whatever may go now. Called by the loop and by paho's thread, with no lock held."""
        while self._connected and (packet := self._outbox.take()):
            info = self._client.publish(
                packet.topic, packet.payload, qos=1, retain=packet.retain, properties=self._properties(packet)
            )
            self._outbox.sent(packet, info.mid)

    def _deliver(self) -> None:
        self._pump()
        self._outbox.wait_empty(CLOSE_TIMEOUT_S)

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
            log.info("connected to MQTT broker %s as %s", self._broker, self._root)
        elif not self._closed:
            log.warning("MQTT broker %s %s", self._broker, fault)

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
        self._tell_status(online=True, reason="connected")
        self._connected = True
        self._set_fault(None)
        self._pump()

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
        self._outbox.confirm(mid)
        self._pump()
