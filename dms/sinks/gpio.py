"""Drives a buzzer or lamps on GPIO lines, in the rhythm of the tones, through libgpiod's `gpiod` 2."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from types import ModuleType

from dms import gpiochip
from dms.config.local import GpioConfig
from dms.errors import SinkError
from dms.keeper import Keeper
from dms.records import Message, Severity
from dms.sinks.standing import Call, Standing

_LONGEST_WAIT_S = 0.5


class GpioSink:
    """One line is on at a time: that of the severity of the gravest alert which nobody has acknowledged.

    Lines are requested as outputs, off, and read back after every change; they are driven off at the end. A
    process that is killed loses them to the kernel; where a pin goes then is the pin controller's choice.

    Raises:
        ConfigError: gpiod is not installed, or is older than 2.0.
    """

    name = "gpio"

    def __init__(self, config: GpioConfig) -> None:
        gpiod = gpiochip.library("sinks.gpio")
        lines = _lines(config)
        self._standing = Standing()
        self._keeper = Keeper(self.name, lambda wake: _Lines(gpiod, config, lines, self._standing, wake))

    def publish(self, message: Message) -> None:
        """Note what begins, ends or is acknowledged, and wake the thread that drives the lines."""
        if self._standing.take(message):
            self._keeper.wake()

    def fault(self) -> str | None:
        """What keeps the lines from being driven; None when all is well."""
        return self._keeper.fault()

    def figures(self) -> Mapping[str, float]:
        """Patterns begun, and the longest time from `publish` until the line was driven."""
        return self._standing.figures()

    def close(self) -> None:
        """Drive the lines off and release them."""
        self._standing.clear()
        self._keeper.close()


class _Lines:
    """The requested lines."""

    def __init__(
        self,
        gpiod: ModuleType,
        config: GpioConfig,
        lines: Mapping[Severity, int],
        standing: Standing,
        wake: threading.Event,
    ) -> None:
        self._chip = config.chip
        self._value = gpiod.line.Value
        self._line_of = lines
        self._standing = standing
        self._wake = wake
        self._call: Call | None = None
        self._begun_s = 0.0
        self._on: int | None = None
        offsets = sorted(set(lines.values()))
        try:
            self._request = gpiochip.outputs(gpiod, config.chip, offsets, config.active_low)
        except (OSError, ValueError) as e:
            raise SinkError(gpiochip.refused(config.chip, offsets, e)) from e
        try:
            self._set(None)
        except SinkError:
            self.close()
            raise

    def work(self) -> None:
        """Set what is due now, then wait for the next edge of the rhythm or for news."""
        self._wake.clear()
        now_s = time.monotonic()
        self._follow(now_s)
        on, left_s = False, _LONGEST_WAIT_S
        if self._call is not None:
            on, left_s = self._call.pattern.at(now_s - self._begun_s)
            if left_s == float("inf"):
                self._standing.played(self._call)
                return
        line = self._line_of.get(self._call.severity) if self._call and on else None
        if line != self._on:
            self._set(line)
        self._wake.wait(min(left_s, _LONGEST_WAIT_S))

    def close(self) -> None:
        """Off, then released."""
        with contextlib.suppress(OSError):  # the chip is gone, and the lines with it
            self._request.set_values(dict.fromkeys(self._request.offsets, self._value.INACTIVE))
        self._request.release()

    def _follow(self, now_s: float) -> None:
        due = self._standing.call()
        if due == self._call:
            return
        self._call, self._begun_s = due, now_s
        if due is not None:
            self._standing.begun(due)

    def _set(self, line: int | None) -> None:
        """Switch one line on and all others off, and see that they are."""
        values = dict.fromkeys(self._request.offsets, self._value.INACTIVE)
        if line is not None:
            values[line] = self._value.ACTIVE
        try:
            self._request.set_values(values)
            read = dict(zip(values, self._request.get_values(list(values)), strict=True))
        except OSError as e:
            raise SinkError(f"{self._chip} can no longer be driven: {e.strerror or e}") from e
        self._on = line
        if wrong := [offset for offset in values if read[offset] != values[offset]]:
            raise SinkError(
                f"{self._chip}: line {wrong[0]} reads back other than it is driven: a short circuit, or the "
                "pin is set up for another function"
            )


def _lines(config: GpioConfig) -> dict[Severity, int]:
    named = {severity: getattr(config, f"{severity.value}_line") for severity in Severity}
    return {severity: line for severity, line in named.items() if line is not None}
