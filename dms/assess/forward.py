"""Where head and gaze point when this driver watches the road: learned, because no two cameras sit alike.

Learned while the vehicle goes ahead, or may: not at a standstill, in reverse, with the turn signal on or the
wheel turned far, when drivers look elsewhere. Frames that are lost only add nothing.

What was learned moves within its own road ellipse only: a look aside, however long, does not become the
road. A stare elsewhere is no evidence against it; eyes that move about elsewhere and never come back are.
Then it is dropped and learned anew, and until that is done nobody is said to watch the road.
"""

from __future__ import annotations

import math

from dms.assess.driving import Driving
from dms.assess.reading import Reading
from dms.assess.temporal import LowPass, Tick
from dms.config.assess import AssessConfig, BaselineConfig, RoadConfig
from dms.records import Direction, Turn, Vehicle

_CELL_DEG = 8.0
"""Cell of the direction map: about the error of an in-car gaze (6 to 10 degrees)."""
_STRAIGHT_DEG = 30.0
"""With the wheel turned further the driver looks into the bend (openpilot widens its limits from there)."""

_STARE_S = 3.0
"""So much of one stay outside the road ellipse counts against the direction learned [E]: as long as a glance
may last. Who sits asleep or ill with the head aside stays on one place; who drives looks about."""
_STAY_SMOOTHING_S = 0.5
"""Time constant of the low-pass filter that tells one stay from the next in a noisy gaze."""
_HEAD_STAY_SHARE = 0.5
"""The head turns less than the eyes, and is known better: half as far makes another stay of it [E]."""
_OVERTURN_S = 15.0
"""So much time against it overturns a direction just learned [E]: five stays and no look back."""
_RELEARN_S = 30.0
"""Seconds after which a direction learned anew is used [E]: ten times as long as at first."""

_Key = tuple[int, int]
"""Column and row of a cell of the direction map."""
_Cell = list[float]
"""Seconds, seconds x yaw, seconds x pitch."""


def _near(key: _Key) -> list[_Key]:
    """The nine cells around a cell, itself among them."""
    column, row = key
    return [(x, y) for x in (column - 1, column, column + 1) for y in (row - 1, row, row + 1)]


class Neutral:
    """Where a direction points when this driver watches the road: the densest spot of a map of seen time.

    The densest spot rather than a mean: mirrors and glances aside do not move it. Once usable, only time
    inside the road ellipse is mapped. Time outside is weighed against it: up to `_STARE_S` of each stay,
    while a look back takes off five times its length (`off_road_weight`). At `_OVERTURN_S`, or a fifth of
    what was mapped, the direction is dropped: a wrong start heals. It stays within the limits in which a
    camera may sit.
    """

    def __init__(
        self,
        half_yaw_deg: float,
        half_pitch_deg: float,
        road: RoadConfig,
        config: BaselineConfig,
        stay_share: float = 1.0,
    ) -> None:
        """Take the half axes of the road ellipse; a stay ends where the next is `stay_share` of them away."""
        self._stay_share = stay_share
        self._half_yaw_deg = half_yaw_deg
        self._half_pitch_deg = half_pitch_deg
        self._road = road
        self._config = config
        self._usable_after_s = config.usable_after_s
        self._dropped = False
        self._begin()

    def _begin(self) -> None:
        self._cells: dict[_Key, _Cell] = {}
        self._blocks: dict[_Key, list[_Cell]] = {}  # the cells around a key, gathered once
        self._total_s = 0.0
        self._peak = (0, 0)
        self._against_s = 0.0
        self._stay_s = 0.0
        self._stay_at: tuple[float, float] | None = None
        self._smooth_yaw = LowPass(_STAY_SMOOTHING_S)
        self._smooth_pitch = LowPass(_STAY_SMOOTHING_S)
        self.yaw_deg = 0.0
        self.pitch_deg = 0.0
        self.learned_s = 0.0

    @property
    def usable(self) -> bool:
        """Whether enough was seen to judge by it."""
        return self.learned_s >= self._usable_after_s

    @property
    def overturned(self) -> bool:
        """Whether an earlier direction was dropped and the present one is not yet usable."""
        return self._dropped and not self.usable

    def offset(self, direction: Direction) -> tuple[float, float]:
        """Where a direction lies in units of the road ellipse: within length 1 is on the road.

        The ellipse is wider while the neutral direction is not usable, and for an unsure direction.
        """
        widening = 1.0 if self.usable else self._config.uncalibrated_widening
        excess_deg = excess(direction.sigma_deg, self._road)
        return (
            (direction.yaw_deg - self.yaw_deg) / math.hypot(self._half_yaw_deg * widening, excess_deg),
            (direction.pitch_deg - self.pitch_deg) / math.hypot(self._half_pitch_deg * widening, excess_deg),
        )

    def leaves(self, direction: Direction) -> bool:
        """Whether a direction lies off the road."""
        return math.hypot(*self.offset(direction)) > 1.0

    def doubts(self, direction: Direction) -> bool:
        """Whether a direction off the road may be the road, for all that is known in the first minute.

        Cameras mostly face a driver who looks ahead, and the first seconds may have been spent on a phone.
        """
        return (
            self.learned_s < self._config.learn_s
            and math.hypot(direction.yaw_deg / self._half_yaw_deg, direction.pitch_deg / self._half_pitch_deg)
            <= 1.0
        )

    def learn(self, elapsed_s: float, direction: Direction) -> None:
        """Count a direction seen for `elapsed_s`."""
        if self.usable and self.leaves(direction):
            self._weigh(elapsed_s, direction)
            return
        if self._against_s:
            self._against_s = max(0.0, self._against_s - elapsed_s / self._config.off_road_weight)
        key = (round(direction.yaw_deg / _CELL_DEG), round(direction.pitch_deg / _CELL_DEG))
        cell = self._cell(key)
        cell[0] += elapsed_s
        cell[1] += elapsed_s * direction.yaw_deg
        cell[2] += elapsed_s * direction.pitch_deg
        self.learned_s += elapsed_s
        self._total_s += elapsed_s
        if self._total_s > self._config.memory_s:
            self._fade()
        self._settle(key)

    def _weigh(self, elapsed_s: float, direction: Direction) -> None:
        """Count time outside the ellipse against the direction learned, and drop it if that is enough."""
        at = (
            self._smooth_yaw.update(elapsed_s, direction.yaw_deg),
            self._smooth_pitch.update(elapsed_s, direction.pitch_deg),
        )
        if self._stay_at is None or self._apart(at, self._stay_at) > self._stay_share:
            self._stay_at, self._stay_s = at, 0.0
        self._stay_s += elapsed_s
        if self._stay_s <= _STARE_S or self.doubts(direction):
            self._against_s += elapsed_s
        if self._against_s > max(_OVERTURN_S, self._config.off_road_weight * self._total_s):
            self._usable_after_s, self._dropped = _RELEARN_S, True
            self._begin()

    def _apart(self, one: tuple[float, float], other: tuple[float, float]) -> float:
        return math.hypot(
            (one[0] - other[0]) / self._half_yaw_deg, (one[1] - other[1]) / self._half_pitch_deg
        )

    def _cell(self, key: _Key) -> _Cell:
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = [0.0, 0.0, 0.0]
            self._blocks.clear()
        return cell

    def _settle(self, key: _Key) -> None:
        """Move the peak to the cell just counted if its neighbourhood is now the densest."""
        best = self._around(self._peak)
        if key != self._peak:
            around = self._around(key)
            if around[0] > best[0]:
                self._peak, best = key, around
        if best[0] == 0.0:
            return
        self.yaw_deg = _clamped(best[1] / best[0], self._road.forward_yaw_limit_deg)
        self.pitch_deg = _clamped(best[2] / best[0], self._road.forward_pitch_limit_deg)

    def _around(self, key: _Key) -> tuple[float, float, float]:
        block = self._blocks.get(key)
        if block is None:
            block = self._blocks[key] = [self._cells[near] for near in _near(key) if near in self._cells]
        seconds = yaw = pitch = 0.0
        for cell in block:
            seconds += cell[0]
            yaw += cell[1]
            pitch += cell[2]
        return seconds, yaw, pitch

    def _fade(self) -> None:
        self._total_s /= 2
        for cell in self._cells.values():
            cell[:] = [value / 2 for value in cell]


