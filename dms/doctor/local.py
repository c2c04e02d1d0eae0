"""What speaks to the driver on the spot, and the button by which he answers: can a run use them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec

from dms import gpiochip
from dms.config import Config
from dms.config.local import HookConfig, SoundConfig
from dms.doctor.check import Check, fail, ok
from dms.errors import ConfigError
from dms.sinks.hook import unfit


def checks(config: Config, running: bool) -> Iterator[Check]:
    """All checks of this module; devices are left alone while the service is `running`."""
    yield hook(config.sinks.hook)
    yield sound(config.sinks.sound, running)
    yield gpio(config)


def hook(config: HookConfig) -> Check:
    """Is the command there; it is not run."""
    if not config.command:
        return ok("hook", "off (sinks.hook.command)")
    if (fault := unfit(config)) is not None:
        return fail("hook", fault, "correct it; a script wants chmod +x; then `dms alerts test`")
    return ok("hook", f"{config.command[0]} is there; `dms alerts test` runs it")


def sound(config: SoundConfig, running: bool) -> Check:
    """Is the package there, and does a device open; it plays silence."""
    if not config.enabled:
        return ok("sound", "off (sinks.sound.enabled)")
    if not find_spec("miniaudio"):
        return fail("sound", "miniaudio is not installed", "pip install 'dms[sound]'")
    if running:
        return ok("sound", "the service is running, the device was not tried")
    from dms.sinks.sound import SoundSink

    with closing(SoundSink(config)) as sink:
        fault = sink.fault()
    if fault is not None:
        cure = "correct sinks.sound.backend and device, then `dms alerts test`; docs/local-alerts.md"
        return fail("sound", fault, cure)
    return ok("sound", "a device takes sound; `dms alerts test` lets it be heard")


def gpio(config: Config) -> Check:
    """Is the package there, and may this user use the chip; no line is touched."""
    lamps, button = config.sinks.gpio, config.inputs.acknowledge.gpio
    chips = {lamps.chip: "sinks.gpio"} if lamps.enabled else {}
    if button.line is not None:
        chips.setdefault(button.chip, "inputs.acknowledge.gpio")
    if not chips:
        return ok("gpio", "off (sinks.gpio.enabled, inputs.acknowledge.gpio.line)")
    for chip, section in chips.items():
        try:
            gpiochip.library(section)
        except ConfigError as e:
            return fail("gpio", str(e), "pip install 'dms[gpio]'")
        if not os.path.exists(chip):
            return fail(
                "gpio", f"{chip} is not there", f"`gpiodetect` lists the chips: correct {section}.chip"
            )
        if not os.access(chip, os.R_OK | os.W_OK):
            cure = f'ls -l {chip} tells the group: sudo usermod -aG gpio "$USER"; docs/local-alerts.md'
            return fail("gpio", f"no permission for {chip}", cure)
    return ok("gpio", f"{', '.join(chips)} may be used; `dms alerts test` drives the lines")
