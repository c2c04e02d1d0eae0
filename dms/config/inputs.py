"""What comes in beside the pictures: the vehicle's signals, and the driver's acknowledgements."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dms.config.local import AcknowledgeConfig
from dms.config.section import PositiveSeconds, Section

SpeedSource = Literal["can", "mqtt", "gnss"]
CanQuantity = Literal["speed", "gear", "reverse", "turn_left", "turn_right", "hazard", "steering"]


class MqttInputConfig(Section):
    """What is taken from the broker of `sinks.mqtt`, with its host, login, TLS, prefix and vehicle."""

    signals: bool = False
    """Take the vehicle's signals from `<prefix>/<vehicle>/in/…` (docs/vehicle.md)."""
    acknowledge: bool = False
    """Take acknowledgements from `<prefix>/<vehicle>/cmd/acknowledge`."""
    require_ts: bool = False
    """Refuse messages without a time of their own: without one a replayed message looks like a new one."""
    rate_limit_hz: float = Field(50.0, ge=1, le=1000)
    """A topic that brings more is flooded; what is above the limit is refused and told."""


class CanSignalConfig(Section):
    """Where one signal lies in a CAN frame, in the terms of a DBC file."""

    id: int = Field(ge=0, le=0x1FFFFFFF)
    """Identifier of the frame."""
    extended: bool = False
    """Whether the identifier has 29 bits, not 11."""
    start_bit: int = Field(ge=0, le=511)
    """As in a DBC file: the lowest bit of a `little` signal, the highest of a `big` one."""
    length_bits: int = Field(ge=1, le=64)
    """Length of the signal."""
    byte_order: Literal["little", "big"] = "little"
    """Intel (`little`) or Motorola (`big`)."""
    signed: bool = False
    """Two's complement."""
    scale: float = 1.0
    """Physical value = raw × scale + offset: speed in km/h, steering in degrees, + to the driver's left."""
    offset: float = 0.0
    """See `scale`."""
    invalid_from: int | None = None
    """Raw values from here on say that there is no value, such as 255 of 8 bits; null = none do."""
    on_value: int | None = None
    """Raw value that means yes, for signals that are yes or no; null = anything but 0."""

    @model_validator(mode="after")
    def _fits(self) -> CanSignalConfig:
        if not self.extended and self.id > 0x7FF:
            raise ValueError(f"id {self.id:#x} has more than 11 bits; set extended: true, or correct it")
        first = (
            self.start_bit
            if self.byte_order == "little"
            else self.start_bit // 8 * 8 + 7 - self.start_bit % 8
        )
        if first + self.length_bits > 512:
            raise ValueError("the signal ends behind the 64 bytes of the longest frame")
        if self.scale == 0:
            raise ValueError("scale is 0: every raw value would mean the same")
        return self


class CanInputConfig(Section):
    """The vehicle's bus, heard and never written to; needs the extra `can`."""

    enabled: bool = False
    """Listen to a bus."""
    interface: str = "socketcan"
    """Driver, a name that python-can knows."""
    channel: str = "can0"
    """Which bus of the driver."""
    bitrate: int | None = Field(None, ge=10_000, le=1_000_000)
    """For drivers that set it themselves; null for socketcan, where `ip link` does."""
    obd: bool = True
    """Take the speed from OBD-II replies (mode 01, PID 0D) to whoever else asks."""
    j1939: bool = True
    """Take the speed from CCVS1 (PGN 65265, SPN 84) of heavy vehicles."""
    signals: dict[CanQuantity, CanSignalConfig] = Field({})
    """Signals of this vehicle: what is told, and below it where in which frame."""


class GnssInputConfig(Section):
    """Speed from a satellite receiver, by gpsd; the position is not looked at."""

    enabled: bool = False
    """Ask gpsd."""
    gpsd_host: str = "127.0.0.1"
    """Where gpsd runs."""
    gpsd_port: int = Field(2947, ge=1, le=65535)
    """Port of gpsd."""
    error_limit_kmh: float = Field(10.0, gt=0, le=100)
    """A speed whose own estimate of its error is larger says nothing."""


class InputsConfig(Section):
    """Who tells of vehicle and driver."""

    mqtt: MqttInputConfig = MqttInputConfig()
    can: CanInputConfig = CanInputConfig()
    gnss: GnssInputConfig = GnssInputConfig()
    acknowledge: AcknowledgeConfig = AcknowledgeConfig()
    speed_from: tuple[SpeedSource, ...] = Field(("can", "mqtt", "gnss"), min_length=1, strict=False)
    """Whose speed is used, the best first; the others stand in for it and are compared with it."""
    stale_after_s: PositiveSeconds = 2.0
    """What was last heard of the vehicle longer ago than this is unknown."""
    missing_after_s: PositiveSeconds = 10.0
    """A source of which nothing is heard for this long, from the start on, is told as a fault."""
    speed_limit_kmh: float = Field(250.0, gt=0, le=500)
    """A speed above this is no speed."""
    acceleration_limit_mps2: float = Field(15.0, gt=0, le=100)
    """A speed that changes faster is refused; no road vehicle brakes with more than about 12 m/s²."""
    disagree_kmh: float = Field(10.0, gt=0, le=100)
    """Two speeds further apart than this disagree."""
    disagree_after_s: PositiveSeconds = 5.0
    """After disagreeing for this long neither is believed, until they have agreed for as long again."""

    @property
    def sources(self) -> list[str]:
        """The sources of vehicle signals that are set up."""
        wanted = {"can": self.can.enabled, "mqtt": self.mqtt.signals, "gnss": self.gnss.enabled}
        return [name for name, on in wanted.items() if on]

    def acknowledged_by(self, *, terminal: bool) -> list[str]:
        """The ways in which the driver can acknowledge; `terminal`: whether dms has one, for Enter."""
        here = self.acknowledge
        ways = {
            "mqtt": self.mqtt.acknowledge,
            "gpio": here.gpio.line is not None,
            "key": here.key.device is not None,
            "terminal": here.key.terminal and terminal,
        }
        return [name for name, on in ways.items() if on]

    @property
    def tell_speed(self) -> list[str]:
        """The sources that are set up to tell a speed, the best first."""
        mute = not (self.can.obd or self.can.j1939 or "speed" in self.can.signals)
        return [name for name in self.speed_from if name in self.sources and not (name == "can" and mute)]
