"""What CAN frames tell of the vehicle: OBD-II replies, J1939, and signals laid out by the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from dms.config.inputs import CanInputConfig, CanSignalConfig
from dms.inputs.reading import Quantity

OBD_REPLIES = range(0x7E8, 0x7F0)
"""Identifiers of the replies of up to eight control units (ISO 15765-4)."""
OBD_CURRENT_DATA, OBD_SPEED = 0x41, 0x0D
"""Reply to mode 01; vehicle speed in whole km/h (SAE J1979)."""
CCVS1_PGN = 65265
"""Cruise control and vehicle speed 1 (SAE J1939-71)."""
CCVS1_KMH_PER_BIT = 1 / 256
CCVS1_NO_SPEED_FROM = 0xFB00
"""SPN 84, wheel-based speed: raw values from here on mean reserved, in error or not available."""

_PGN_MASK = 0x3FFFF00
_YES_NO = (Quantity.REVERSE, Quantity.TURN_LEFT, Quantity.TURN_RIGHT, Quantity.HAZARD)


class Filter(TypedDict):
    """Which frames are let through, as python-can takes it: `id & mask` must match."""

    can_id: int
    can_mask: int
    extended: bool


class Decoder:
    """Finds in a frame what the configuration asks for."""

    def __init__(self, config: CanInputConfig) -> None:
        self._config = config
        self._signals = {Quantity(name): signal for name, signal in config.signals.items()}

    def filters(self) -> list[Filter]:
        """What the kernel or the adapter shall let through: nothing else wakes this process."""
        wanted = [
            Filter(can_id=s.id, can_mask=0x1FFFFFFF, extended=s.extended) for s in self._signals.values()
        ]
        if self._config.obd:
            wanted.append(Filter(can_id=OBD_REPLIES.start, can_mask=0x7F8, extended=False))
        if self._config.j1939:
            wanted.append(Filter(can_id=CCVS1_PGN << 8, can_mask=_PGN_MASK, extended=True))
        return wanted

    def decode(self, can_id: int, extended: bool, data: bytes) -> Iterator[tuple[Quantity, float]]:
        """All that a frame tells; nothing where it says that it has no value, or is too short."""
        if self._config.obd and not extended and can_id in OBD_REPLIES:
            yield from _obd_speed(data)
        if self._config.j1939 and extended and can_id & _PGN_MASK == CCVS1_PGN << 8:
            yield from _ccvs1_speed(data)
        for quantity, signal in self._signals.items():
            if (signal.id, signal.extended) == (can_id, extended):
                yield from _configured(quantity, signal, data)


def raw_value(signal: CanSignalConfig, data: bytes) -> int | None:
    """The bits of a signal as a number; None where the frame is too short for it."""
    bits = 8 * len(data)
    if signal.byte_order == "little":
        above = signal.start_bit
        value = int.from_bytes(data, "little") >> above
    else:
        # DBC files number the bits of each byte from its lowest, and bytes from the first.
        begin = signal.start_bit // 8 * 8 + 7 - signal.start_bit % 8
        above = begin
        value = int.from_bytes(data, "big") >> max(0, bits - begin - signal.length_bits)
    if above + signal.length_bits > bits:
        return None
    value &= (1 << signal.length_bits) - 1
    if signal.signed and value >> (signal.length_bits - 1):
        value -= 1 << signal.length_bits
    return value


def _obd_speed(data: bytes) -> Iterator[tuple[Quantity, float]]:
    # A single frame: its first byte is the length of what follows.
    if len(data) >= 4 and 3 <= data[0] <= 7 and (data[1], data[2]) == (OBD_CURRENT_DATA, OBD_SPEED):
        yield Quantity.SPEED, float(data[3])


def _ccvs1_speed(data: bytes) -> Iterator[tuple[Quantity, float]]:
    if len(data) < 3:
        return
    raw = int.from_bytes(data[1:3], "little")
    if raw < CCVS1_NO_SPEED_FROM:
        yield Quantity.SPEED, raw * CCVS1_KMH_PER_BIT


def _configured(quantity: Quantity, signal: CanSignalConfig, data: bytes) -> Iterator[tuple[Quantity, float]]:
    raw = raw_value(signal, data)
    if raw is None or (signal.invalid_from is not None and raw >= signal.invalid_from):
        return
    if quantity in _YES_NO:
        yield quantity, float(raw != 0 if signal.on_value is None else raw == signal.on_value)
    else:
        value = raw * signal.scale + signal.offset
        yield quantity, float(round(value)) if quantity is Quantity.GEAR else value
