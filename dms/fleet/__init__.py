"""Several drivers watched by one process: a loop for each camera, engines shared by all.

A camera that is lost, sends what cannot be read, fails or hangs is told of under its own name, and the others
do not wait for it. The process goes on while one camera works.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dms.config import Config, SourceConfig
from dms.errors import ConfigError, InputError, SourceLost
from dms.fleet.camera import Camera
from dms.fleet.guarded import Lent
from dms.fleet.heart import Heart
from dms.fleet.sharing import Shared, open_shared
from dms.inputs.hub import open_hubs
from dms.outputs import demo_broker, metrics_server, open_local, open_sinks
from dms.records import NOTHING_KNOWN, Context
from dms.seat import seat_sinks
from dms.service import Notifier, StopSignal
from dms.sinks import Sink
from dms.sinks.log import LogSink
from dms.sources import FrameSource, open_source
from dms.summary import Summary

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.2
CLOSE_TIMEOUT_S = 8.0
"""Cameras end side by side, each within three waits of its sinks; systemd waits ten seconds for all."""
SPREAD_S = 1.0
"""Cameras begin one after the other over this time, or the stages that do not run on every frame would run on
the same frame of all. The longest period by default, the detector's."""
LONGEST_VEHICLE = 64


@dataclass(frozen=True, slots=True)
class FleetSummary:
    """What came of each camera, by name; `failures` are those that ended before their time, and why."""

    cameras: Mapping[str, Summary]
    failures: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "schema": "dms.fleet_summary/1",
            "cameras": {name: summary.to_dict() for name, summary in self.cameras.items()},
            "failures": dict(self.failures),
        }

    def __str__(self) -> str:
        """A short report for a person."""
        parts = [f"{name}: {summary}" for name, summary in self.cameras.items()]
        return "\n\n".join(parts + [f"{name} failed: {why}" for name, why in self.failures.items()])


def run(config: Config, tell: Callable[[str], None]) -> FleetSummary:
    """Watch all cameras until each has ended or the process is told to stop; `tell` gets a line an event.

    Raises:
        DmsError: something is wrong at start, or no camera sent a first frame in time; what goes wrong with
            one later is told under its name and lived through.
    """
    with ExitStack() as stack:
        stop = stack.enter_context(StopSignal())
        notifier = stack.enter_context(closing(Notifier.from_environment()))
        own = {name: camera_config(config, name) for name in config.cameras}
        sources = {name: stack.enter_context(closing(_opened(name, own[name].source))) for name in own}
        shared = stack.enter_context(open_shared(config, tell))
        stack.enter_context(demo_broker(config))
        server = stack.enter_context(metrics_server(config))
        hubs = stack.enter_context(open_hubs(own))
        local = [
            Lent(stack.enter_context(closing(sink)))
            for sink in open_local(config, any(source.live for source in sources.values()), shared.origin)
        ]
        fleet = Fleet(own, notifier, stop.is_set)
        for name, source in sources.items():
            told = partial(_tell_named, tell, name)
            opened = open_sinks(own[name], source, shared.origin, told, server)
            sinks: list[Sink] = [*local, *(stack.enter_context(closing(sink)) for sink in opened)]
            sinks.append(LogSink(partial(_tell_named, notifier.status, name)))
            fleet.add(name, source, shared, sinks, hubs[name].context)
        summary = fleet.judge()
        notifier.stopping()
        return summary


class Fleet:
    """Cameras judged side by side, and the watch over them.

    Args:
        configs: of each camera alone, by name.
        notifier: told when the first camera judges, and of life while all live.
        stop: asked a few times a second whether to end.
    """

    def __init__(self, configs: Mapping[str, Config], notifier: Notifier, stop: Callable[[], bool]) -> None:
        self._configs = configs
        self._stop = stop
        self._ended = threading.Event()
        self._heart = Heart(notifier, configs)
        self._cameras: list[Camera] = []

    def add(
        self,
        name: str,
        source: FrameSource,
        shared: Shared,
        sinks: Sequence[Sink],
        context: Callable[[], Context] = lambda: NOTHING_KNOWN,
    ) -> None:
        """One more camera, with sinks of its own; it closes both. `context` is for its loop."""
        config = self._configs[name]
        built, governor = shared.open_pipeline(name, config, source)
        kept = seat_sinks(config.seat, built.assessor)
        reopen = partial(open_source, config.source)
        self._cameras.append(
            Camera(
                name,
                config,
                source,
                reopen,
                built.pipeline,
                governor,
                [*sinks, *kept],
                self._heart,
                self._ended,
                context,
            )
        )

    def judge(self) -> FleetSummary:
        """Judge until all have ended or a stop is asked for.

        Raises:
            SourceLost: no camera sent a first frame in time.
        """
        try:
            for camera in self._cameras:
                camera.start()
                time.sleep(SPREAD_S / len(self._cameras))
            while not self._stop() and not all(camera.join(0.0) for camera in self._cameras):
                self._look()
                time.sleep(LOOK_EVERY_S)
        finally:
            self._end()
        return FleetSummary(
            {camera.name: camera.summary() for camera in self._cameras},
            {camera.name: camera.failure for camera in self._cameras if camera.failure},
        )

    def _look(self) -> None:
        for camera in self._cameras:
            camera.watch(time.monotonic())
        if not self._heart.ready and all(camera.missing for camera in self._cameras):
            whys = "; ".join(f"{camera.name}: {camera.missing}" for camera in self._cameras)
            raise SourceLost(f"no camera sent a first frame. {whys}")

    def _end(self) -> None:
        self._ended.set()
        until_s = time.monotonic() + CLOSE_TIMEOUT_S
        for camera in self._cameras:
            if not camera.join(max(0.0, until_s - time.monotonic())):
                log.error("camera %s did not end and is left behind", camera.name)


def camera_config(config: Config, name: str) -> Config:
    """The configuration of one camera as if it stood alone: its source, vehicle, seat and file of lines.

    Raises:
        ConfigError: its vehicle's name would be longer than a topic allows.
    """
    mqtt, jsonl = config.sinks.mqtt, config.sinks.jsonl
    vehicle = f"{mqtt.vehicle}-{name}"
    if len(vehicle) > LONGEST_VEHICLE:
        raise ConfigError(
            f"cameras: {name}: its vehicle {vehicle!r} has {len(vehicle)} letters, {LONGEST_VEHICLE} are "
            "allowed; shorten sinks.mqtt.vehicle or the camera's name"
        )
    sinks = config.sinks.model_copy(
        update={
            "mqtt": mqtt.model_copy(update={"vehicle": vehicle}),
            "jsonl": jsonl.model_copy(update={"path": jsonl.path and _with_name(Path(jsonl.path), name)}),
        }
    )
    seat = config.seat.model_copy(update={"name": f"{config.seat.name}-{name}"})
    return config.model_copy(
        update={"source": config.cameras[name], "cameras": {}, "sinks": sinks, "seat": seat}
    )


def _with_name(path: Path, name: str) -> str:
    """`out/demo.jsonl` as `out/demo.front.jsonl`."""
    return str(path.with_name(f"{path.stem}.{name}{path.suffix}"))


def _opened(name: str, config: SourceConfig) -> FrameSource:
    try:
        return open_source(config)
    except InputError as error:
        raise InputError(f"cameras: {name}: {error}") from error


def _tell_named(tell: Callable[[str], None], name: str, line: str) -> None:
    tell(f"{name}: {line}")
