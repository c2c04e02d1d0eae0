"""Tells over MQTT: retained status, state, health and level; events that always arrive, never retained.

The broker may be down, refuse or vanish at any time: the loop never waits for it. What must arrive waits in a
bounded outbox. The topics, their QoS and their payloads are listed in `docs/mqtt.md`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone

from dms.config.sinks import MqttConfig
from dms.mqtt_client import root_topic
from dms.records import (
    Alert,
    Assessment,
    Control,
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
from dms.sinks import driver_payload, system_payload, values
from dms.sinks.ack_times import AckTimes, AgeOf
from dms.sinks.mqtt_link import MqttLink
from dms.sinks.outbox import Outbox, Packet

log = logging.getLogger(__name__)

STATE_SLACK_S = 1e-3
"""Recorded times are rounded; a state due within this is due now, not one frame later."""


class MqttSink:
    """Publishes to one broker with paho's own thread; safe to construct while the broker is down.

    Args:
        config: where and how.
        origin: versions that every event and status carries.
        epoch_offset: gives what to add to the source's clock for Unix time, or None where that is unknown.
            Asked for every message, because a device's wall clock may be set while it runs.
        age_of: tells how long ago a moment of the source's clock was, or None where that is unknown; asked
            on paho's thread too. With it the way from capture to the broker's confirmation is timed.

    Raises:
        ConfigError: a certificate or the password file cannot be used.
    """

    name = "mqtt"

    def __init__(
        self,
        config: MqttConfig,
        origin: system_payload.Origin | None = None,
        epoch_offset: Callable[[], float | None] = lambda: None,
        age_of: AgeOf = lambda captured_s: None,
    ) -> None:
        self._config = config
        self._origin = origin or system_payload.Origin()
        self._epoch_offset = epoch_offset
        self._root = root_topic(config)
        self._ack_times = AckTimes(age_of)
        self._outbox = Outbox(config.queue_limit, arrived=self._ack_times.note)
        self._closed = False
        self._active: dict[str, Alert] = {}
        self._verdict = Assessment(math.nan, DriverState.UNKNOWN)
        self._control: Control | None = None
        self._health_told = False
        self._state_seq = 0
        self._event_seq = 0
        self._state_key: object = None
        self._next_state_s = 0.0
        self._dropping = False
        # The first lane: before all else at every connection.
        self._greet()
        will = system_payload.status(False, "connection lost", None, self._origin)
        will_packet = Packet(f"{self._root}/status", values.encode(will), retain=True)
        self._link = MqttLink(config, self._outbox, will_packet, self._greet)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._link.connected

    def publish(self, message: Message) -> None:
        """Take one message; what is not due or cannot be sent now is held or dropped, never waited for."""
        if self._closed:
            return
        if isinstance(message, Judgement):
            self._tell_judgement(message)
        elif isinstance(message, Vitals):
            self._tell_vitals(message)
        elif isinstance(message, Control):
            self._tell_control(message)
        else:
            self._tell_health(message)
        self._link.pump()

    def fault(self) -> str | None:
        """Why nobody hears us, and how many events wait or are lost; None when all is well."""
        fault = self._link.fault()
        if fault is None:
            return None
        return f"{fault}; {self._outbox.events_waiting()} events wait, {self._outbox.dropped} dropped"

    def figures(self) -> Mapping[str, float]:
        """What waits, what was lost, and how long capture to confirmation took, if that is known."""
        return {
            "events_waiting": self._outbox.events_waiting(),
            "events_dropped": self._outbox.dropped,
            "oldest_unconfirmed_s": self._outbox.oldest_s(),
            **(self._ack_times.figures() if self.connected else {}),
        }

    def close(self) -> None:
        """Hand over what is left, unsay what is retained, say `offline`; takes a few seconds at most."""
        if self._closed:
            return
        self._closed = True
        if self.connected:
            self._unsay_verdict()
            self._unsay_level()
            self._unsay_health()
            self._link.drain()  # first: nothing may come after `offline`
            self._tell_status(online=False, reason="closed")
            self._link.drain()
        if lost := self._outbox.events_waiting():
            log.warning("%d events could not be delivered to the MQTT broker %s", lost, self._link.broker)
        self._link.close()

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
        document = driver_payload.state(
            judgement, self._active.values(), self._state_seq, self._epoch_offset()
        )
        # A moment without a frame was never captured.
        captured_s = judgement.assessment.captured_s if judgement.observation.frame_id >= 0 else None
        self._newest("state", document, retain=True, captured_s=captured_s)

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
        document = driver_payload.event(
            alert, assessment, self._event_seq, self._epoch_offset(), self._origin
        )
        topic = f"{self._root}/{driver_payload.event_topic(alert.type)}"
        packet = Packet(topic, values.encode(document), retain=False, captured_s=alert.captured_s)
        kept_all = self._outbox.put_event(packet)
        if not kept_all and not self._dropping:
            log.error(
                "the outbox for MQTT broker %s is full: the oldest events are dropped", self._link.broker
            )
        self._dropping = not kept_all

    def _tell_vitals(self, vitals: Vitals) -> None:
        undelivered = {
            "events_waiting": self._outbox.events_waiting(),
            "events_dropped": self._outbox.dropped,
        }
        self._newest(
            "metrics", system_payload.metrics(vitals, undelivered, self._epoch_offset()), retain=False
        )

    def _tell_control(self, control: Control) -> None:
        self._control = control
        self._newest("control", system_payload.control(control, self._epoch_offset()), retain=True)

    def _unsay_level(self) -> None:
        """Replace the retained level, as the verdict."""
        if self._control is not None:
            document = system_payload.control_ended(
                self._control, self._verdict.captured_s, self._epoch_offset()
            )
            self._newest("control", document, retain=True)

    def _unsay_health(self) -> None:
        """Replace the retained health, as the verdict."""
        if self._health_told:
            document = system_payload.health_ended(self._verdict.captured_s, self._epoch_offset())
            self._newest("health", document, retain=True)

    def _tell_health(self, health: Health) -> None:
        self._health_told = True
        self._newest("health", system_payload.health(health, self._epoch_offset()), retain=True)

    def _greet(self) -> None:
        self._tell_status(online=True, reason="connected")

    def _tell_status(self, *, online: bool, reason: str) -> None:
        now = values.iso(datetime.now(timezone.utc))
        self._newest("status", system_payload.status(online, reason, now, self._origin), retain=True)

    def _newest(
        self, topic: str, document: values.Document, *, retain: bool, captured_s: float | None = None
    ) -> None:
        packet = Packet(f"{self._root}/{topic}", values.encode(document), retain, captured_s)
        self._outbox.put_newest(packet)
