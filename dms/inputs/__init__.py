"""What is known beside the pictures: one file an input, gathered by the hub.

An input owns its thread, is made at once whether its device is there or not, tells the hub what it hears and
connects again by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from dms.inputs.reading import Reading, Refusal
from dms.records import Acknowledgement


class Input(Protocol):
    """Tells of the vehicle or the driver, from a thread of its own. `name` tells it apart in faults.

    The class of an input is called with the whole configuration and the `Tell` of the hub. Only what no later
    moment can mend (a file or a package that is missing) is raised then, as a `DmsError`.
    """

    name: str

    def fault(self) -> str | None:
        """What keeps this input from hearing, or what it had to refuse; None when all is well."""
        ...

    def close(self) -> None:
        """Stop listening; waits a second or two at most. May be called twice."""
        ...


class Tell(Protocol):
    """How an input tells; returns at once, from any thread, and never raises."""

    def __call__(self, told: Reading | Refusal | Acknowledgement, /) -> None:
        """Take what an input heard."""
        ...


INPUTS: Mapping[str, str] = MappingProxyType(
    {
        "mqtt": "dms.inputs.mqtt:MqttInput",
        "can": "dms.inputs.can:CanInput",
        "gnss": "dms.inputs.gnss:GnssInput",
        "gpio": "dms.inputs.gpio:GpioInput",
        "key": "dms.inputs.key:KeyInput",
    }
)
"""Name → "module:Class", imported when it is set up."""
