"""The composition root: from configuration to a running system. Only this module knows concrete stages."""

from __future__ import annotations

import logging
import math
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain

from dms.alerts.coverage import gaps, unacknowledgeable
from dms.alerts.manager import AlertManager
from dms.alerts.profiles import load_profiles
from dms.assess.assessor import Assessor
from dms.config import Config, EnginesConfig, SourceConfig
from dms.config.cabin_file import read_cabin
from dms.control.governor import Governor
from dms.control.levels import Level
from dms.control.policy import Policy
from dms.control.reader import SensorReader
from dms.control.sensors import Sensors
from dms.engines.contract import CONTRACTS
from dms.engines.opening import Opened, cache_of, open_cheapest, open_engine
from dms.inputs.hub import open_inputs
from dms.loop import Loop, Observer
from dms.metrics import Metrics
from dms.outputs import demo_broker, metrics_server, open_local, open_sinks
from dms.pipeline import Checkpointing, Pipeline
from dms.recording.checkpoint import Checkpoints
from dms.records import NOTHING_KNOWN, Context
from dms.resources import configs_folder
from dms.scheduler import Scheduler
from dms.seat import seat_sinks
from dms.service import Heartbeat, Notifier, StopSignal
from dms.sinks import Sink
from dms.sinks.log import LogSink
from dms.sinks.system_payload import Origin
from dms.sources import FrameSource, open_source
from dms.stages import Stage
from dms.stages.distraction import DistractionStage
from dms.stages.eyes import EyesStage
from dms.stages.face import FaceStage
from dms.stages.fatigue import FatigueStage
from dms.stages.glasses import GlassesLook
from dms.stages.glasses import load as load_glasses
from dms.stages.quality import QualityStage
from dms.stages.views import Sight, open_sight
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
def open_cheapest_engines(
    config: EnginesConfig, engines: Mapping[str, Opened], told: Callable[[str], None]
) -> Iterator[dict[str, Opened]]:
    """The cheapest forms of those of `engines` that have a cheaper one; they are closed on leaving."""
    with ExitStack() as stack:
        cheapest: dict[str, Opened] = {}
        for name, engine in engines.items():
            if (other := open_cheapest(name, config, engine, told)) is not None:
                cheapest[name] = other
                stack.callback(other.backend.close)
        yield cheapest


@dataclass(frozen=True, slots=True)
class Controlled:
    """A pipeline whose level can be changed."""

    pipeline: Pipeline
    scheduler: Scheduler
    sight: Sight
    assessor: Assessor

    def use(self, level: Level) -> None:
        """Bring a level into force; to be called between two frames."""
        self.scheduler.use(level)
        self.sight.use(cheapest=level.cheapest)


@contextmanager
def open_controlled(
    config: Config,
    engines: Mapping[str, Opened],
    session: str,
    *,
    cheapest: Mapping[str, Opened] | None = None,
    interval_s: float = math.inf,
    checkpoint: Checkpointing | None = None,
) -> Iterator[Controlled]:
    """The pipeline of one camera on open engines, at level 0.

    Args:
        config: of this camera.
        engines: by name.
        session: begins every alert's id.
        cheapest: what levels 2 to 4 run in the place of engines of the same name.
        interval_s: time between two frames; infinite for what is judged as fast as it goes.
        checkpoint: takes checkpoints for whoever keeps them; None where nobody does.
    """
    shape = config.source.height_px, config.source.width_px
    with open_sight(engines, cheapest or {}, cache_of(config.engines), shape) as sight:
        scheduler = Scheduler(config.schedule, interval_s)
        stages: tuple[Stage, ...] = (
            QualityStage(config.assess.availability),
            FaceStage(sight.views["face"], config.tracking),
            EyesStage(sight.views["eyes"], config.tracking, GlassesLook(load_glasses())),
            FatigueStage(sight.views["fatigue"]),
            DistractionStage(sight.views["distraction"]),
        )
        side = config.cabin.driver_side
        cabin = read_cabin(config.cabin.geometry, configs_folder() / "cabins")
        profiles = load_profiles(config.alerts)
        terminal = sys.stdin is not None and sys.stdin.isatty()
        for told in (*gaps(profiles), *unacknowledgeable(profiles, config.inputs, terminal=terminal)):
            log.warning("alerts.profiles: %s", told)
        assessor = Assessor(config.assess, cabin, None if side == "auto" else side)
        pipeline = Pipeline(
            stages,
            scheduler,
            assessor,
            AlertManager(profiles, session),
            time.perf_counter,
            checkpoint,
        )
        yield Controlled(pipeline, scheduler, sight, assessor)


def box_checkpoints(config: Config) -> Checkpointing | None:
    """What takes checkpoints for the black box; None without one. For whoever opens the configured sinks."""
    box = config.sinks.blackbox
    return None if box.folder is None else Checkpoints(box.checkpoint_every_s).due


