"""What is normal for this driver: how far the eyes open, and where head and gaze point when on the road."""

from __future__ import annotations

from collections.abc import Mapping

from dms.assess.driving import Driving
from dms.assess.forward import Forward
from dms.assess.reading import Reading
from dms.assess.temporal import Hysteresis, LowPass, Tick
from dms.config.assess import AssessConfig, BaselineConfig
from dms.records import Eye

_LEVEL_BAND = 0.05
"""Beyond this distance every openness pulls the level equally: a median with a soft middle."""
_LEVEL_RATE_LEAST = 0.01
"""Slowest follow-up of the open level, per second: a rise of 0.3 takes half a minute."""
_CALLED_CLOSED = 0.5
_CLOSED_WEIGHT = 0.1
"""Above that probability of closure, by the fatigue engine, an eye tells little of its open level: a second
counts a tenth. Not nothing, or eyes so narrow that they always pass for closed would never be known."""
_SET_NAMES = {None: "any", False: "bare", True: "glasses"}
"""What the sets of levels are called where they are kept: glasses unknown, none, some."""


class OpenLevel:
    """Openness of one open eye of this driver: its running median, which blinks do not move.

    The update is one-sided once learned: the level rises freely but falls to `fall_to_share` of what was
    learned at most, because sleepy drivers stop opening their eyes fully and must not become the new normal
    (Friedrichs & Yang 2010 take the baseline from the drive's beginning too).
    """

    def __init__(self, config: BaselineConfig, like: OpenLevel | None = None) -> None:
        """Start from the population's level, or from that of the same eye without (or with) glasses."""
        self._config = config
        self._least = config.open_least
        self._learned_level: float | None = None
        self._expected: float | None = None
        self.level = config.open_prior
        self.learned_s = 0.0
        if like is not None:
            self.level = like.level
            self._least = max(self._least, config.other_set_share * (like.learned_level or 0.0))

    @property
    def usable(self) -> bool:
        """Whether enough was seen to judge by it."""
        return self.learned_s >= self._config.usable_after_s

    @property
    def learned_level(self) -> float | None:
        """The level the driver is held to once it is fully learned; it rises with him."""
        return None if self._learned_level is None else max(self._learned_level, self.level)

    def relative(self, openness: float) -> float:
        """Openness between closed (0) and this driver's open eye (1), clipped."""
        return min(1.0, max(0.0, (openness - self._config.closed_level) * self.gain))

    @property
    def gain(self) -> float:
        """Relative openness per openness."""
        return 1 / (self.level - self._config.closed_level)

    def expect(self, level: float | None) -> None:
        """Note what an earlier drive found. It counts for nothing until this one has confirmed it."""
        self._expected = level

    def learn(self, elapsed_s: float, openness: float) -> None:
        """Move the level towards an openness seen for `elapsed_s`."""
        rate = max(_LEVEL_RATE_LEAST, 0.6 / (2.0 + self.learned_s))  # fast at first: 0.3 a second, then 1/t
        pull = min(1.0, max(-1.0, (openness - self.level) / _LEVEL_BAND))
        least = self._least
        if self._learned_level is not None:
            least = max(least, self._config.fall_to_share * self._learned_level)
        self.level = max(least, min(1.0, self.level + rate * elapsed_s * pull))
        self.learned_s += elapsed_s
        if self._expected is not None and self.learned_s >= self._config.confirm_s:
            self._compare(self._expected)
        if self._learned_level is None and self.learned_s >= self._config.learn_s:
            self._learned_level = self.level

    def _compare(self, expected: float) -> None:
        """Take over what was expected where this drive agrees, else forget it: another driver, or droopy."""
        self._expected = None
        if abs(self.level - expected) <= self._config.confirm_within * expected:
            self.level = self._learned_level = max(self.level, expected)
            self.learned_s = max(self.learned_s, self._config.learn_s)


class Levels:
    """The open levels of both eyes, as they look with or without glasses."""

    def __init__(self, config: BaselineConfig, like: Levels | None = None) -> None:
        """Start anew, or from the levels of the same eyes without (or with) glasses."""
        right, left = (like.right, like.left) if like else (None, None)
        self.right: OpenLevel = OpenLevel(config, right)
        self.left: OpenLevel = OpenLevel(config, left)

    @property
    def learned_s(self) -> float:
        """Seconds that the better known eye was learned for."""
        return max(self.right.learned_s, self.left.learned_s)

    def expect(self, stored: Mapping[str, float], name: str) -> None:
        """Note what an earlier drive found for the set of this name."""
        self.right.expect(stored.get(f"open_right_{name}"))
        self.left.expect(stored.get(f"open_left_{name}"))

    def figures(self, name: str) -> dict[str, float]:
        """What is fully learned, by the names that `expect` takes."""
        found = {f"open_right_{name}": self.right.learned_level, f"open_left_{name}": self.left.learned_level}
        return {key: level for key, level in found.items() if level is not None}


