"""Vehicle signals under their VSS names, and acknowledgements, from the broker of `sinks.mqtt`.

Anyone whom the broker lets publish is believed no further than `gate` and `plausible` go.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from dms.config import Config
from dms.inputs import Tell
from dms.inputs.gate import WORD, Gate, Refused, Value, shown
from dms.inputs.reading import Reading, Refusal
from dms.inputs.vss import VSS, quantity_of
from dms.mqtt_client import connect_error, leave, new_client, root_topic
from dms.records import Acknowledgement

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 5.0
"""A broker that has not answered for this long after the start is at fault."""
ALL = "all"
"""As the payload of an acknowledgement: every alert that stands."""


class MqttInput:
    """Subscribes with paho's own thread, again after every connection; the broker need not be there.

    Args:
        config: broker, topics and limits.
        tell: told of each reading, refusal and acknowledgement.

    Raises:
        ConfigError: a certificate or the password file cannot be used.
    """

    name = "mqtt"

    def __init__(self, config: Config, tell: Tell) -> None:
        mqtt = config.sinks.mqtt
        self._broker = f"{mqtt.host}:{mqtt.port}"
        self._tell = tell
        self._signals = f"{root_topic(mqtt)}/in/"
        self._acknowledge = f"{root_topic(mqtt)}/cmd/acknowledge"
        self._topics = [f"{self._signals}#"] * config.inputs.mqtt.signals
        self._topics += [self._acknowledge] * config.inputs.mqtt.acknowledge
        begun_s = time.monotonic()
        self._gates = {path: Gate(config.inputs, begun_s) for path in (*VSS, self._acknowledge)}
        self._answer_by_s = begun_s + ANSWER_TIMEOUT_S
        self._connected = self._closed = False
        self._fault: str | None = None
        self._client = new_client(mqtt, f"dms-{mqtt.vehicle}-inputs")
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.loop_start()

    def fault(self) -> str | None:
        """Why nothing can be heard; None when all is well."""
        fault = self._fault
        if fault is None and not self._connected and time.monotonic() > self._answer_by_s:
            fault = "has not answered yet"
        return None if fault is None else f"MQTT broker {self._broker} {fault}"

    def close(self) -> None:
        """Leave the broker; at most about two seconds."""
        self._closed = True
        leave(self._client)

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        now_s, epoch_s = time.monotonic(), time.time()
        try:
            topic = message.topic
        except UnicodeDecodeError as e:  # not every broker refuses such a topic
            self._tell(Refusal(self.name, "unknown", f"a topic that is no UTF-8: {shown(e.object)}", now_s))
            return
        try:
            path = self._path_of(topic)
            value, at_s = self._gates[path].admit(bytes(message.payload), message.retain, now_s, epoch_s)
            self._tell(_acknowledgement(value) if path == self._acknowledge else _reading(path, value, at_s))
        except Refused as e:
            where = shown(topic.rpartition(self._signals)[2])
            self._tell(Refusal(self.name, e.reason, f"{where}: {e.detail}", now_s))

    def _path_of(self, topic: str) -> str:
        """The VSS path of a topic, which may be written with slashes or with dots."""
        if topic == self._acknowledge:
            return topic
        path = topic.removeprefix(self._signals).replace("/", ".")
        if path not in VSS:
            raise Refused("unknown", "no such signal is known")
        return path

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
        self._connected = True
        self._set_fault(None)
        # At most once: what a broker holds back and sends again is old.
        client.subscribe([(topic, 0) for topic in self._topics])

    def _on_subscribe(
        self,
        client: Client,
        userdata: Any,
        mid: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        for topic, reason in zip(self._topics, reasons, strict=False):  # a broker's mistake ends no thread
            if reason.is_failure:
                self._set_fault(f"refuses a subscription to {topic}: allow it in the broker's access list")

    def _on_connect_fail(self, client: Client, userdata: Any) -> None:
        self._set_fault(f"cannot be reached, trying again: {connect_error()}")

    def _on_disconnect(
        self,
        client: Client,
        userdata: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        # After a refusal paho reports a disconnect too; the refusal is the better reason.
        if self._connected and not self._closed:
            self._connected = False
            self._set_fault(f"closed the connection: {reason}")

    def _set_fault(self, fault: str | None) -> None:
        if fault == self._fault:
            return
        self._fault = fault
        if fault is None:
            log.info("listening at MQTT broker %s to %s", self._broker, ", ".join(self._topics))
        else:
            log.warning("MQTT broker %s %s", self._broker, fault)


def _reading(path: str, value: Value, at_s: float) -> Reading:
    return Reading(MqttInput.name, *quantity_of(path, value), at_s)


def _acknowledgement(value: Value) -> Acknowledgement:
    if not isinstance(value, str) or not WORD.fullmatch(value):
        raise Refused("malformed", f"{shown(value)} is neither the id of an alert nor {ALL!r}")
    return Acknowledgement(MqttInput.name, None if value == ALL else value)
