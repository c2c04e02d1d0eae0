"""A broker for demonstrations: amqtt in a thread of this process, on loopback, when none listens there.

It speaks MQTT 3.1.1 only and lets everybody in; on a vehicle mosquitto or another real broker does this work.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import TYPE_CHECKING

from dms.config.sinks import MqttConfig
from dms.errors import ConfigError, SinkError
from dms.mqtt_client import is_loopback

if TYPE_CHECKING:
    from amqtt.broker import Broker

log = logging.getLogger(__name__)

PROBE_TIMEOUT_S = 0.5
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0


class DemoBroker:
    """A running broker; it must be closed. Use `start_if_none`.

    Raises:
        SinkError: amqtt is not installed, or the port cannot be taken.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = f"{host}:{port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="demo-broker", daemon=True)
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(_start(host, port), self._loop)
        try:
            self._broker, self._server = starting.result(START_TIMEOUT_S)
        except (SinkError, FutureTimeoutError) as e:
            self._end_thread()
            raise SinkError(
                f"no demonstration broker on {self._address}: {e or 'it did not start in time'}"
            ) from e
        log.info("demonstration MQTT broker listens on %s", self._address)

    @classmethod
    def start_if_none(cls, config: MqttConfig) -> DemoBroker | None:
        """Start a broker unless one listens already, or the host is another machine; then None.

        Raises:
            ConfigError: the client would speak what this broker does not.
            SinkError: amqtt is not installed, or the port cannot be taken.
        """
        if not is_loopback(config.host) or _listens(config.host, config.port):
            return None
        if config.protocol != "3.1.1" or config.tls.enabled:
            raise ConfigError(
                "the demonstration broker (amqtt) speaks MQTT 3.1.1 without TLS only: "
                'set sinks.mqtt.protocol to "3.1.1" and sinks.mqtt.tls.enabled to false, '
                f"or start a broker such as mosquitto on {config.host}:{config.port}"
            )
        return cls(config.host, config.port)

    def close(self) -> None:
        """Stop the broker and release the port. May be called twice."""
        if not self._thread.is_alive():
            return
        stopping = asyncio.run_coroutine_threadsafe(_stop(self._broker, self._server), self._loop)
        try:
            stopping.result(STOP_TIMEOUT_S)
        except FutureTimeoutError:
            log.warning("the demonstration broker on %s did not stop in time", self._address)
        self._end_thread()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_TIMEOUT_S)
        self._loop.close()


async def _start(host: str, port: int) -> tuple[Broker, asyncio.Server]:
    try:
        from amqtt.broker import Broker  # heavy, and an optional extra
    except ImportError as e:
        raise SinkError(
            f"{e}; install it (pip install '.[demo]' in the source folder) "
            "or start a broker such as mosquitto"
        ) from e
    _quiet_libraries()
    broker = Broker(
        {
            # The connections are made here: amqtt's own listener forgets those that end before they log in.
            "listeners": {"default": {"type": "external"}},
            # Instead of the default plugins, which log every packet and publish $SYS topics.
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    try:
        server = await asyncio.start_server(partial(_serve, broker), host, port)
    except OSError as e:
        await broker.shutdown()
        raise SinkError(f"{e.strerror}; choose another sinks.mqtt.port") from e
    return broker, server


async def _serve(broker: Broker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter

    try:
        await broker.external_connected(StreamReaderAdapter(reader), StreamWriterAdapter(writer), "default")
    finally:
        writer.close()


async def _stop(broker: Broker, server: asyncio.Server) -> None:
    # A connection accepted in this very turn is set up in the next; a server closed before would leak it.
    await asyncio.sleep(0)
    server.close()
    await broker.shutdown()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), PROBE_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _quiet_libraries() -> None:
    """A demonstration shows the driver's alerts, not the broker's every connection."""
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
