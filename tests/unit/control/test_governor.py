from __future__ import annotations

import pytest

from dms.config import ControlConfig
from dms.control.governor import Governor
from dms.control.levels import LEVELS, Level
from dms.control.policy import Load, Policy
from dms.records import DeviceReading

LATE, IN_TIME = Load(0.1, 0.0), Load(0.001, 0.0)
EVERY_S = 0.5


class Desk:
    """A governor, and what it asked for and changed."""

    def __init__(self) -> None:
        self.changed: list[Level] = []
        self.reads = self.loads = 0
        self.celsius: float | None = 50.0
        self.load = IN_TIME
        policy = Policy(ControlConfig(), 1 / 30, (1.0, 0.8, 0.6, 0.4, 0.2))
        self.governor = Governor(policy, self._read, self.changed.append, EVERY_S)

    def _read(self) -> DeviceReading:
        self.reads += 1
        return DeviceReading(float(self.reads), {"tj": self.celsius}, 99.0)

    def ask(self) -> Load:
        self.loads += 1
        return self.load


def test_the_first_tick_tells_where_it_begins() -> None:
    desk = Desk()
    decision = desk.governor.tick(10.0, desk.ask)
    assert decision is not None
    assert (decision.level, decision.previous, decision.cause) == (0, 0, "start")
    assert desk.changed == [], "the pipeline is at level 0 as it was built"
    assert desk.governor.reading == DeviceReading(1.0, {"tj": 50.0}, 99.0)


def test_it_asks_for_sensors_and_load_only_when_due() -> None:
    desk = Desk()
    for frame in range(91):
        desk.governor.tick(10.0 + frame / 30, desk.ask)
    assert desk.reads == desk.loads == 7


def test_a_change_is_brought_into_force_once_and_returned() -> None:
    desk = Desk()
    desk.load = LATE
    told = [desk.governor.tick(10.0 + EVERY_S * tick, desk.ask) for tick in range(5)]
    assert [d and (d.level, d.cause) for d in told] == [(0, "start"), None, (1, "latency"), None, None]
    assert desk.changed == [LEVELS[1]]
    assert desk.governor.level == 1


def test_a_hold_is_told_at_its_begin_and_at_its_end() -> None:
    desk = Desk()
    desk.celsius = 82.0
    now_s = 10.0
    causes = []
    for celsius in (82.0, None, 82.0):
        desk.celsius = celsius
        for _ in range(40):
            now_s += EVERY_S
            if (decision := desk.governor.tick(now_s, desk.ask)) is not None:
                causes.append((decision.cause, decision.held))
    assert causes == [("temperature", False), ("temperature_unknown", True), ("released", False)]
    assert desk.changed == [LEVELS[1]]


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0])
def test_it_goes_on_after_a_jump_of_the_clock(jump_s: float) -> None:
    desk = Desk()
    desk.governor.tick(5000.0, desk.ask)
    desk.governor.tick(5000.0 + jump_s, desk.ask)
    desk.governor.tick(5000.0 + jump_s + 0.1, desk.ask)
    desk.governor.tick(5000.0 + jump_s + 0.6, desk.ask)
    assert desk.loads == 3


def test_troubles_are_the_policys() -> None:
    desk = Desk()
    desk.celsius = 98.0
    for tick in range(20):
        desk.governor.tick(EVERY_S * tick, desk.ask)
    assert list(desk.governor.troubles()) == ["reduced"]
