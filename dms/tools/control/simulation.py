"""Drives the real scheduler, metrics, governor and policy through a simulated drive, frame by frame.

One loop judges the newest frame: what comes while it is busy waits, and is dropped when another comes. How
long a frame takes follows from its stages, the precision, the clock of the plant and what else is running.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from dms.config import Config
from dms.control.costs import level_costs
from dms.control.levels import LEVELS
from dms.control.policy import Policy
from dms.metrics import Metrics
from dms.scheduler import Scheduler
from dms.tools.control.costs import BEST, CHEAPEST, STAGES, TURNS, Costs, engines_only, of_level
from dms.tools.control.plant import Device, Plant, Thermometer
from dms.tools.control.rules import Change, Controlled, Fixed, Naive, Rule
from dms.tools.control.scenarios import Scenario

CONTROLLED, FIXED, NAIVE, TOP = "controlled", "fixed", "naive", "top"
RULES = (CONTROLLED, FIXED, NAIVE)
"""What is compared. `TOP`, the ladder's last level from the start, shows what the ladder can hold at all."""
TICK_S, SAMPLE_S = 0.1, 5.0
"""Step of the plant, an order below the die's own pace; and of what is noted."""
WINDOW_S = 10.0
HANDED_OVER_S, JITTER_S = 0.001, 0.001
"""From capture to a loop that waits; how unevenly a camera captures. Assumed."""
SIGMA, HICCUP, HICCUP_TIMES = 0.08, 0.005, 1.6
"""How stage times scatter; the share of frames that take so much longer. Assumed."""
WAKING_S = 0.002
"""Mean wait for a processor while there are more busy tasks than cores. Assumed."""
URGENT_EVERY_S, URGENT_S = 60.0, 6.0
"""How often, and how long, the driver looks away or closes the eyes: the rates rise."""
UNTRACKED_EVERY_S, UNTRACKED_S = 97.0, 1.0
"""How often, and how long, the face is lost: the detector runs on every frame."""
ALWAYS = frozenset(STAGES) - TURNS


@dataclass(frozen=True, slots=True)
class Sample:
    """What happened in `SAMPLE_S` seconds: the hottest, the last clock and level, counts of frames.

    `asked` are the captured frames without those that the level does not ask for.
    """

    end_s: float
    die_c: float
    clock: float
    level: int
    cheapest: bool
    asked: int
    judged: int
    missed: int
    latency_p95_s: float | None


@dataclass(slots=True)
class Trace:
    """A whole drive under one rule. `missed` counts frames judged after their budget, or never.

    Frames that the level does not ask for are no misses: `spared`. The others are `asked` for.
    """

    scenario: Scenario
    device: Device
    rule: str
    budget_s: float
    samples: list[Sample] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    captured: int = 0
    judged: int = 0
    missed: int = 0
    spared: int = 0
    worst_latency_s: float = 0.0
    throttled_s: float = 0.0
    hottest_c: float = -273.0
    down_at_s: float | None = None

    @property
    def asked(self) -> int:
        """Frames that could be missed."""
        return self.captured - self.spared


def simulate(scenario: Scenario, device: Device, rule: str, costs: Costs, config: Config, seed: int) -> Trace:
    """One drive. `costs` are those of the machine they were measured on; the device stretches them.

    `config` gives schedule and controller; its frame rate is the scenario's.
    """
    return _Drive(scenario, device, rule, costs, config, seed).run()


