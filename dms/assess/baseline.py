"""What is normal for this driver: how far the eyes open, and where head and gaze point when on the road."""

from __future__ import annotations

import math

from dms.assess.reading import Reading
from dms.assess.temporal import Tick
from dms.config.assess import AssessConfig, BaselineConfig
from dms.records import Direction, Eye

_CELL_DEG = 8.0
"""Cell of the direction map: about the error of an in-car gaze (6 to 10 degrees)."""
_LEVEL_BAND = 0.05
"""Beyond this distance every openness pulls the level equally: a median with a soft middle."""
_LEVEL_RATE_LEAST = 0.01
"""Slowest follow-up of the open level, per second: a rise of 0.3 takes half a minute."""


class OpenLevel:
    """Openness of one open eye of this driver: its running median, which blinks do not move.

    The update is one-sided once learned: the level rises freely but falls to `fall_to_share` of what was
    learned at most, because sleepy drivers stop opening their eyes fully and must not become the new normal.
    """

    def __init__(self, config: BaselineConfig) -> None:
        """Start from the population's level."""
        self._config = config
        self._learned_level: float | None = None
        self.level = config.open_prior
        self.learned_s = 0.0

    @property
    def usable(self) -> bool:
        """Whether enough was seen to judge by it."""
        return self.learned_s >= self._config.usable_after_s

    def relative(self, openness: float) -> float:
        """Openness between closed (0) and this driver's open eye (1), clipped."""
        closed = self._config.closed_level
        return min(1.0, max(0.0, (openness - closed) / (self.level - closed)))

    def learn(self, elapsed_s: float, openness: float) -> None:
        """Move the level towards an openness seen for `elapsed_s`."""
        rate = max(_LEVEL_RATE_LEAST, 0.6 / (2.0 + self.learned_s))  # fast at first: 0.3 a second, then 1/t
        pull = min(1.0, max(-1.0, (openness - self.level) / _LEVEL_BAND))
        least = self._config.open_least
        if self._learned_level is not None:
            least = max(least, self._config.fall_to_share * self._learned_level)
        self.level = max(least, min(1.0, self.level + rate * elapsed_s * pull))
        self.learned_s += elapsed_s
        if self._learned_level is None and self.learned_s >= self._config.learn_s:
            self._learned_level = self.level


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
    road was seen; a wrong start still heals.
    """

    def __init__(self, half_yaw_deg: float, half_pitch_deg: float, config: BaselineConfig) -> None:
        """Take the half axes of the road ellipse around the neutral direction."""
        self._half_yaw_deg = half_yaw_deg
        self._half_pitch_deg = half_pitch_deg
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
        """Where a direction lies in units of the road ellipse: within length 1 is on the road."""
        widening = 1.0 if self.usable else self._config.uncalibrated_widening
        return (
            (direction.yaw_deg - self.yaw_deg) / (self._half_yaw_deg * widening),
            (direction.pitch_deg - self.pitch_deg) / (self._half_pitch_deg * widening),
        )

    def learn(self, elapsed_s: float, direction: Direction) -> None:
        """Count a direction seen for `elapsed_s`."""
        outside = self.usable and math.hypot(*self.offset(direction)) > 1.0
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
        self.yaw_deg, self.pitch_deg = best[1] / best[0], best[2] / best[0]

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


class Baseline:
    """This driver: one open level an eye, one neutral direction each for head and gaze."""

    def __init__(self, config: AssessConfig) -> None:
        """Start knowing nothing."""
        self._config = config
        baseline, road = config.baseline, config.road
        self.right = OpenLevel(baseline)
        self.left = OpenLevel(baseline)
        self.head = Neutral(road.head_yaw_deg, road.head_pitch_deg, baseline)
        self.gaze = Neutral(road.gaze_yaw_deg, road.gaze_pitch_deg, baseline)

    @property
    def eyes_usable(self) -> bool:
        """Whether the open level of at least one eye is usable."""
        return self.right.usable or self.left.usable

    @property
    def learned_share(self) -> float:
        """How much is learned, 0 to 1: the mean of eyes and head."""
        learn_s = self._config.baseline.learn_s
        eyes_s = max(self.right.learned_s, self.left.learned_s)
        return (min(1.0, eyes_s / learn_s) + min(1.0, self.head.learned_s / learn_s)) / 2

    def head_is_down(self, reading: Reading) -> bool:
        """Whether the head hangs so low that lowered lids may just look down."""
        head = reading.head
        return head is not None and head.pitch_deg - self.head.pitch_deg < -self._config.eyes.down_deg

    def learn(self, tick: Tick, reading: Reading, closed: bool | None) -> None:
        """Learn from one observation of a driver whose eyes are `closed`, or not, or unknown."""
        if not tick.joined:
            return
        if not self.head_is_down(reading):
            _learn_eye(self.right, tick.elapsed_s, reading.right)
            _learn_eye(self.left, tick.elapsed_s, reading.left)
        if closed is not True and reading.head is not None:
            self.head.learn(tick.elapsed_s, reading.head)
        if closed is False and reading.gaze is not None:
            self.gaze.learn(tick.elapsed_s, reading.gaze)


def _learn_eye(level: OpenLevel, elapsed_s: float, eye: Eye | None) -> None:
    # closed eyes are learned from too: the median does not mind blinks, and leaving them out by the level
    # itself would lock a wrong level in
    if eye is not None:
        level.learn(elapsed_s, eye.openness)
