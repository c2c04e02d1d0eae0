"""Hears the vehicle's bus through python-can (extra `can`).

Nothing is ever written to the bus: no code here can send, and OBD-II is heard when something else asks. That
the adapter does not even confirm frames is set outside, by `listen-only` (docs/vehicle.md).
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Protocol, cast

from dms.config import Config
from dms.config.inputs import CanInputConfig
from dms.errors import ConfigError, InputError
from dms.inputs import Tell
from dms.inputs.can_frames import Decoder
from dms.inputs.reading import Reading
from dms.keeper import Keeper

if TYPE_CHECKING:
    from can import Message

RECEIVE_TIMEOUT_S = 0.2
"""How often a silent bus lets the thread look whether it is to end."""


class CanInput:
    """Reads one bus in a thread of its own and opens it again when it fails; it need not be there.

    Args:
        config: which bus, and what its frames mean.
        tell: told of each reading.

    Raises:
        ConfigError: python-can is not installed, or does not know the driver.
    """

    name = "can"

    def __init__(self, config: Config, tell: Tell) -> None:
        can = config.inputs.can
        _check_driver(can.interface)
        self._keeper = Keeper("can", lambda wake: _Listener(can, tell))

    def fault(self) -> str | None:
        """Why the bus cannot be heard; None when all is well."""
        return self._keeper.fault()

    def close(self) -> None:
        """Stop listening."""
        self._keeper.close()


class _Heard(Protocol):
    """All that is used of a bus of python-can: it has no way to send."""

    def recv(self, timeout: float | None = None) -> Message | None: ...

    def shutdown(self) -> None: ...


class _Listener:
    """An open bus."""

    def __init__(self, config: CanInputConfig, tell: Tell) -> None:
        self._tell = tell
        self._channel = config.channel
        self._decoder = Decoder(config)
        self._bus = _opened(config, self._decoder)

    def work(self) -> None:
        from can import CanError

        try:
            frame = self._bus.recv(RECEIVE_TIMEOUT_S)
        except (CanError, OSError, ValueError, LookupError) as e:  # the last two: a garbled serial line
            raise InputError(f"CAN bus {self._channel} failed: {e}; look at its cable and adapter") from e
        if frame is None or frame.is_error_frame or frame.is_remote_frame:
            return
        now_s = time.monotonic()
        told = self._decoder.decode(frame.arbitration_id, frame.is_extended_id, bytes(frame.data))
        for quantity, value in told:
            self._tell(Reading(CanInput.name, quantity, value, now_s))

    def close(self) -> None:
        from can import CanError

        with contextlib.suppress(CanError, OSError):  # the adapter is gone
            self._bus.shutdown()


def _opened(config: CanInputConfig, decoder: Decoder) -> _Heard:
    import can

    speed: dict[str, Any] = {} if config.bitrate is None else {"bitrate": config.bitrate}
    try:
        bus = can.Bus(
            config.channel,
            config.interface,
            ignore_config=True,  # another program's file must not decide which bus is heard
            can_filters=decoder.filters(),
            **speed,
        )
    except (can.CanError, OSError, ValueError) as e:
        raise InputError(f"CAN bus {config.channel} cannot be opened: {e}; see `dms doctor`") from e
    return cast(_Heard, bus)


def _check_driver(interface: str) -> None:
    try:
        from can import VALID_INTERFACES
    except ImportError as e:
        raise ConfigError(
            "inputs.can.enabled is set but python-can is not installed: pip install 'dms[can]'"
        ) from e
    if interface not in VALID_INTERFACES:
        raise ConfigError(
            f"inputs.can.interface {interface!r} is no driver that python-can knows; "
            f"one of: {', '.join(sorted(VALID_INTERFACES))}"
        )
