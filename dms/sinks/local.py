"""The sinks that speak to the driver on the spot. None of them ever waits for a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dms.config.sinks import SinksConfig
from dms.sinks import Sink
from dms.sinks.system_payload import Origin


def open_local_sinks(
    config: SinksConfig, origin: Origin, epoch_offset: Callable[[], float | None] = lambda: None
) -> Iterator[Sink]:
    """Those that are set up, the quickest first. A device that is missing is a fault of its sink, no error.

    Raises:
        DmsError: a package is missing.
    """
    if config.gpio.enabled:
        from dms.sinks.gpio import GpioSink  # as below: extras, and time to the first frame

        yield GpioSink(config.gpio)
    if config.sound.enabled:
        from dms.sinks.sound import SoundSink

        yield SoundSink(config.sound)
    if config.hook.command:
        from dms.sinks.hook import HookSink

        yield HookSink(config.hook, origin, epoch_offset)
