"""The cabin around the driver: where mirrors, displays and windows are."""

from __future__ import annotations

from typing import Literal

from dms.config.section import Section


class CabinConfig(Section):
    """Where in the cabin the driver's gaze zones lie."""

    geometry: str = "saloon"
    """A shipped cabin's name (`saloon`, `van`, `truck`), or the path of a cabin file of your own."""
    driver_side: Literal["left", "right", "auto"] = "auto"
    """Side of the steering wheel; `auto` = as the vehicle tells, else learned from the driver's glances."""
