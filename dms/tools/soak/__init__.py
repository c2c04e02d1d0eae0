"""A soak: hours of driving through the real loop with faults thrown in, and what came of it.

Everything is real but the car: the decoder, the engines, the pipeline, the loop, the governor with its
sensor thread, the sinks, a broker on loopback. The recording runs again and again, time goes on. What is
left out is the waiting between frames (`soak_clock`). The device's sensors are files that the soak writes.
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from dms import app
from dms.config import Config
from dms.control.governor import Governor
from dms.control.policy import Policy
from dms.control.reader import SensorReader
from dms.control.sensors import Sensors
from dms.errors import InputError
from dms.loop import Loop
from dms.metrics import Metrics
from dms.outputs import metrics_server, open_sinks
from dms.sources import form_of
from dms.tools.soak.clock import DrivingClock
from dms.tools.soak.director import Director
from dms.tools.soak.drive import Drive, Order, Told
from dms.tools.soak.laps import Recording, hear
from dms.tools.soak.rig import FaultyBackend, Rig, disturbable, open_broker
from dms.tools.soak.schedule import Fault, schedule
from dms.tools.soak.sensors import InStep, SensorTree
from dms.tools.soak.source import Laps
from dms.tools.soak.verdict import Run
from dms.tools.soak.witness import Witness

if TYPE_CHECKING:
    from dms.sinks.prometheus import PrometheusServer

SCRAPE_TIMEOUT_S = 2.0


def plan_of(order: Order, recording: Recording, *, can_freeze: bool) -> tuple[Fault, ...]:
    """The faults of an order, of the kinds that this recording and this broker have room for."""
    begin_s, end_s = recording.calm
    kinds = [
        kind
        for kind in order.kinds
        if (can_freeze or not kind.freezes) and (not kind.calm or kind.length_s[1] <= end_s - begin_s)
    ]
    return schedule(kinds, order.seed, order.driving_s, order.first_fault_s)


def soak(
    config: Config,
    order: Order,
    stop: Callable[[], bool],
    planned: Callable[[Recording, Sequence[Fault]], None],
    told: Told,
) -> Run:
    """Drive; returns what was found, also when `stop()` ended it.

    Args:
        config: as for a run; source, broker, JSON lines and sensors are the soak's own.
        order: how long, how fast.
        stop: asked before every frame.
        planned: hears what the recording tells and the schedule, before the drive.
        told: hears each look at the process, and the fault that is on.

    Raises:
        DmsError: something is wrong at start.
    """
    if form_of_recording(config) not in ("file", "sim", "folder"):
        raise InputError(f"{config.source.uri} is no recording: a soak plays one again and again")
    before = threading.enumerate()
    recording = hear(config)
    with tempfile.TemporaryDirectory(prefix="dms-soak-") as folder, ExitStack() as stack:
        drive = stack.enter_context(_open_drive(config, order, recording, Path(folder), stop, told))
        planned(recording, drive.plan)
        drive.loop.run()
        drive.finish()
    left = Counter(thread.name for thread in threading.enumerate() if thread not in before)
    return drive.run(order, left)


def form_of_recording(config: Config) -> str:
    """The row of `SOURCES` for the configured source."""
    return "file" if config.source.uri == "demo" else form_of(config.source.uri)


@contextmanager
def _open_drive(
    config: Config,
    order: Order,
    recording: Recording,
    folder: Path,
    stop: Callable[[], bool],
    told: Told,
) -> Iterator[Drive]:
    """Everything that a run has, and what disturbs it; all of it is closed on leaving."""
    with ExitStack() as stack:
        broker = stack.enter_context(open_broker(folder))
        config = _own(config, broker.port, folder / "frames.jsonl")
        faulty: dict[str, list[FaultyBackend]] = {}
        engines = stack.enter_context(app.open_engines(config.engines, _silent))
        cheapest = stack.enter_context(app.open_cheapest_engines(config.engines, engines, _silent))
        engines, cheapest = disturbable(engines, faulty), disturbable(cheapest, faulty)
        clock = DrivingClock(order.speed)
        witness = Witness(clock)
        drive = Drive(order, recording, clock, witness, stop, told)
        source = Laps(config.source, recording.length_s, clock, drive.at_frame)
        stack.callback(source.close)
        controlled = stack.enter_context(
            app.open_controlled(
                config,
                engines,
                "soak",
                cheapest=cheapest,
                interval_s=1 / source.fps,
                checkpoint=app.box_checkpoints(config),
            )
        )
        tree = SensorTree(folder / "device")
        governor = stack.enter_context(_open_governor(config, controlled, tree, clock, order))
        used = {name: cheapest[name] for name in controlled.sight.cheapest_s}
        origin = app.stated(engines, used)
        server = stack.enter_context(metrics_server(config))
        if server is not None:
            drive.scrape = _scraper(server)
        opened = open_sinks(config, source, origin, _silent, server)
        sinks = [stack.enter_context(closing(sink)) for sink in opened]
        drive.sinks = [*sinks, witness]
        drive.plan = plan_of(order, recording, can_freeze=broker.can_freeze)
        drive.rig = Rig(source, faulty, tree, broker, folder / "frames.jsonl")
        drive.director = Director(drive.plan, drive.rig, witness, clock, recording.calm, order.seed)
        stack.callback(drive.director.close)
        drive.loop = Loop(
            source,
            controlled.pipeline,
            drive.sinks,
            Metrics(app.VITALS_WINDOW_S),
            config,
            clock=clock,
            stop=drive.stop,
            heartbeat=_silent_heart,
            governor=governor,
        )
        yield drive


def _own(config: Config, port: int, lines: Path) -> Config:
    """The configuration with the soak's broker, file and endpoint."""
    sinks = config.sinks
    mqtt = sinks.mqtt.model_copy(
        update={"enabled": True, "host": "127.0.0.1", "port": port, "vehicle": "soak", "demo_broker": False}
    )
    jsonl = sinks.jsonl.model_copy(update={"path": str(lines)})
    there = find_spec("prometheus_client") is not None
    prometheus = sinks.prometheus.model_copy(update={"enabled": there, "host": "127.0.0.1", "port": 0})
    own = sinks.model_copy(update={"mqtt": mqtt, "jsonl": jsonl, "prometheus": prometheus})
    return config.model_copy(update={"sinks": own})


@contextmanager
def _open_governor(
    config: Config,
    controlled: app.Controlled,
    tree: SensorTree,
    clock: DrivingClock,
    order: Order,
) -> Iterator[Governor]:
    """As `app.open_governor`, of the sensors that the soak writes, read as much more often as time runs."""
    every_s = config.control.every_s
    policy = Policy(config.control, controlled.scheduler.budget_s, controlled.sight.level_costs())
    with closing(SensorReader(Sensors(tree.root), every_s / order.speed)) as reader:
        yield Governor(policy, InStep(reader.newest, clock), controlled.use, every_s)


def _scraper(server: PrometheusServer) -> Callable[[], None]:
    """Asks the endpoint for all figures, as Prometheus does."""
    address = f"http://127.0.0.1:{server.port}/metrics"

    def scrape() -> None:
        with urlopen(address, timeout=SCRAPE_TIMEOUT_S) as answer:
            answer.read()

    return scrape


def _silent(line: str) -> None:
    """The report tells what matters."""


def _silent_heart() -> None:
    """No service manager watches a soak."""