class _Drive:
    def __init__(
        self, scenario: Scenario, device: Device, rule: str, costs: Costs, config: Config, seed: int
    ) -> None:
        # The same seed for every rule; the draws part once the rules act differently.
        self._chance = random.Random(f"{seed} {scenario.name}")
        self._scenario, self._device, self._costs = scenario, device, costs
        self._scheduler = Scheduler(config.schedule, 1 / scenario.fps)
        self._metrics = Metrics(WINDOW_S)
        self._plant = Plant(device, scenario.start_c)
        self._thermometer = Thermometer(device, scenario.start_c, self._chance)
        self._rule = self._make(rule, config)
        self._trace = Trace(scenario, device, rule, self._scheduler.budget_s, changes=self._rule.changes)
        self._now_s = 0.0
        self._free_s = 0.0
        self._waiting_s: float | None = None
        self._owed_s = 0.0
        self._lost = 0
        self._recent = _Recent()

    def _make(self, rule: str, config: Config) -> Rule:
        if rule in (FIXED, TOP):
            level = LEVELS[0 if rule == FIXED else -1]
            self._scheduler.use(level)
            return Fixed(level)
        if rule == NAIVE:
            return Naive(self._scheduler.use)
        runs_s = engines_only(self._costs[BEST]), engines_only(self._costs[CHEAPEST])
        relative = level_costs(*runs_s)
        policy = Policy(config.control, self._scheduler.budget_s, relative)
        return Controlled(policy, self._metrics.load, self._scheduler.use, config.control.every_s)

    def run(self) -> Trace:
        for captured_s in self._captures():
            while self._now_s + TICK_S <= captured_s:
                self._tick()
            self._arrive(captured_s)
        return self._trace

    def _captures(self) -> Iterator[float]:
        for number in range(round(self._scenario.minutes * 60 * self._scenario.fps)):
            yield number / self._scenario.fps + self._chance.uniform(0.0, JITTER_S)

    def _arrive(self, captured_s: float) -> None:
        self._trace.captured += 1
        self._recent.asked += 1
        if self._plant.down:
            self._miss()
            return
        if self._waiting_s is not None and self._free_s <= captured_s:
            self._take(self._waiting_s, self._free_s)
            self._waiting_s = None
        if self._waiting_s is not None:
            self._drop("newer")
            self._waiting_s = captured_s
        elif self._free_s <= captured_s + HANDED_OVER_S:
            self._take(captured_s, captured_s + HANDED_OVER_S)
        else:
            self._waiting_s = captured_s

    def _take(self, captured_s: float, begun_s: float) -> None:
        """The loop gets a frame: judged, or passed over for the scheduler's reason."""
        age_s = begun_s - captured_s
        if (reason := self._scheduler.admits(captured_s, age_s)) is not None:
            self._drop(reason)
            return
        stage_s = self._judge(captured_s, age_s)
        took_s = sum(stage_s.values()) + self._waking_s(begun_s)
        self._free_s = begun_s + took_s
        self._owed_s += took_s
        latency_s = self._free_s - captured_s
        self._metrics.frame(captured_s, latency_s, stage_s, waited_s=age_s, lost=self._lost)
        self._trace.judged += 1
        self._trace.worst_latency_s = max(self._trace.worst_latency_s, latency_s)
        self._recent.latencies_s.append(latency_s)
        if latency_s > self._trace.budget_s:
            self._miss()

    def _judge(self, captured_s: float, age_s: float) -> dict[str, float]:
        tracking = captured_s % UNTRACKED_EVERY_S >= UNTRACKED_S
        urgent = captured_s % URGENT_EVERY_S < URGENT_S
        due = self._scheduler.due(captured_s, age_s=age_s, tracking=tracking, urgent=urgent)
        stage_s = of_level(self._costs, self._rule.level)
        times = self._times_longer(captured_s)
        took = {name: stage_s[name] * times for name in STAGES if name in due or name in ALWAYS}
        took[self._scenario.slow_stage] *= self._scenario.slower(captured_s)
        self._scheduler.ran(took)
        return took

    def _times_longer(self, now_s: float) -> float:
        """How many times longer stages take than where their costs were measured."""
        times = self._device.slower / self._plant.clock * self._crowding(now_s)
        times *= self._chance.lognormvariate(0.0, SIGMA)
        return times * (HICCUP_TIMES if self._chance.random() < HICCUP else 1.0)

    def _crowding(self, now_s: float) -> float:
        """Busy tasks for every core, the loop among them; 1 while there are cores enough."""
        return max(1.0, (self._scenario.tasks_at(now_s) + 1) / self._device.cores)

    def _waking_s(self, now_s: float) -> float:
        return self._chance.expovariate(1 / WAKING_S) if self._crowding(now_s) > 1 else 0.0

    def _drop(self, reason: str) -> None:
        if reason == "level":
            self._trace.spared += 1
            self._recent.asked -= 1
            return
        self._lost += 1
        self._miss()

    def _miss(self) -> None:
        self._trace.missed += 1
        self._recent.missed += 1

    def _tick(self) -> None:
        self._now_s += TICK_S
        loop = min(1.0, self._owed_s / TICK_S)
        self._owed_s -= loop * TICK_S
        tasks = min(self._scenario.tasks_at(self._now_s), self._device.cores - loop)
        self._plant.step(TICK_S, self._scenario.around(self._now_s), loop, tasks)
        self._thermometer.follow(TICK_S, self._plant)
        if not self._plant.down:
            self._look(loop, tasks)
        self._note()

    def _look(self, loop: float, tasks: float) -> None:
        reading = self._thermometer.read(
            self._now_s,
            self._plant,
            (loop + tasks) / self._device.cores,
            lost=self._scenario.is_lost(self._now_s),
        )
        self._rule.look(self._now_s, reading, loop)

    def _note(self) -> None:
        trace, plant = self._trace, self._plant
        trace.hottest_c = max(trace.hottest_c, plant.die_c)
        trace.throttled_s += TICK_S if plant.clock < 1 else 0.0
        if plant.down and trace.down_at_s is None:
            trace.down_at_s = self._now_s
        self._recent.hottest_c = max(self._recent.hottest_c, plant.die_c)
        if self._now_s >= (len(trace.samples) + 1) * SAMPLE_S - TICK_S / 2:
            trace.samples.append(self._recent.sample(self._now_s, plant, self._rule))
            self._recent = _Recent()


@dataclass(slots=True)
class _Recent:
    """What happened since the last sample."""

    hottest_c: float = -273.0
    asked: int = 0
    missed: int = 0
    latencies_s: list[float] = field(default_factory=list)

    def sample(self, now_s: float, plant: Plant, rule: Rule) -> Sample:
        p95_s = float(np.percentile(self.latencies_s, 95)) if self.latencies_s else None
        return Sample(
            end_s=now_s,
            die_c=self.hottest_c,
            clock=0.0 if plant.down else plant.clock,
            level=rule.level.number,
            cheapest=rule.level.cheapest,
            asked=self.asked,
            judged=len(self.latencies_s),
            missed=self.missed,
            latency_p95_s=p95_s,
        )
