"""Whether the driver looks at the road, where else, for how long, and what his hands do.

Off the road is whoever turns the head out of its ellipse around the forward direction, or the gaze out of
its own. Gaze counts while it can be trusted (an eye seen and open, its error small, its forward direction
learned); else the head judges alone. Closed eyes are neither on nor off the road; a blink does not interrupt
a look away. Eyes that cannot be read any more in the middle of a look away leave it open whether it has
ended, until they are seen on the road, or the head has turned away and back.
"""

from __future__ import annotations

import math

from dms.assess.activity import Hands
from dms.assess.attend import AttenD
from dms.assess.baseline import Baseline
from dms.assess.forward import Neutral, excess
from dms.assess.glances import BlinkBridge, Course, Glance, Look, LookTimer, Smoothed, Vats
from dms.assess.reading import Reading
from dms.assess.signals import UNKNOWN
from dms.assess.temporal import Tick, Timer
from dms.assess.zones import View, WheelSide, Zones, as_the_driver_sees
from dms.config.assess import AssessConfig, RoadConfig
from dms.config.cabin import MIRRORS, ROAD, WINDOWS
from dms.records import Direction, Signal

AREA3_PITCH_DEG = -30.0
"""Area 3 lies below a plane this far down, (EU) 2023/2590 Annex I."""
AREA3_YAW_DEG = 55.0
"""Area 3 lies between two planes this far to each side, (EU) 2023/2590 Annex I."""
ENGAGED_AFTER_S = 0.2
"""A driver is engaged again after this long on a driving-task area (UN R171 5.5.4.2.5.2.1)."""
TASK_ZONES = MIRRORS | WINDOWS
"""Areas of the driving task beside the road ahead (UN R171); the dashboard is none of them."""
EYES_IN_HEAD_DEG = 15.0
"""The eyes turn by about this without the head: so far the head alone may miss what is looked at [E]."""
HEAD_ALONE = 0.5
"""Confidence in where the driver looks where only the head tells [E]."""
UNLEARNED = 0.5
"""Confidence while the forward direction is not yet usable [E]."""
SHORT_GLANCE_S = (0.2, 2.0)
"""Such glances tell on which side the inner mirror is (mirror glances: 0.75 to 1.1 s, Taoka 1990)."""

_WORST_FIRST = (Look.AWAY, Look.UNDECIDED, Look.ROAD)


class Area3:
    """The distraction area of (EU) 2023/2590, against a learned forward direction."""

    def __init__(self, neutral: Neutral, road: RoadConfig) -> None:
        """Take the forward direction, which is read, not written."""
        self._neutral = neutral
        self._road = road

    def leaves(self, direction: Direction) -> bool:
        """Whether a direction lies in the area; an unsure one must lie deeper in it."""
        down_deg = direction.pitch_deg - self._neutral.pitch_deg + excess(direction.sigma_deg, self._road)
        aside_deg = abs(direction.yaw_deg - self._neutral.yaw_deg)
        return down_deg < AREA3_PITCH_DEG and aside_deg <= AREA3_YAW_DEG


