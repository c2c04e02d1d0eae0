"""What the cameras of one process share: the engines, loaded once, and the controller of the device."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

from dms import app
from dms.backends.batching import CONCURRENT, BatchingBackend
from dms.config import Config, ControlConfig
from dms.control.governor import Governor
from dms.control.policy import Policy
from dms.control.reader import SensorReader
from dms.control.sensors import Sensors
from dms.control.shared import SharedPolicy
from dms.engines.opening import Opened
from dms.sinks.system_payload import Origin
from dms.sources import FrameSource

Engines = Mapping[str, Opened]


@contextmanager
def open_shared(config: Config, told: Callable[[str], None]) -> Iterator[Shared]:
    """Everything that is shared, opened once; closed on leaving. `told` hears what takes long."""
    with ExitStack() as stack:
        engines = stack.enter_context(app.open_engines(config.engines, told))
        cheapest: Engines = {}
        reader = None
        if config.control.enabled:
            cheapest = stack.enter_context(app.open_cheapest_engines(config.engines, engines, told))
            reader = stack.enter_context(closing(SensorReader(Sensors(), config.control.every_s)))
        batch = config.engines.max_batch
        yield Shared(_all_seated(engines, batch), _all_seated(cheapest, batch), reader, stack)


class Shared:
    """Gives each camera a pipeline of its own on the shared engines, and a governor that follows one policy.

    Args:
        engines: by name, ready for callers in several threads.
        cheapest: the cheaper forms there are of them.
        reader: the device's sensors; None where nothing is controlled.
        stack: closes what pipelines open.
    """

    def __init__(
        self, engines: Engines, cheapest: Engines, reader: SensorReader | None, stack: ExitStack
    ) -> None:
        self._engines = engines
        self._cheapest = cheapest
        self._reader = reader
        self._stack = stack
        self._policy: SharedPolicy | None = None

    @property
    def origin(self) -> Origin:
        """The engines, as every event states them."""
        return app.stated(self._engines, self._cheapest)

    def open_pipeline(
        self, name: str, config: Config, source: FrameSource
    ) -> tuple[app.Controlled, Governor | None]:
        """The pipeline of a camera, and what changes its level: nothing where frames cannot be late."""
        interval_s = app.interval_of(config.source, source)
        paced = math.isfinite(interval_s)
        controlled = self._stack.enter_context(
            app.open_controlled(
                config,
                self._engines,
                uuid.uuid4().hex[:8],
                cheapest=self._cheapest if paced else {},
                interval_s=interval_s,
                checkpoint=app.box_checkpoints(config),
            )
        )
        if self._reader is None or not paced:
            return controlled, None
        return controlled, self._governor(name, config.control, controlled, self._reader)

    def _governor(
        self, name: str, config: ControlConfig, controlled: app.Controlled, reader: SensorReader
    ) -> Governor:
        budget_s = controlled.scheduler.budget_s
        if self._policy is None:
            policy = Policy(config, budget_s, controlled.sight.level_costs())
            self._policy = SharedPolicy(policy, budget_s, config.every_s)
        return Governor(self._policy.of(name, budget_s), reader.newest, controlled.use, config.every_s)


def _all_seated(engines: Engines, max_batch: int) -> Engines:
    return {name: _seated(engine, max_batch) for name, engine in engines.items()}


def _seated(engine: Opened, max_batch: int) -> Opened:
    """The engine behind seats, one a core. A GPU cuts no frames here: its chain has a single caller."""
    runs = len(os.sched_getaffinity(0)) if engine.runtime in CONCURRENT else 1
    return replace(engine, backend=BatchingBackend([engine.backend] * runs, max_batch), device=None)
