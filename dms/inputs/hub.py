"""Gathers what all inputs tell, and answers the loop at once."""

from __future__ import annotations

import importlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import cast

from dms.config import Config
from dms.config.inputs import InputsConfig
from dms.inputs import INPUTS, Input, Tell
from dms.inputs.plausible import Believed
from dms.inputs.reading import Reading, Refusal
from dms.records import Acknowledgement, Context

ACKNOWLEDGEMENTS_KEPT = 16
"""Between two frames nobody acknowledges more often; older ones give way."""
OF_EACH_CAMERA = frozenset({"mqtt"})
"""Inputs that every camera has for itself, because its name is in their topics; the others are one device."""


class Hub:
    """What the vehicle and the driver tell, from all inputs.

    Inputs call `tell` from their threads; the loop calls `context` between two frames. The lock is held for
    microseconds by both, so neither waits for the other, nor for any device.

    Args:
        config: what is believed.
        clock: the monotonic clock, which is that of all readings.
    """

    def __init__(self, config: InputsConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._believed = Believed(config, clock())
        self._configured = bool(config.tell_speed)
        self._inputs: list[Input] = []
        self._acknowledgements: deque[Acknowledgement] = deque(maxlen=ACKNOWLEDGEMENTS_KEPT)
        self._lock = threading.Lock()

    def add(self, opened: Input) -> None:
        """Ask this input, too, for its faults."""
        self._inputs.append(opened)

    def tell(self, told: Reading | Refusal | Acknowledgement) -> None:
        """Take what an input heard; returns at once, from any thread."""
        with self._lock:
            if isinstance(told, Acknowledgement):
                self._acknowledgements.append(told)
            else:
                self._believed.take(told)

    def context(self) -> Context:
        """What is known now, with the acknowledgements since the last call; never waits for a device."""
        faults = {each.name: fault for each in self._inputs if (fault := each.fault())}
        with self._lock:
            acknowledgements = tuple(self._acknowledgements)
            self._acknowledgements.clear()
            vehicle = self._believed.vehicle(self._clock(), faults)
        return Context(vehicle, acknowledgements, self._configured)


@contextmanager
def open_inputs(config: Config) -> Iterator[Hub]:
    """The hub with all inputs that are set up; closed on leaving. None of their devices need be there.

    Raises:
        DmsError: a package or a file is missing without which an input can never hear anything.
    """
    with open_hubs({"": config}) as hubs:
        yield hubs[""]


@contextmanager
def open_hubs(configs: Mapping[str, Config]) -> Iterator[dict[str, Hub]]:
    """A hub for each camera of one vehicle, by name: each hears its own topics, all the same devices.

    Raises:
        DmsError: as `open_inputs`.
    """
    hubs = {name: Hub(config.inputs) for name, config in configs.items()}
    shared = next(iter(configs.values()))
    with ExitStack() as stack:
        for kind in _wanted(shared.inputs):
            if kind in OF_EACH_CAMERA:
                for name, config in configs.items():
                    hubs[name].add(stack.enter_context(closing(_made(kind, config, hubs[name].tell))))
            else:
                made = stack.enter_context(closing(_made(kind, shared, partial(_tell_all, [*hubs.values()]))))
                for hub in hubs.values():
                    hub.add(made)
        yield hubs


def _made(kind: str, config: Config, tell: Tell) -> Input:
    module, _, input_class = INPUTS[kind].partition(":")
    return cast(Input, getattr(importlib.import_module(module), input_class)(config, tell))


def _tell_all(hubs: Iterable[Hub], told: Reading | Refusal | Acknowledgement) -> None:
    for hub in hubs:
        hub.tell(told)


def _wanted(config: InputsConfig) -> list[str]:
    wanted = {
        "mqtt": config.mqtt.signals or config.mqtt.acknowledge,
        "can": config.can.enabled,
        "gnss": config.gnss.enabled,
        "gpio": config.acknowledge.gpio.line is not None,
        "key": config.acknowledge.key.terminal or config.acknowledge.key.device is not None,
    }
    return [name for name, on in wanted.items() if on]
