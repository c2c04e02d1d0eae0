"""Reads the sensors in a thread of its own, so that a file that blocks never holds up the loop."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol

from dms.records import DeviceReading

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 1.0


class Readable(Protocol):
    """What can be read: the device's sensors, or a script in their place."""

    def read(self, now_s: float) -> DeviceReading:
        """All that can be told at this moment, seconds on the monotonic clock."""
        ...


class SensorReader:
    """Reads `sensors` every `every_s` and keeps the newest reading.

    While a read hangs the newest one just grows old: its `read_s` tells. A read that fails, which none is to
    do, leaves a reading of which everything is unknown, is told once in the log, and is tried again.
    """

    def __init__(self, sensors: Readable, every_s: float) -> None:
        self._sensors = sensors
        self._every_s = every_s
        self._newest: DeviceReading | None = None
        self._trouble: str | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep_reading, name="sensors", daemon=True)
        self._thread.start()

    def newest(self) -> DeviceReading | None:
        """The newest reading, at once; None before the first."""
        return self._newest

    def close(self) -> None:
        """Stop reading; waits a second at most for a read under way."""
        self._closed.set()
        self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            log.warning("sensors: a read still hangs in the driver; left behind")

    def _keep_reading(self) -> None:
        while not self._closed.is_set():
            with ExitStack() as attempt:
                attempt.push(self._keep_trouble)
                self._newest = self._sensors.read(time.monotonic())
                self._trouble = None
            self._closed.wait(self._every_s)

    def _keep_trouble(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        """Turn whatever ended a read into a reading that knows nothing.

        This is a broad except: `Sensors` raises nothing, but if a fault in it ended this thread, the newest
        reading would only grow old and no sensor be read again until a restart. Nothing is hidden by it: the
        log has the trace, and what was lost holds the level and makes the health degraded.
        """
        if not isinstance(error, Exception):
            return False
        trouble = f"{type(error).__name__}: {error}"
        if trouble != self._trouble:
            log.error("sensors cannot be read, all of them are unknown: %s", trouble, exc_info=error)
        self._trouble = trouble
        self._newest = DeviceReading(read_s=time.monotonic())
        return True