class Attention:
    """Folds readings into the signals of gaze, head and hands."""

    def __init__(self, config: AssessConfig, baseline: Baseline, zones: Zones, wheel: WheelSide) -> None:
        """Take the limits, the cabin, and the driver's baseline, which is read, not written."""
        road, availability = config.road, config.availability
        unknown_after_s, forget_after_s = availability.no_face_after_s, availability.forget_after_s
        self._road = road
        self._blink_max_s = config.eyes.blink_max_s
        self._forward = baseline.forward
        self._zones = zones
        self._wheel = wheel
        self._smooth_head = Smoothed(road.smoothing_s)
        self._smooth_gaze = Smoothed(road.smoothing_s)
        self._area3_head = Area3(self._forward.head, road)
        self._area3_gaze = Area3(self._forward.gaze, road)
        self._fixation = Smoothed(road.smoothing_s)
        self._view: View | None = None
        self._gaze_left = False  # whether the gaze was seen to leave the road, and nothing yet to come back
        self._closed_since_s: float | None = None
        self._blinks = BlinkBridge(config.eyes.blink_max_s)
        self._blinks_below = BlinkBridge(config.eyes.blink_max_s)
        self._course = Course()
        self._glance = Glance(road, unknown_after_s, forget_after_s)
        self._vats = Vats(road)
        self._attend = AttenD()
        self._area3 = LookTimer(Timer(road.gap_tolerance_s, unknown_after_s, forget_after_s))
        self._off_task = LookTimer(Timer(ENGAGED_AFTER_S, unknown_after_s, forget_after_s))
        self._hands = Hands(config.activity, availability)
        self.gaze_source: str | None = None
        self.zone: str | None = None
        self.confidence = 0.0
        self.in_doubt = False
        """Whether it is not known any more, or not yet, which of two directions is the road."""
        self._errors: dict[str, float | None] = {}

    def update(self, tick: Tick, reading: Reading, closed: bool | None, moving: bool | None) -> None:
        """Take one reading of a driver whose eyes are `closed`, or not, or unknown."""
        head, gaze = self._trusted(reading, closed)
        smooth_head = self._smooth_head.update(tick.elapsed_s, head)
        smooth_gaze = self._smooth_gaze.update(tick.elapsed_s, gaze)
        to_head, to_gaze = self._forward.head, self._forward.gaze
        by_head = _look(to_head, head, smooth_head, doubted=head is not None and to_head.doubts(head))
        by_gaze = _look(to_gaze, gaze, smooth_gaze, doubted=gaze is not None and to_gaze.doubts(gaze))
        self.gaze_source = "gaze" if by_gaze is not None else None if by_head is None else "head"
        self._note_doubt(head, gaze, by_head, by_gaze)
        look = self._assured(_worst(by_head, by_gaze), gaze)
        self.confidence = self._confidence(closed, head, gaze)
        self._errors = {
            "head_deg": head.sigma_deg if head else None,
            "gaze_deg": gaze.sigma_deg if gaze else None,
        }
        self._place(tick, look, head, gaze)
        self._time(tick, self._blinks.bridge(tick.now_s, look, closed), moving)
        engaged = self._of_task(by_head if by_gaze is None else by_gaze)
        self._off_task.update(tick, self._asleep_or(tick, self._assured(engaged, gaze), closed))
        if gaze is not None:
            below = _look(self._area3_gaze, gaze, smooth_gaze)
        else:
            below = _look(self._area3_head, head, smooth_head)
        below = self._assured(below, gaze)
        self._area3.update(tick, self._blinks_below.bridge(tick.now_s, below, closed))
        self._hands.update(tick, reading.phone, reading.eating, reading.smoking)

    def signals(self) -> dict[str, Signal]:
        """All signals of these questions."""
        known = self._glance.known
        return {
            **self._glance.signals(),
            "off_road_30s": self._vats.signal() if known else UNKNOWN,
            "attend_buffer_s": Signal(self._attend.buffer_s) if known else UNKNOWN,
            "off_task_s": self._off_task.timer.signal(),
            "area3_s": self._area3.timer.signal(),
            **self._hands.signals(),
        }

    def uncertainty(self) -> dict[str, float | None]:
        """One-sigma errors of what was judged by, degrees; None where it was not."""
        return self._errors

    def _trusted(self, reading: Reading, closed: bool | None) -> tuple[Direction | None, Direction | None]:
        """Head and gaze as far as they can be judged by."""
        if closed:
            return None, None
        return reading.head, reading.gaze if closed is False and self._forward.gaze.usable else None

    def _note_doubt(
        self, head: Direction | None, gaze: Direction | None, by_head: Look | None, by_gaze: Look | None
    ) -> None:
        """Note what keeps a look at the road from being believed."""
        if by_gaze is Look.AWAY or (gaze is None and by_head is Look.AWAY):
            self._gaze_left = gaze is not None
        elif by_gaze is Look.ROAD:
            self._gaze_left = False
        seen, by_seen = (head, by_head) if gaze is None else (gaze, by_gaze)
        self.in_doubt = self._forward.in_doubt or (seen is not None and by_seen is None)

    def _assured(self, look: Look | None, gaze: Direction | None) -> Look | None:
        """The look, but unknown for one at the road in doubt: the head cannot end what the gaze began."""
        if look is Look.ROAD and (self.in_doubt or (gaze is None and self._gaze_left)):
            return None
        return look

    def _asleep_or(self, tick: Tick, look: Look | None, closed: bool | None) -> Look | None:
        """The look, or off the task, from their closing on, for eyes closed longer than for a blink."""
        if not closed:
            self._closed_since_s = None
            return look
        if self._closed_since_s is None:
            self._closed_since_s = tick.now_s
        blinking = tick.now_s - self._closed_since_s <= self._blink_max_s
        return Look.UNDECIDED if blinking else Look.AWAY

    def _place(self, tick: Tick, look: Look | None, head: Direction | None, gaze: Direction | None) -> None:
        """Name the zone; while it is undecided whether the driver looks away, the last one stands."""
        if look is None or look is Look.ROAD:
            self.zone = None if look is None else ROAD
            self._fixation.restart()
            return
        if gaze is not None:
            neutral, spread_deg = self._forward.gaze, 0.0
        else:
            neutral, spread_deg = self._forward.head, EYES_IN_HEAD_DEG
        fixed = self._fixation.update(tick.elapsed_s, head if gaze is None else gaze)
        if look is Look.AWAY and fixed is not None:
            seen = as_the_driver_sees(fixed, neutral)
            view = View(seen.yaw_deg, seen.pitch_deg, math.hypot(seen.sigma_deg, spread_deg))
            self._view = view if gaze is not None else None
            self.zone = self._zones.name(view, self._wheel.side) if neutral.usable else None

    def _time(self, tick: Tick, look: Look | None, moving: bool | None) -> None:
        settled = self._course.update(tick, look, self.zone)
        self._glance.update(tick, look, settled)
        self._vats.update(tick, settled)
        self._attend.update(settled)
        if self._glance.ended_s is not None:
            self._learn_side(self._glance.ended_s, moving)

    def _learn_side(self, glance_s: float, moving: bool | None) -> None:
        """Let a short glance tell on which side the wheel is."""
        view, self._view = self._view, None
        if view is not None and moving is not False and SHORT_GLANCE_S[0] <= glance_s <= SHORT_GLANCE_S[1]:
            self._wheel.note(view)

    def _of_task(self, look: Look | None) -> Look | None:
        return Look.ROAD if look is Look.AWAY and self.zone in TASK_ZONES else look

    def _confidence(self, closed: bool | None, head: Direction | None, gaze: Direction | None) -> float:
        """Source (gaze 1, head 0.5, none 0) x usual over present error x 0.5 while not learned.

        Closed eyes are seen, and well: 1.
        """
        if closed:
            return 1.0
        direction, neutral = (gaze, self._forward.gaze) if gaze else (head, self._forward.head)
        if direction is None:
            return 0.0
        sure = min(1.0, self._road.sigma_usual_deg / max(direction.sigma_deg, 1e-6))
        return sure * (1.0 if gaze else HEAD_ALONE) * (1.0 if neutral.usable else UNLEARNED)


def _look(
    region: Neutral | Area3, sample: Direction | None, smooth: Direction | None, *, doubted: bool = False
) -> Look | None:
    """Where a direction points: away once sample and filtered sample have left the road; None if unknown.

    `doubted` tells that what is off the road may be the road after all.
    """
    if sample is None or smooth is None:
        return None
    if not region.leaves(sample):
        return Look.ROAD
    if doubted:
        return None
    return Look.AWAY if region.leaves(smooth) else Look.UNDECIDED


def _worst(one: Look | None, other: Look | None) -> Look | None:
    for look in _WORST_FIRST:
        if one is look or other is look:
            return look
    return None
