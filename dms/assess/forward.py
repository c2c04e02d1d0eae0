"""Where head and gaze point when this driver watches the road: learned, because no two cameras sit alike.

Learned while the vehicle goes ahead, or may: not at a standstill, in reverse, with the turn signal on or the
wheel turned far, when drivers look elsewhere. Frames that are lost only add nothing.
"""

from __future__ import annotations

import math

from dms.assess.driving import Driving
from dms.assess.reading import Reading
from dms.assess.temporal import Tick
from dms.config.assess import AssessConfig, BaselineConfig, RoadConfig
from dms.records import Direction, Turn, Vehicle

_CELL_DEG = 8.0
"""Cell of the direction map: about the error of an in-car gaze (6 to 10 degrees)."""
_STRAIGHT_DEG = 30.0
"""With the wheel turned further the driver looks into the bend (openpilot widens its limits from there)."""

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

    The densest spot rather than a mean: mirrors and glances aside do not move it. Time outside the road
    ellipse counts less (`off_road_weight`), so that a look away would have to last five times as long as the
    road was seen; a wrong start still heals. It stays within the limits in which a camera may sit.
    """

    def __init__(
        self, half_yaw_deg: float, half_pitch_deg: float, road: RoadConfig, config: BaselineConfig
    ) -> None:
        """Take the half axes of the road ellipse around the neutral direction."""
        self._half_yaw_deg = half_yaw_deg
        self._half_pitch_deg = half_pitch_deg
        self._road = road
        self._config = config
        self._cells: dict[_Key, _Cell] = {}
        self._blocks: dict[_Key, list[_Cell]] = {}  # the cells around a key, gathered once
        self._total_s = 0.0
        self._peak = (0, 0)
        self.yaw_deg = 0.0
        self.pitch_deg = 0.0
        self.learned_s = 0.0

    @property
    def usable(self) -> bool:
        """Whether enough was seen to judge by it."""
        return self.learned_s >= self._config.usable_after_s

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

    def learn(self, elapsed_s: float, direction: Direction) -> None:
        """Count a direction seen for `elapsed_s`."""
        outside = self.usable and self.leaves(direction)
        weight_s = elapsed_s * (self._config.off_road_weight if outside else 1.0)
        key = (round(direction.yaw_deg / _CELL_DEG), round(direction.pitch_deg / _CELL_DEG))
        cell = self._cell(key)
        cell[0] += weight_s
        cell[1] += weight_s * direction.yaw_deg
        cell[2] += weight_s * direction.pitch_deg
        self.learned_s += elapsed_s
        self._total_s += weight_s
        if self._total_s > self._config.memory_s:
            self._fade()
        self._settle(key)

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
        self.head = Neutral(road.head_yaw_deg, road.head_pitch_deg, road, baseline)
        self.gaze = Neutral(road.gaze_yaw_deg, road.gaze_pitch_deg, road, baseline)

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
