"""What the controller is tried on: hot days, broken fans, greedy neighbours, odd cameras. Hours in all.

A course is a line through (minute, value) points; before the first and after the last it stays level.
Temperatures and sunshine are assumed: air behind a windscreen, a dark housing of about a hand's size.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dms.errors import InputError
from dms.tools.control.plant import Surroundings

Course = Sequence[tuple[float, float]]
Spans = Sequence[tuple[float, float]]
NO_SUN: Course = ((0.0, 0.0),)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One drive.

    Minutes throughout. `tasks` are busy processes beside the monitor; in the spans of `slow` the stage
    `slow_stage` takes `slow_times` as long. `start_c` is the temperature of the whole device at the start.
    `cool_again` tells that the end is easy enough to go back to level 0.
    """

    name: str
    title: str
    device: str
    minutes: float
    air_c: Course
    start_c: float
    sun_w: Course = NO_SUN
    fan_fails: Spans = ()
    tasks: Course = ((0.0, 0.0),)
    lost: Spans = ()
    slow: Spans = ()
    slow_stage: str = "eyes"
    slow_times: float = 1.0
    fps: float = 30.0
    cool_again: bool = True

    def around(self, now_s: float) -> Surroundings:
        """What is around the device."""
        minute = now_s / 60
        fan_works = not within(minute, self.fan_fails)
        return Surroundings(course_at(self.air_c, minute), course_at(self.sun_w, minute), fan_works)

    def tasks_at(self, now_s: float) -> float:
        """Busy processes beside the monitor."""
        return course_at(self.tasks, now_s / 60)

    def is_lost(self, now_s: float) -> bool:
        """Whether the thermal sensor is silent."""
        return within(now_s / 60, self.lost)

    def slower(self, now_s: float) -> float:
        """How many times as long `slow_stage` takes."""
        return self.slow_times if within(now_s / 60, self.slow) else 1.0


def course_at(course: Course, minute: float) -> float:
    """The value of a course."""
    after = bisect_right(course, minute, key=lambda point: point[0])
    if after == 0:
        return course[0][1]
    if after == len(course):
        return course[-1][1]
    (begin, low), (end, high) = course[after - 1], course[after]
    return low + (high - low) * (minute - begin) / (end - begin)


def within(minute: float, spans: Spans) -> bool:
    """Whether a minute lies in one of the spans."""
    return any(begin <= minute < end for begin, end in spans)


def jump(*steps: tuple[float, float]) -> Course:
    """A course that stays level between points and jumps at them."""
    points = [steps[0]]
    for (_, before), (minute, value) in pairwise(steps):
        points += [(minute - 1e-6, before), (minute, value)]
    return points


SCENARIOS = (
    Scenario(
        name="parked",
        title="Car parked in the sun, then cooled down",
        device="nano-7w",
        minutes=60,
        air_c=((0, 74), (4, 68), (12, 48), (20, 28)),
        sun_w=((0, 2), (10, 1)),
        start_c=84,
    ),
    Scenario(
        name="summer",
        title="Summer day, the sun on the housing from the 20th minute to the 80th",
        device="nano-7w",
        minutes=120,
        air_c=((0, 32), (20, 48), (50, 56), (75, 56), (95, 30)),
        sun_w=((0, 1), (20, 1.5), (50, 2), (75, 2), (90, 0)),
        start_c=40,
    ),
    Scenario(
        name="fan",
        title="The fan stops from the 10th minute to the 40th",
        device="nano-15w",
        minutes=70,
        air_c=((0, 58), (40, 58), (50, 32)),
        fan_fails=((10, 40),),
        tasks=((0, 1),),
        start_c=45,
    ),
    Scenario(
        name="beyond",
        title="Hotter than any level can hold, for twenty minutes",
        device="pi-fanless",
        minutes=60,
        air_c=((0, 40), (10, 68), (30, 68), (36, 28)),
        sun_w=((0, 0.3), (30, 0.3), (32, 0)),
        start_c=60,
    ),
    Scenario(
        name="neighbour",
        title="Another process takes the processor, again and again",
        device="pi-fanless",
        minutes=30,
        air_c=((0, 25),),
        tasks=jump((0, 0), (4, 7), (9, 0), (13, 11), (15, 0)),
        start_c=45,
    ),
    Scenario(
        name="pulses",
        title="Other work comes for 45 seconds, and goes for 45, for a quarter of an hour",
        device="pi-fanless",
        minutes=45,
        air_c=((0, 25),),
        tasks=jump((0, 0), *((3 + 0.75 * n, 9 if n % 2 == 0 else 0) for n in range(20)), (18, 0)),
        start_c=45,
    ),
    Scenario(
        name="sensor",
        title="The thermal sensor is silent while it is hot",
        device="nano-7w",
        minutes=75,
        air_c=((0, 45), (8, 57), (30, 57), (40, 30)),
        sun_w=((0, 2), (30, 2), (38, 0)),
        lost=((14, 18), (22, 22.5), (26, 48)),
        start_c=60,
    ),
    Scenario(
        name="camera7",
        title="A camera at 7 frames a second, on a hot day",
        device="nano-7w",
        minutes=40,
        air_c=((0, 40), (10, 60), (22, 60), (28, 30)),
        sun_w=((0, 2), (22, 2), (24, 0)),
        start_c=55,
        fps=7.0,
    ),
    Scenario(
        name="camera60",
        title="A camera at 60 frames a second",
        device="pi-fanless",
        minutes=20,
        air_c=((0, 30),),
        start_c=45,
        fps=60.0,
        cool_again=False,
    ),
    Scenario(
        name="tenfold",
        title="One stage takes ten times as long, at times",
        device="nano-15w",
        minutes=25,
        air_c=((0, 30),),
        slow=((5, 10), (14, 14.2)),
        slow_times=10.0,
        start_c=45,
    ),
)


def find(names: Sequence[str]) -> list[Scenario]:
    """The scenarios of these names, in the table's order; without names all.

    Raises:
        InputError: no scenario has that name.
    """
    known = {scenario.name: scenario for scenario in SCENARIOS}
    for name in names:
        if name not in known:
            raise InputError(f"no scenario {name!r}; there are {', '.join(known)}")
    return [scenario for name, scenario in known.items() if not names or name in names]
