"""A configured, not yet connected MQTT client: protocol, login, TLS."""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from dms.config.sinks import MqttConfig, MqttTlsConfig
from dms.errors import ConfigError

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0
RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 30
CLOSE_TIMEOUT_S = 2.0
"""How long to wait at the end: for the broker to take what is left, and for the client's thread."""


def new_client(config: MqttConfig, client_id: str) -> Client:
    """A client that will connect, and connect again, once its loop is started.

    Raises:
        ConfigError: a file named in the configuration is missing or unusable, or the host is no host name.
    """
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=MQTTv5 if config.protocol == "5" else MQTTv311,
    )
    client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.on_socket_open = _send_at_once
    # A fault in a callback must not end paho's thread, and with it MQTT, for good; nor may it pass unseen.
    client.suppress_exceptions = True
    client.on_log = _log_callback_fault
    _log_in(client, config)
    if config.tls.enabled:
        _encrypt(client, config.tls)
    client.connect_async(_checked_host(config.host), config.port, config.keepalive_s)
    return client


def leave(client: Client) -> None:
    """Disconnect and end the client's thread; at most about `CLOSE_TIMEOUT_S`."""
    client.disconnect()
    # paho's loop_stop joins without a timeout, and its thread may be stuck in a slow name look-up.
    stopper = threading.Thread(target=client.loop_stop, name="mqtt-stop", daemon=True)
    stopper.start()
    stopper.join(CLOSE_TIMEOUT_S)


def prefix_topic(config: MqttConfig) -> str:
    """The topic below which all vehicles are."""
    return config.prefix.strip("/")


def root_topic(config: MqttConfig) -> str:
    """The topic all of one vehicle's topics begin with."""
    return f"{prefix_topic(config)}/{config.vehicle}"


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, told from its name alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def connect_error() -> str:
    """Why connecting failed, as a sentence; only inside paho's `on_connect_fail`.

    Paho does not hand the reason to its callback, but calls it while it handles the exception.
    """
    error = sys.exc_info()[1]
    text = getattr(error, "strerror", None) or str(error or "")
    return text.lower() if text.isascii() and not isinstance(error, ssl.SSLError) else text or "no answer"


def _send_at_once(client: Client, userdata: Any, sock: Any) -> None:
    """Without this, Nagle's algorithm and delayed ACK hold a QoS 1 message back for 40 ms."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _log_callback_fault(client: Client, userdata: Any, level: int, text: str) -> None:
    if text.startswith("Caught exception"):
        log.error("MQTT client: %s", text)


def _log_in(client: Client, config: MqttConfig) -> None:
    if config.username is None:
        if config.password_file is not None:
            raise ConfigError(
                "sinks.mqtt.password_file is set but sinks.mqtt.username is not: set both or none"
            )
        return
    password = _read_password(config.password_file) if config.password_file else None
    client.username_pw_set(config.username, password)
    if password and not config.tls.enabled and not is_loopback(config.host):
        log.warning("the MQTT password goes to %s in clear text: set sinks.mqtt.tls.enabled", config.host)


def _read_password(path: str) -> str:
    try:
        password = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(
            f"sinks.mqtt.password_file {path} cannot be read: {_reason(e)}; "
            "write the password into it as one line and make it readable for the user dms runs as"
        ) from e
    if not password:
        raise ConfigError(f"sinks.mqtt.password_file {path} is empty; write the password into it as one line")
    return password


def _encrypt(client: Client, tls: MqttTlsConfig) -> None:
    if tls.key_file and not tls.cert_file:
        raise ConfigError(
            "sinks.mqtt.tls.key_file is set but sinks.mqtt.tls.cert_file is not: set both or none"
        )
    for key, path in (("ca_file", tls.ca_file), ("cert_file", tls.cert_file), ("key_file", tls.key_file)):
        if path and not Path(path).is_file():
            raise ConfigError(f"sinks.mqtt.tls.{key} {path} does not exist; name a PEM file")
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except OSError as e:  # ssl.SSLError is one
        raise ConfigError(
            f"sinks.mqtt.tls: the certificates cannot be used: {_reason(e)}; "
            "give readable PEM files, and a key that belongs to the certificate and has no passphrase"
        ) from e
    client.tls_set_context(context)
    client.tls_insecure_set(tls.insecure)


def _checked_host(host: str) -> str:
    try:
        host.encode("idna")
    except UnicodeError as e:
        raise ConfigError(f"sinks.mqtt.host {host!r} is no host name or address") from e
    if not host or any(c.isspace() for c in host):
        raise ConfigError(f"sinks.mqtt.host {host!r} is no host name or address")
    return host


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
