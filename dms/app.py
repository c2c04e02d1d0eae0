"""The composition root: from configuration to a running system. Only this module knows concrete classes."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from dms.alerts.manager import AlertManager
from dms.alerts.profiles import load_profile
from dms.assess.assessor import Assessor
from dms.config import Config, EnginesConfig
from dms.demo_broker import DemoBroker
from dms.engines.contract import CONTRACTS
from dms.engines.opening import Opened, cache_of, open_engine
from dms.loop import Loop, Observer
from dms.metrics import Metrics
from dms.pipeline import Pipeline
from dms.scheduler import Scheduler
from dms.service import Notifier, StopSignal
from dms.sinks import Sink
from dms.sinks.jsonl import JsonlSink
from dms.sinks.log import LogSink
from dms.sinks.mqtt import MqttSink
from dms.sinks.payload import Origin
from dms.sources import FrameSource, open_source
from dms.stages import Stage
from dms.stages.distraction import DistractionStage
from dms.stages.eyes import EyesStage
from dms.stages.face import FaceStage
from dms.stages.fatigue import FatigueStage
from dms.stages.quality import QualityStage
from dms.stages.views import open_views
from dms.summary import Summary, SummarySink

log = logging.getLogger(__name__)

VITALS_WINDOW_S = 10.0
"""Vitals tell rate and latency over the last ten seconds."""


@contextmanager
def open_engines(config: EnginesConfig, told: Callable[[str], None]) -> Iterator[dict[str, Opened]]:
    """All engines by name; they are closed on leaving. `told` hears what takes long."""
    with ExitStack() as stack:
        opened: dict[str, Opened] = {}
        for name in CONTRACTS:
            opened[name] = open_engine(name, config, told)
            stack.callback(opened[name].backend.close)
        yield opened


@contextmanager
def open_pipeline(config: Config, session: str) -> Iterator[Pipeline]:
    """The pipeline with its engines loaded; they are closed on leaving. `session` begins every alert's id."""
    with open_engines(config.engines, log.info) as engines, _pipeline(config, engines, session) as pipeline:
        yield pipeline


@contextmanager
def _pipeline(config: Config, engines: Mapping[str, Opened], session: str) -> Iterator[Pipeline]:
    shape = config.source.height_px, config.source.width_px
    with open_views(engines, cache_of(config.engines), shape) as views:
        stages: tuple[Stage, ...] = (
            QualityStage(),
            FaceStage(views["face"], config.tracking),
            EyesStage(views["eyes"], config.tracking),
            FatigueStage(views["fatigue"]),
            DistractionStage(views["distraction"]),
        )
        yield Pipeline(
            stages,
            Scheduler(config.schedule),
            Assessor(config.assess),
            AlertManager(load_profile(config.alerts.profile), session),
            time.perf_counter,
        )


def run(config: Config, tell: Callable[[str], None]) -> Summary:
    """Run until the source ends or the process is told to stop; `tell` gets a line for each event.

    Raises:
        DmsError: something is wrong at start; a fault later is published and lived through.
    """
    with ExitStack() as stack:
        stop = stack.enter_context(StopSignal())
        notifier = stack.enter_context(closing(Notifier.from_environment()))
        source = stack.enter_context(closing(open_source(config.source)))
        engines = stack.enter_context(open_engines(config.engines, tell))
        pipeline = stack.enter_context(_pipeline(config, engines, session=uuid.uuid4().hex[:8]))
        _start_demo_broker(config, stack)
        stated = Origin(engines={name: str(engine) for name, engine in engines.items()})
        sinks = [stack.enter_context(closing(sink)) for sink in _sinks(config, source, stated, tell)]
        sinks.append(LogSink(notifier.status))
        heartbeat = _Heartbeat(notifier)
        summary = _judge(config, source, pipeline, sinks, stop.is_set, heartbeat)
        notifier.stopping()
        return summary


def judge_recording(
    config: Config,
    source: FrameSource,
    sinks: list[Sink],
    stop: Callable[[], bool],
    observer: Observer | None = None,
) -> Summary:
    """Judge a recording by recorded time until it ends or `stop()` tells so, telling `sinks`."""
    with open_pipeline(config, session="analysis") as pipeline:
        return _judge(config, source, pipeline, sinks, stop, lambda: None, observer)


def _judge(
    config: Config,
    source: FrameSource,
    pipeline: Pipeline,
    sinks: list[Sink],
    stop: Callable[[], bool],
    heartbeat: Callable[[], None],
    observer: Observer | None = None,
) -> Summary:
    totals = SummarySink()
    begun_s = time.perf_counter()
    Loop(
        source,
        pipeline,
        [*sinks, totals],
        Metrics(VITALS_WINDOW_S),
        config,
        clock=time.monotonic,
        stop=stop,
        heartbeat=heartbeat,
        observer=observer,
    ).run()
    return totals.summary(
        source.dropped, time.perf_counter() - begun_s, interrupted=stop() and not source.live
    )


def _sinks(
    config: Config, source: FrameSource, stated: Origin, tell: Callable[[str], None]
) -> Iterator[Sink]:
    epoch_offset = _epoch_offset if source.live else lambda: None
    yield LogSink(tell, epoch_offset, logging.getLevelName(config.sinks.log.level.upper()))
    if config.sinks.jsonl.path:
        yield JsonlSink(Path(config.sinks.jsonl.path), epoch_offset, append=True)
    if config.sinks.mqtt.enabled:
        yield MqttSink(config.sinks.mqtt, stated, epoch_offset)


def _epoch_offset() -> float:
    """What to add to the monotonic clock for Unix time, now: the wall clock may be set while we run."""
    return time.time() - time.monotonic()


def _start_demo_broker(config: Config, stack: ExitStack) -> None:
    mqtt = config.sinks.mqtt
    if mqtt.enabled and mqtt.demo_broker:
        broker = DemoBroker.start_if_none(mqtt)
        if broker is not None:
            stack.enter_context(closing(broker))


class _Heartbeat:
    """Tells the service manager `ready` at the first judged frame and `watchdog` at every one."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._ready = False

    def __call__(self) -> None:
        if not self._ready:
            self._notifier.ready()
            self._ready = True
        self._notifier.watchdog()
