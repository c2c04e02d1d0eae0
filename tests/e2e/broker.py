"""A real mosquitto on loopback and a subscriber that remembers all it heard."""

import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None, reason="mosquitto is not installed (apt install mosquitto)"
)
WAIT_S = 15.0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Mosquitto:
    """One broker process on one port; unless told otherwise it forgets everything when stopped."""

    def __init__(self, folder: Path, *lines: str, anonymous: bool = True):
        self.port = free_port()
        self._config = folder / f"mosquitto-{self.port}.conf"
        allow = "true" if anonymous else "false"
        self._config.write_text(
            "\n".join(
                [
                    "user root",  # started by root, it would become a user who cannot read the test's folder
                    f"allow_anonymous {allow}",
                    f"listener {self.port} 127.0.0.1",
                    *lines,
                ]
            )
        )
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        give_up_s = time.monotonic() + WAIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self._process.poll() is None, "mosquitto did not start"
                assert time.monotonic() < give_up_s, "mosquitto does not listen"
                time.sleep(0.02)
            else:
                return self

    def stop(self):
        if self._process:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(WAIT_S)
            self._process = None

    def freeze(self):
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)


@dataclass(frozen=True)
class Heard:
    topic: str
    document: dict
    retained: bool
    qos: int
    properties: object


class Listener:
    """Subscribes to everything; `wait` for what should come. A `session` outlives the connection."""

    def __init__(self, port, protocol=mqtt.MQTTv311, session=None):
        self._heard = []
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=session or "",
            protocol=protocol,
            clean_session=None if protocol == mqtt.MQTTv5 else session is None,
        )
        self._client.on_connect = lambda client, *rest: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *rest: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S)

    def _on_message(self, client, userdata, message):
        with self._changed:
            self._heard.append(
                Heard(
                    message.topic,
                    json.loads(message.payload),
                    message.retain,
                    message.qos,
                    getattr(message, "properties", None),
                )
            )
            self._changed.notify_all()

    def wait(self, found, count=1):
        """The first `count` messages `found` is true of, as soon as they were heard."""
        with self._changed:
            came = self._changed.wait_for(lambda: sum(map(found, self._heard)) >= count, WAIT_S)
            hits = [h for h in self._heard if found(h)]
        assert came, f"only {len(hits)} of {count}; heard {[(h.topic, h.document) for h in self._heard]}"
        return hits[:count]

    def all(self, found=lambda heard: True):
        with self._changed:
            return [h for h in self._heard if found(h)]

    def publish(self, topic, payload):
        self._client.publish(topic, payload, qos=1).wait_for_publish(WAIT_S)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


def on(end):
    """True of messages whose topic ends so."""
    return lambda heard: heard.topic.endswith(end)


def events(heard):
    return "/event/" in heard.topic
