"""The driver acknowledges by a button on a GPIO line, through libgpiod's `gpiod` 2."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType

from dms import gpiochip
from dms.config import Config
from dms.config.local import AcknowledgeGpioConfig
from dms.errors import InputError
from dms.inputs import Tell
from dms.inputs.press import Presses
from dms.keeper import Keeper
from dms.records import Acknowledgement

_LONGEST_WAIT_S = 0.2


class GpioInput:
    """Tells an acknowledgement at each press of the button; the kernel debounces it.

    A button that is down at the start has not been pressed; it is told as stuck when it stays down.

    Raises:
        ConfigError: gpiod is not installed, or is older than 2.0.
    """

    name = "gpio"

    def __init__(self, config: Config, tell: Tell) -> None:
        acknowledge = config.inputs.acknowledge
        gpiod = gpiochip.library("inputs.acknowledge.gpio")
        self._presses = Presses(acknowledge.stuck_after_s)
        self._line = f"{acknowledge.gpio.chip}, line {acknowledge.gpio.line}"
        self._keeper = Keeper(
            "ack-gpio",
            lambda wake: _Button(
                gpiod, acknowledge.gpio, self._presses, lambda: tell(Acknowledgement(self.name))
            ),
        )

    def fault(self) -> str | None:
        """Why no press can be heard; None when all is well."""
        if (fault := self._keeper.fault()) is not None:
            return fault
        held_s = self._presses.stuck_s(time.monotonic())
        return None if held_s is None else f"{self._line}: the button has been down for {held_s:.0f} s: stuck"

    def close(self) -> None:
        """Release the line."""
        self._keeper.close()


class _Button:
    """The requested line."""

    def __init__(
        self,
        gpiod: ModuleType,
        config: AcknowledgeGpioConfig,
        presses: Presses,
        pressed: Callable[[], None],
    ) -> None:
        self._config = config
        self._active = gpiod.line.Value.ACTIVE
        self._rising = gpiod.EdgeEvent.Type.RISING_EDGE
        self._presses = presses
        self._pressed = pressed
        offset = config.line or 0
        try:
            self._request = gpiochip.button(gpiod, config.chip, offset, config.active_low, config.debounce_s)
        except (OSError, ValueError) as e:
            raise InputError(gpiochip.refused(config.chip, [offset], e)) from e
        try:
            if self._request.get_value(offset) is self._active:
                presses.down(time.monotonic())
        except OSError as e:
            self.close()
            raise self._lost(e) from e

    def work(self) -> None:
        """Wait for edges; a rising one is the line becoming active, whatever its polarity."""
        try:
            if not self._request.wait_edge_events(_LONGEST_WAIT_S):
                return
            events = self._request.read_edge_events()
        except OSError as e:
            raise self._lost(e) from e
        for event in events:
            if event.event_type is not self._rising:
                self._presses.up()
            elif self._presses.down(time.monotonic()):
                self._pressed()

    def close(self) -> None:
        self._presses.up()
        self._request.release()

    def _lost(self, error: OSError) -> InputError:
        return InputError(f"{self._config.chip} can no longer be read: {error.strerror or error}")
