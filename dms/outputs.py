"""Who is told of a run: the sinks of a camera, the endpoint for figures, a broker for demonstrations."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from dms.config import Config
from dms.sinks import Sink
from dms.sinks.jsonl import JsonlSink
from dms.sinks.log import LogSink
from dms.sinks.system_payload import Origin
from dms.sources import FrameSource

if TYPE_CHECKING:
    from dms.sinks.prometheus import PrometheusServer


def open_sinks(
    config: Config,
    source: FrameSource,
    origin: Origin,
    tell: Callable[[str], None],
    server: PrometheusServer | None = None,
) -> Iterator[Sink]:
    """Who is told of one camera, as configured; `tell` gets a line for each event, `server` all figures."""
    epoch_offset = _epoch_offset if source.live else lambda: None
    age_of = _age_of(config, source)
    if server is not None:  # first: what it counts as a frame's latency then holds no other sink's time
        from dms.sinks.prometheus import PrometheusSink

        yield PrometheusSink(server, config.sinks.mqtt.vehicle, age_of)
    level, several = logging.getLevelName(config.sinks.log.level.upper()), len(config.alerts.profiles) > 1
    yield LogSink(tell, epoch_offset, level, several)
    if config.sinks.jsonl.path:
        yield JsonlSink(Path(config.sinks.jsonl.path), epoch_offset, append=True, origin=origin)
    if config.sinks.blackbox.folder is not None:
        from dms.recording.about import about  # as below
        from dms.recording.blackbox import BlackBox

        yield BlackBox(config.sinks.blackbox, *about(config, origin))
    if config.sinks.mqtt.enabled:
        from dms.sinks.mqtt import MqttSink  # as below: a part of the time to the first frame

        yield MqttSink(config.sinks.mqtt, origin, epoch_offset, age_of)


def open_local(config: Config, source_is_live: bool, origin: Origin) -> Iterator[Sink]:
    """Who speaks to the driver on the spot, as configured: told before all others, it needs no network."""
    from dms.sinks.local import open_local_sinks

    yield from open_local_sinks(config.sinks, origin, _epoch_offset if source_is_live else lambda: None)


@contextmanager
def metrics_server(config: Config) -> Iterator[PrometheusServer | None]:
    """The endpoint for Prometheus, one a process, where it is asked for."""
    if not config.sinks.prometheus.enabled:
        yield None
        return
    from dms.sinks.prometheus import PrometheusServer  # an extra, and time at start, for whoever wants it

    with closing(PrometheusServer(config.sinks.prometheus)) as server:
        yield server


def _age_of(config: Config, source: FrameSource) -> Callable[[float], float | None]:
    """How long ago a moment of the source's clock was; None where that clock is not tied to this one."""
    if not (source.live or config.source.realtime):
        return lambda captured_s: None
    return lambda captured_s: source.now_s() - captured_s


def _epoch_offset() -> float:
    """What to add to the monotonic clock for Unix time, now: the wall clock may be set while we run."""
    return time.time() - time.monotonic()


@contextmanager
def demo_broker(config: Config) -> Iterator[None]:
    """A broker inside this process, where one is asked for and none is there."""
    mqtt = config.sinks.mqtt
    if not (mqtt.enabled and mqtt.demo_broker):
        yield
        return
    from dms.demo_broker import DemoBroker

    broker = DemoBroker.start_if_none(mqtt)
    with closing(broker) if broker is not None else nullcontext():
        yield