@contextmanager
def open_pipeline(config: Config, session: str) -> Iterator[Pipeline]:
    """The pipeline with its engines, for recordings judged as fast as it goes; closed on leaving."""
    with (
        open_engines(config.engines, log.info) as engines,
        open_controlled(config, engines, session) as controlled,
    ):
        yield controlled.pipeline


@contextmanager
def open_governor(config: Config, controlled: Controlled) -> Iterator[Governor]:
    """What changes the level of one camera, by sensors that are read in a thread."""
    policy = Policy(config.control, controlled.scheduler.budget_s, controlled.sight.level_costs())
    with closing(SensorReader(Sensors(), config.control.every_s)) as reader:
        yield Governor(policy, reader.newest, controlled.use, config.control.every_s)


def interval_of(config: SourceConfig, source: FrameSource) -> float:
    """Seconds between two frames; infinite where none comes before the last is judged.

    By the rate that the source tells, or where it tells none that can be, by the configured one.
    """
    if not (source.live or config.realtime):
        return math.inf
    return 1 / (source.fps if 0 < source.fps < math.inf else config.fps)


def stated(engines: Mapping[str, Opened], cheapest: Mapping[str, Opened]) -> Origin:
    """What every event states: the engines, and the cheaper forms of those that have one."""
    return Origin(
        engines={name: str(engine) for name, engine in engines.items()},
        cheapest={name: str(engine) for name, engine in cheapest.items()},
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
        built, governor, origin = _controlled(config, source, engines, tell, stack)
        stack.enter_context(demo_broker(config))
        server = stack.enter_context(metrics_server(config))
        opened = chain(
            open_local(config, source.live, origin),
            open_sinks(config, source, origin, tell, server),
            seat_sinks(config.seat, built.assessor),
        )
        sinks: list[Sink] = [stack.enter_context(closing(sink)) for sink in opened]
        sinks.append(LogSink(notifier.status))
        heartbeat = Heartbeat(notifier)
        hub = stack.enter_context(open_inputs(config))
        summary = judge(
            config,
            source,
            built.pipeline,
            sinks,
            stop.is_set,
            heartbeat,
            governor=governor,
            context=hub.context,
        )
        notifier.stopping()
        return summary


def _controlled(
    config: Config,
    source: FrameSource,
    engines: Mapping[str, Opened],
    tell: Callable[[str], None],
    stack: ExitStack,
) -> tuple[Controlled, Governor | None, Origin]:
    """The pipeline of a run, what controls it, and what it tells of its engines."""
    session = uuid.uuid4().hex[:8]
    interval_s = interval_of(config.source, source)
    checkpoint = box_checkpoints(config)
    opened = partial(open_controlled, config, engines, session, interval_s=interval_s, checkpoint=checkpoint)
    if not config.control.enabled or math.isinf(interval_s):
        return stack.enter_context(opened()), None, stated(engines, {})
    cheapest = stack.enter_context(open_cheapest_engines(config.engines, engines, tell))
    built = stack.enter_context(opened(cheapest=cheapest))
    governor = stack.enter_context(open_governor(config, built))
    used = {name: cheapest[name] for name in built.sight.cheapest_s}
    return built, governor, stated(engines, used)


def judge_recording(
    config: Config,
    source: FrameSource,
    open_sinks: Callable[[Origin], list[Sink]],
    stop: Callable[[], bool],
    observer: Observer | None = None,
    checkpoint: Checkpointing | None = None,
) -> Summary:
    """Judge a recording by recorded time until it ends or `stop()` tells so, telling the sinks."""
    with (
        open_engines(config.engines, log.info) as engines,
        open_controlled(config, engines, "analysis", checkpoint=checkpoint) as controlled,
    ):
        sinks = open_sinks(stated(engines, {}))
        return judge(config, source, controlled.pipeline, sinks, stop, lambda: None, observer=observer)


def judge(
    config: Config,
    source: FrameSource,
    pipeline: Pipeline,
    sinks: list[Sink],
    stop: Callable[[], bool],
    heartbeat: Callable[[], None],
    *,
    governor: Governor | None = None,
    observer: Observer | None = None,
    context: Callable[[], Context] = lambda: NOTHING_KNOWN,
) -> Summary:
    """Judge a source until it ends or `stop()` tells so, telling `sinks`; returns what came of it."""
    totals = SummarySink()
    begun_s = time.perf_counter()
    loop = Loop(
        source,
        pipeline,
        [*sinks, totals],
        Metrics(VITALS_WINDOW_S),
        config,
        clock=time.monotonic,
        stop=stop,
        heartbeat=heartbeat,
        observer=observer,
        governor=governor,
        context=context,
    )
    loop.run()
    wall_s = time.perf_counter() - begun_s
    return totals.summary(loop.drops, wall_s, interrupted=stop() and not source.live)
