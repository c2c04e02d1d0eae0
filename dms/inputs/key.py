"""The driver acknowledges by a key: Enter in the terminal, or a button that is an input device."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import sys
import time
from collections.abc import Callable

from dms.config import Config
from dms.config.local import AcknowledgeKeyConfig
from dms.errors import InputError
from dms.inputs import Tell
from dms.inputs.press import Presses
from dms.keeper import Device, Keeper
from dms.records import Acknowledgement

EVENT = struct.Struct("@llHHi")
"""`struct input_event` of the kernel: seconds, microseconds, type, code, value."""
EV_SYN, EV_KEY = 0, 1
SYN_DROPPED = 3
UP, REPEATED = 0, 2
KEY_BYTES = 0x300 // 8
"""A bit for each key there can be, `KEY_CNT` of the kernel."""
EVIOCGKEY = 2 << 30 | KEY_BYTES << 16 | ord("E") << 8 | 0x18
"""The ioctl that reads which keys are down."""
RELEASED_AFTER_S = 1.0
"""A terminal tells no release. Enter is up when it came no more for this long, which is longer than keyboards
wait before they repeat a key that is held."""
_LONGEST_WAIT_S = 0.2


class KeyInput:
    """Tells an acknowledgement at each press: in the terminal dms runs in, if it does, and on a device.

    From the terminal whole lines are read, as any program does: its mode is left as it is, and nothing is
    read while dms is in the background.
    """

    name = "key"

    def __init__(self, config: Config, tell: Tell) -> None:
        acknowledge = config.inputs.acknowledge
        self._stuck_after_s = acknowledge.stuck_after_s
        self._pressed = lambda: tell(Acknowledgement(self.name))
        self._kept: dict[str, tuple[Keeper, Presses]] = {}
        key = acknowledge.key
        if key.terminal and sys.stdin is not None and sys.stdin.isatty():
            descriptor = sys.stdin.fileno()
            self._keep("terminal", lambda presses: _Terminal(descriptor, presses, self._pressed))
        if key.device is not None:
            self._keep(key.device, lambda presses: _InputDevice(key, presses, self._pressed))

    def fault(self) -> str | None:
        """Why no press can be heard; None when all is well."""
        for name, (keeper, presses) in self._kept.items():
            if (fault := keeper.fault()) is not None:
                return fault
            if (held_s := presses.stuck_s(time.monotonic())) is not None:
                return f"{name}: the key has been down for {held_s:.0f} s: stuck"
        return None

    def close(self) -> None:
        """Listen no more."""
        for keeper, _ in self._kept.values():
            keeper.close()

    def _keep(self, name: str, listen: Callable[[Presses], Device]) -> None:
        presses = Presses(self._stuck_after_s)
        self._kept[name] = Keeper(f"key-{name}", lambda wake: listen(presses)), presses


class _Terminal:
    """Enter, in the terminal of this process."""

    def __init__(self, descriptor: int, presses: Presses, pressed: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._presses = presses
        self._pressed = pressed
        self._entered_s = 0.0

    def work(self) -> None:
        """Wait for a line, or for the end of a press."""
        ready, _, _ = select.select([self._descriptor], [], [], _LONGEST_WAIT_S)
        now_s = time.monotonic()
        if not ready or not _in_foreground(self._descriptor) or not self._entered():
            time.sleep(_LONGEST_WAIT_S if ready else 0)
            if now_s - self._entered_s > RELEASED_AFTER_S:
                self._presses.up()
            return
        self._entered_s = now_s
        if self._presses.down(now_s):
            self._pressed()

    def close(self) -> None:
        self._presses.up()

    def _entered(self) -> bool:
        try:
            return b"\n" in os.read(self._descriptor, 4096)
        except OSError as e:
            raise InputError(f"the terminal can no longer be read: {e.strerror}") from e


def _in_foreground(terminal: int) -> bool:
    """Whether this process may read from it: one in the background would be stopped for trying."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return True  # not the terminal this process is controlled from


class _InputDevice:
    """A key of `/dev/input/…`."""

    def __init__(self, config: AcknowledgeKeyConfig, presses: Presses, pressed: Callable[[], None]) -> None:
        self._path = config.device or ""
        self._code = config.code
        self._presses = presses
        self._pressed = pressed
        try:
            self._device = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as e:
            raise InputError(
                f"inputs.acknowledge.key.device: {self._path} cannot be opened: {e.strerror}; look at "
                "/dev/input/by-id, and that this user may read it (group `input`, DeviceAllow of the service)"
            ) from e
        self._down = self._read_down()
        if self._down:  # since before the start, which is no press
            presses.down(time.monotonic())

    def work(self) -> None:
        """Wait for events of the device."""
        ready, _, _ = select.select([self._device], [], [], _LONGEST_WAIT_S)
        if not ready:
            return
        try:
            data = os.read(self._device, 64 * EVENT.size)
        except OSError as e:
            raise InputError(f"{self._path} can no longer be read: {e.strerror}") from e
        if not data:
            raise InputError(f"{self._path} has ended: it is no input device, or is gone")
        for _, _, kind, code, value in EVENT.iter_unpack(data[: len(data) // EVENT.size * EVENT.size]):
            self._take(kind, code, value)

    def close(self) -> None:
        self._presses.up()
        os.close(self._device)

    def _take(self, kind: int, code: int, value: int) -> None:
        if (kind, code) == (EV_SYN, SYN_DROPPED):  # events were lost: ask what is down
            self._down = self._read_down()
        elif kind != EV_KEY or value == REPEATED or self._code not in (None, code):
            return
        elif value == UP:
            self._down.discard(code)
        else:
            self._down.add(code)
        if not self._down:
            self._presses.up()
        elif self._presses.down(time.monotonic()):
            self._pressed()

    def _read_down(self) -> set[int]:
        bits = bytearray(KEY_BYTES)
        with contextlib.suppress(OSError):  # a device that cannot tell
            fcntl.ioctl(self._device, EVIOCGKEY, bits)
        down = {code for code in range(len(bits) * 8) if bits[code // 8] >> code % 8 & 1}
        return down if self._code is None else down & {self._code}
