"""The speed over ground from gpsd.

Of its reports only speed, error, mode and time are looked at: a position is neither kept nor logged. The few
lines of JSON over TCP are spoken here, because the clients on PyPI read without bounds.
"""

from __future__ import annotations

import json
import math
import socket
import time
from typing import Any

from dms.config import Config
from dms.config.inputs import GnssInputConfig
from dms.errors import InputError
from dms.inputs import Tell
from dms.inputs.plausible import KMH_PER_MPS
from dms.inputs.reading import Quantity, Reading, Refusal
from dms.keeper import Keeper

WATCH = b'?WATCH={"enable":true,"json":true}\n'
CONNECT_TIMEOUT_S = 2.0
RECEIVE_TIMEOUT_S = 0.2
"""How often a silent gpsd lets the thread look whether it is to end."""
LINE_LIMIT_BYTES = 65_536
"""gpsd's longest report, of all satellites, is below 11 kB."""
MODE_2D = 2
"""The least mode of a fix that has a speed."""


class GnssInput:
    """Watches gpsd in a thread of its own and connects again when it fails; gpsd need not be there.

    Args:
        config: where gpsd is, and what error a speed may have.
        tell: told of each reading and refusal.
    """

    name = "gnss"

    def __init__(self, config: Config, tell: Tell) -> None:
        self._keeper = Keeper("gnss", lambda wake: _Listener(config.inputs.gnss, tell))

    def fault(self) -> str | None:
        """Why gpsd cannot be heard; None when all is well."""
        return self._keeper.fault()

    def close(self) -> None:
        """Stop listening."""
        self._keeper.close()


class _Listener:
    """A connection to gpsd."""

    def __init__(self, config: GnssInputConfig, tell: Tell) -> None:
        self._tell = tell
        self._error_limit_kmh = config.error_limit_kmh
        self._where = f"gpsd at {config.gpsd_host}:{config.gpsd_port}"
        self._rest = b""
        self._last_time: Any = None
        try:
            self._socket = socket.create_connection((config.gpsd_host, config.gpsd_port), CONNECT_TIMEOUT_S)
            self._socket.settimeout(RECEIVE_TIMEOUT_S)
            self._socket.sendall(WATCH)
        except (OSError, UnicodeError) as e:  # the latter of what is no host name
            raise InputError(f"{self._where} cannot be reached: {e}; is it running?") from e

    def work(self) -> None:
        try:
            came = self._socket.recv(LINE_LIMIT_BYTES)
        except TimeoutError:
            return
        except OSError as e:
            raise InputError(f"{self._where} cannot be heard: {e.strerror or e}") from e
        if not came:
            raise InputError(f"{self._where} closed the connection")
        *lines, self._rest = (self._rest + came).split(b"\n")
        if len(self._rest) > LINE_LIMIT_BYTES:
            raise InputError(f"{self._where} sends no lines: is it gpsd? See inputs.gnss.gpsd_port")
        for line in lines:
            self._hear(line)

    def close(self) -> None:
        self._socket.close()

    def _hear(self, line: bytes) -> None:
        now_s = time.monotonic()
        try:
            report = json.loads(line, parse_int=float)  # a whole number of any length is at worst infinite
        except (ValueError, RecursionError):
            self._tell(Refusal(GnssInput.name, "malformed", "a line that is no JSON", now_s))
            return
        if not isinstance(report, dict) or report.get("class") != "TPV":
            return
        speed_kmh = speed_of(report, self._error_limit_kmh)
        # The same moment again is nothing new: a receiver that hangs may be reported for ever.
        if speed_kmh is not None and report.get("time") != self._last_time:
            self._last_time = report.get("time")
            self._tell(Reading(GnssInput.name, Quantity.SPEED, speed_kmh, now_s))


def speed_of(report: dict[str, Any], error_limit_kmh: float) -> float | None:
    """The speed of a TPV report in km/h; None without a fix, a speed, or a small enough error, all floats."""
    mode, speed_mps = _number(report.get("mode")), _number(report.get("speed"))
    error_mps = _number(report.get("eps", 0.0))
    if mode is None or speed_mps is None or error_mps is None:
        return None
    if mode < MODE_2D or not 0 <= KMH_PER_MPS * error_mps <= error_limit_kmh:
        return None
    return KMH_PER_MPS * speed_mps


def _number(value: object) -> float | None:
    return value if isinstance(value, float) and math.isfinite(value) else None
