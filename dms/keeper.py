"""Keeps a device open that may be missing, fail or hang, on a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from dms.errors import DmsError

log = logging.getLogger(__name__)

READY_WITHIN_S = 2.0
"""How long the building of a keeper waits for the first outcome; a hung device must not hold up the start."""
STALLED_AFTER_S = 3.0
"""A turn takes half a second at most; one that lasts this long hangs. Told well within the 10 s that
Euro NCAP's sensing requirements give a fault to be told."""
CLOSED_WITHIN_S = 1.0
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 30.0
STEADY_AFTER_S = 5.0
"""After a failure a device is trusted again when it has worked this long: some open well, and then fail.
A sound device shows within 2.5 s that it plays nothing."""


class Device(Protocol):
    """Something open. Its own methods run on the keeper's thread only."""

    def work(self) -> None:
        """Do what is due now, wait half a second at most for more; raises DmsError when the device fails."""
        ...

    def close(self) -> None:
        """Release it."""
        ...


class Keeper:
    """Opens a device, works it, and opens it anew after a failure: first after 1 s, at last every 30 s.

    A fault stands, and the time between tries grows, until the device has worked for 5 s.

    Args:
        name: of the thread, and of the device in log lines.
        open_device: opens and tests the device; raises DmsError. Gets the event that ends a wait in `work`.
    """

    def __init__(self, name: str, open_device: Callable[[threading.Event], Device]) -> None:
        self._name = name
        self._open = open_device
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._known = threading.Event()
        self._fault: str | None = None
        self._retry_s = FIRST_RETRY_S
        self._beat_s: float | None = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"dms-{name}", daemon=True)
        self._thread.start()
        self._known.wait(READY_WITHIN_S)

    def wake(self) -> None:
        """There is something new to do."""
        self._wake.set()

    def fault(self) -> str | None:
        """What keeps the device from working, as a sentence; None when it works."""
        if self._closed.is_set():
            return self._fault
        if not self._thread.is_alive():
            return "its thread has ended by an error in dms, told in the log; nothing but a restart mends it"
        beat_s = self._beat_s
        if beat_s is not None:
            silent_s = time.monotonic() - beat_s
            if silent_s > STALLED_AFTER_S:
                return f"the device has hung for {silent_s:.0f} s; it is opened anew as soon as it lets go"
        return self._fault

    def close(self) -> None:
        """Release the device. One that hangs is left to the end of the process. May be called twice."""
        self._closed.set()
        self._wake.set()
        self._thread.join(CLOSED_WITHIN_S)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._beat_s = time.monotonic()
                with closing(self._open(self._wake)) as device:
                    self._known.set()
                    self._work(device)
            except DmsError as e:
                self._set_fault(str(e))
                self._beat_s = None  # waiting for the next try is no hanging
                self._closed.wait(self._retry_s)
                self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S)

    def _work(self, device: Device) -> None:
        steady_s = time.monotonic() + STEADY_AFTER_S
        try:
            while not self._closed.is_set():
                device.work()
                self._beat_s = now_s = time.monotonic()
                if self._fault is not None and now_s >= steady_s:
                    self._set_fault(None)
                    self._retry_s = FIRST_RETRY_S
        except DmsError as e:
            self._set_fault(str(e))  # now: to close a device that failed may hang
            raise

    def _set_fault(self, fault: str | None) -> None:
        if fault != self._fault:
            log.log(logging.WARNING if fault else logging.INFO, "%s: %s", self._name, fault or "works again")
        self._fault = fault
        self._known.set()