def excess(sigma_deg: float, road: RoadConfig) -> float:
    """How far, in degrees, the error of a direction goes beyond the usual one; added to limits in squares."""
    usual_deg = road.sigma_usual_deg
    return math.sqrt(sigma_deg**2 - usual_deg**2) if sigma_deg > usual_deg else 0.0


def _clamped(value: float, limit: float) -> float:
    return min(limit, max(-limit, value))


class Forward:
    """The forward direction of this driver, of his head and of his gaze, learned while he drives ahead."""

    def __init__(self, config: AssessConfig) -> None:
        """Start knowing nothing."""
        baseline, road = config.baseline, config.road
        self._learn_s = baseline.learn_s
        self.head = Neutral(road.head_yaw_deg, road.head_pitch_deg, road, baseline, _HEAD_STAY_SHARE)
        self.gaze = Neutral(road.gaze_yaw_deg, road.gaze_pitch_deg, road, baseline)

    @property
    def in_doubt(self) -> bool:
        """Whether one of them was found wrong and is not yet known anew."""
        return self.head.overturned or self.gaze.overturned

    @property
    def learned_share(self) -> float:
        """How much of it is learned, 0 to 1."""
        return min(1.0, self.head.learned_s / self._learn_s)

    def values(self) -> dict[str, float]:
        """The directions learned, degrees as seen in the image."""
        return {
            "head_yaw_deg": self.head.yaw_deg,
            "head_pitch_deg": self.head.pitch_deg,
            "gaze_yaw_deg": self.gaze.yaw_deg,
            "gaze_pitch_deg": self.gaze.pitch_deg,
        }

    def learn(
        self, tick: Tick, reading: Reading, closed: bool | None, driving: Driving, vehicle: Vehicle
    ) -> None:
        """Learn from one observation of a driver whose eyes are `closed`, or not, or unknown."""
        if not tick.joined or driving.moving is False or _turning(vehicle):
            return
        if closed is not True and reading.head is not None:
            self.head.learn(tick.elapsed_s, reading.head)
        if closed is False and reading.gaze is not None:
            self.gaze.learn(tick.elapsed_s, reading.gaze)


def _turning(vehicle: Vehicle) -> bool:
    """Whether the driver is known to be about to leave his lane or in a tight bend."""
    steering_deg = vehicle.steering_deg
    return vehicle.turn in (Turn.LEFT, Turn.RIGHT) or (
        steering_deg is not None and abs(steering_deg) > _STRAIGHT_DEG
    )
