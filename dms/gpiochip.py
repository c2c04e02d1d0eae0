"""GPIO lines through libgpiod's package `gpiod`, version 2, which is imported here alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any

from dms.errors import ConfigError


def library(section: str) -> ModuleType:
    """The package, for a section of the configuration that needs it.

    Raises:
        ConfigError: it is not installed, or is version 1.
    """
    try:
        import gpiod
        import gpiod.line
    except ImportError as e:
        raise ConfigError(
            f"{section} needs gpiod 2: install the extra (`pip install 'dms[gpio]'`; python3-libgpiod of "
            "Ubuntu 22.04 is version 1), or leave the lines unset"
        ) from e
    found: ModuleType = gpiod
    return found


def outputs(gpiod: ModuleType, chip: str, offsets: Sequence[int], active_low: bool) -> Any:
    """Request lines as outputs that are off. Raises OSError or ValueError."""
    off = gpiod.LineSettings(
        direction=gpiod.line.Direction.OUTPUT,
        active_low=active_low,
        output_value=gpiod.line.Value.INACTIVE,
    )
    return gpiod.request_lines(chip, consumer="dms", config={tuple(offsets): off})


def button(gpiod: ModuleType, chip: str, offset: int, active_low: bool, debounce_s: float) -> Any:
    """Request an input that tells both edges, held at rest by a bias. Raises OSError or ValueError."""
    watched = gpiod.LineSettings(
        direction=gpiod.line.Direction.INPUT,
        edge_detection=gpiod.line.Edge.BOTH,
        bias=gpiod.line.Bias.PULL_UP if active_low else gpiod.line.Bias.PULL_DOWN,
        active_low=active_low,
        debounce_period=timedelta(seconds=debounce_s),
    )
    return gpiod.request_lines(chip, consumer="dms", config={offset: watched})


def refused(chip: str, offsets: Sequence[int], why: Exception) -> str:
    """What to tell of a request that was refused."""
    return (
        f"{chip}: line {', '.join(map(str, offsets))} cannot be had: {why}; look at `gpioinfo`, and that "
        "this user may open the chip (group `gpio`, DeviceAllow of the service)"
    )
