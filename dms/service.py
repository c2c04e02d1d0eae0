"""The process as a service: what systemd is told, and when to stop.

The protocol is sd_notify(3): one datagram a message to the Unix socket named in `NOTIFY_SOCKET`. Without that
variable (a shell, a container) nothing is sent.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Mapping
from types import FrameType, TracebackType

log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Notifier:
    """Tells the service manager how the process fares. `address` is the socket's, None = tell nobody."""

    def __init__(self, address: str | None) -> None:
        self._address = _socket_address(address) if address else None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._socket:
            # A manager that does not read must never hold up the loop.
            self._socket.setblocking(False)
        self._status: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Notifier:
        """The notifier for the manager that started this process, if one did."""
        return cls(environment.get("NOTIFY_SOCKET"))

    def ready(self) -> None:
        """Start-up is over: the first frame was judged."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`; repeating the same line sends nothing."""
        line = " ".join(text.split())
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def watchdog(self) -> None:
        """Work was done just now. Call it only after a frame was judged, never from a timer."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Shutdown has begun."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Release the socket. May be called twice."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None or self._address is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as e:
            log.debug("the service manager was not told %s: %s", message, e)


class StopSignal:
    """Turns SIGINT and SIGTERM into a question the loop asks: `if stop: …`.

    A context manager for the main thread; leaving it puts the former handlers back. The first signal asks for
    a clean end, the second one ends at once, should the clean end hang. A handler that stood there before
    (another `StopSignal` further out) is told as well; `received` is the signal that came, if one did.
    """

    def __init__(self) -> None:
        self._asked = False
        self._former: dict[signal.Signals, signal._HANDLER] = {}
        self.received: signal.Signals | None = None

    def __enter__(self) -> StopSignal:
        for number in STOP_SIGNALS:
            self._former[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def is_set(self) -> bool:
        """Whether a stop was asked for."""
        return self._asked

    def set(self) -> None:
        """Ask for a stop from inside the process."""
        self._asked = True

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._asked = True
        former = self._former.get(self.received)
        self._restore()
        if callable(former) and former is not signal.default_int_handler:
            former(number, frame)

    def _restore(self) -> None:
        while self._former:
            number, handler = self._former.popitem()
            signal.signal(number, handler)


def _socket_address(address: str) -> str:
    """The address as `sendto` wants it: systemd writes an abstract socket's leading NUL byte as `@`."""
    return "\0" + address[1:] if address.startswith("@") else address


class Heartbeat:
    """Tells the service manager `ready` at the first judged frame and `watchdog` at every one."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._ready = False

    def __call__(self) -> None:
        """A moment was judged and told."""
        if not self._ready:
            self._notifier.ready()
            self._ready = True
        self._notifier.watchdog()
