"""Who is told: the sections below `sinks`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dms.config.blackbox import BlackboxConfig
from dms.config.local import GpioConfig, HookConfig, SoundConfig
from dms.config.section import Section


class MqttTlsConfig(Section):
    """TLS to the broker; certificates are PEM files."""

    enabled: bool = False
    """Use TLS."""
    ca_file: str | None = None
    """Authority to trust; null = the system's."""
    cert_file: str | None = None
    """Client certificate."""
    key_file: str | None = None
    """Client key."""
    insecure: bool = False
    """Accept a certificate for another host name (tests only)."""


class MqttConfig(Section):
    """The MQTT sink."""

    enabled: bool = False
    """Publish to a broker."""
    host: str = "localhost"
    """Broker host."""
    port: int = Field(1883, ge=1, le=65535)
    """Broker port (8883 for TLS by custom)."""
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    """MQTT version."""
    vehicle: str = Field("vehicle", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """Name of this vehicle in the topic `<prefix>/<vehicle>/…`."""
    prefix: str = Field("dms/v1", pattern=r"^[A-Za-z0-9_/-]{1,64}$")
    """Root of the topic tree."""
    username: str | None = None
    """User name at the broker."""
    password_file: str | None = None
    """File holding the password; never put a password in this file."""
    keepalive_s: int = Field(10, ge=1, le=3600)
    """Seconds after which a silent connection counts as dead."""
    state_hz: float = Field(2.0, gt=0, le=30)
    """Rate of the retained state."""
    queue_limit: int = Field(1000, ge=1, le=100_000)
    """Messages kept while the broker is away; older ones are dropped and counted."""
    demo_broker: bool = False
    """Start a broker on loopback when none listens there (demonstration only)."""
    tls: MqttTlsConfig = MqttTlsConfig()


class PrometheusConfig(Section):
    """The endpoint that Prometheus asks; needs the extra `metrics`."""

    enabled: bool = False
    """Answer on `http://<host>:<port>/metrics`."""
    host: str = "127.0.0.1"
    """Address to listen on; anything but loopback shows the figures to the network."""
    port: int = Field(9477, ge=0, le=65535)
    """Port to listen on; 0 = any free one, which the log names."""


class JsonlConfig(Section):
    """The JSON lines sink."""

    path: str | None = None
    """File to write, one line a frame; null = none."""


class LogConfig(Section):
    """The log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""


class SinksConfig(Section):
    """Who is told."""

    mqtt: MqttConfig = MqttConfig()
    prometheus: PrometheusConfig = PrometheusConfig()
    jsonl: JsonlConfig = JsonlConfig()
    blackbox: BlackboxConfig = BlackboxConfig()
    sound: SoundConfig = SoundConfig()
    gpio: GpioConfig = GpioConfig()
    hook: HookConfig = HookConfig()
    log: LogConfig = LogConfig()
