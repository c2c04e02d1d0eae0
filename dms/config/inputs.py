"""What comes in beside the pictures: the vehicle's signals, and the driver's acknowledgements."""

from __future__ import annotations

from dms.config.section import Section


class InputsConfig(Section):
    """Who tells of vehicle and driver."""