class Glasses:
    """Whether the driver wears glasses: None until there was strong evidence of either."""

    def __init__(self, config: BaselineConfig) -> None:
        """Take the limits."""
        self._smooth = LowPass(config.glasses_smoothing_s)
        self._switch = Hysteresis(config.glasses_above, config.glasses_below)
        self._below = config.glasses_below
        self._first_after_s = config.glasses_smoothing_s
        self._seen_s = 0.0
        self.worn: bool | None = None

    def update(self, elapsed_s: float, probability: float | None) -> None:
        """Take the probability of glasses, None if it was not measured."""
        if probability is None:
            self._smooth.skip(elapsed_s)
            return
        value = self._smooth.update(elapsed_s, probability)
        self._seen_s += elapsed_s
        if self._seen_s < self._first_after_s:
            return
        worn = self._switch.update(value)
        if self.worn is not None or worn or value < self._below:
            self.worn = worn


class Baseline:
    """This driver: the open levels of his eyes with and without glasses, and his forward direction.

    What an earlier drive in this seat found (`stored`, from `figures`) is taken over only where the first
    seconds of this one confirm it.
    """

    def __init__(self, config: AssessConfig, stored: Mapping[str, float] | None = None) -> None:
        """Start knowing nothing of the present driver."""
        self._config = config
        self._stored = dict(stored or {})
        self._glasses = Glasses(config.baseline)
        self._sets: dict[bool | None, Levels] = {}
        self._levels = self._set_of(None)
        self.forget_forward()

    def forget_forward(self) -> None:
        """The camera looks elsewhere: learn the directions anew."""
        self.forward = Forward(self._config)

    @property
    def right(self) -> OpenLevel:
        """The level of the right eye as it looks now."""
        return self._levels.right

    @property
    def left(self) -> OpenLevel:
        """The level of the left eye as it looks now."""
        return self._levels.left

    @property
    def eyes_usable(self) -> bool:
        """Whether the open level of at least one eye is usable."""
        return self.right.usable or self.left.usable

    @property
    def eyes_share(self) -> float:
        """How much of the open levels now in use is learned, 0 to 1."""
        return min(1.0, self._levels.learned_s / self._config.baseline.learn_s)

    @property
    def learned_share(self) -> float:
        """How much is learned, 0 to 1: the mean of eyes and forward direction."""
        return (self.eyes_share + self.forward.learned_share) / 2

    def values(self) -> dict[str, float | None]:
        """What the driver's eyes are measured against, for the explanation of an alert."""
        worn = self._glasses.worn
        return {
            "open_right": self.right.level,
            "open_left": self.left.level,
            "glasses": None if worn is None else float(worn),
        }

    def figures(self) -> dict[str, float]:
        """All that is fully learned of the eyes, by name: nothing that tells who the driver is."""
        found: dict[str, float] = {}
        for worn, levels in self._sets.items():
            found.update(levels.figures(_SET_NAMES[worn]))
        return found

    def head_is_down(self, reading: Reading) -> bool:
        """Whether the head hangs so low that lowered lids may just look down."""
        head = reading.head
        return head is not None and head.pitch_deg - self.forward.head.pitch_deg < -self._config.eyes.down_deg

    def learn(self, tick: Tick, reading: Reading, driving: Driving) -> None:
        """Learn from one observation; a standing driver looks anywhere, so he is not learned from."""
        self._glasses.update(tick.elapsed_s, reading.glasses)
        self._use(self._glasses.worn)
        if not tick.joined or driving.moving is False or not self._faces_the_road(reading):
            return
        _learn_eye(self.right, tick.elapsed_s, reading.right, reading.closed_right)
        _learn_eye(self.left, tick.elapsed_s, reading.left, reading.closed_left)

    def _faces_the_road(self, reading: Reading) -> bool:
        """Whether the lids look as they do on the road: how open they seem changes with the head's pose."""
        if reading.head is None or self.head_is_down(reading):
            return False
        ahead = self.forward.head
        yaw, pitch = ahead.offset(reading.head)
        return not ahead.usable or yaw * yaw + pitch * pitch <= 1.0

    def _use(self, worn: bool | None) -> None:
        if worn in self._sets:
            self._levels = self._sets[worn]
            return
        if (
            None in self._sets
        ):  # what was learned before it was known whether he wears glasses was of these eyes
            self._sets[worn] = self._sets.pop(None)
            self._sets[worn].expect(self._stored, _SET_NAMES[worn])
        self._levels = self._set_of(worn)

    def _set_of(self, worn: bool | None) -> Levels:
        if worn not in self._sets:
            like = self._sets.get(not worn) if worn is not None else None
            self._sets[worn] = Levels(self._config.baseline, like)
            self._sets[worn].expect(self._stored, _SET_NAMES[worn])
        return self._sets[worn]


def _learn_eye(level: OpenLevel, elapsed_s: float, eye: Eye | None, closed: float | None) -> None:
    # what is closed is told by the other engine: by the level itself a wrong level would lock itself in
    if eye is not None:
        weight = _CLOSED_WEIGHT if closed is not None and closed > _CALLED_CLOSED else 1.0
        level.learn(weight * elapsed_s, eye.openness)
