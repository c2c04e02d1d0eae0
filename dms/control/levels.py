"""The ladder: what each level of the controller gives up, and what none of them may.

No level touches a threshold or a time of the judgement. `eyes` (lids, gaze, head pose) runs on every frame
that is judged, and at least 15 are judged a second, so that closures and looks away are timed within
`TIMING_S` at every level; `fatigue`, the second witness of closed lids, is never switched off.
"""

from __future__ import annotations

from dataclasses import dataclass

TIMING_S = 0.3
"""Closures and long distractions are told at most this much later than at level 0."""


@dataclass(frozen=True, slots=True)
class Level:
    """One step of the ladder.

    `slower` stretches the periods of the stages that do not run on every frame, up to their maximum age.
    `max_fps` is the most frames judged a second, None all. `cheapest` asks for the cheapest engines that
    passed the accuracy gate. `off` are stages that do not run at all; what they would see is unknown.
    """

    number: int
    title: str
    slower: float = 1.0
    cheapest: bool = False
    max_fps: float | None = None
    off: frozenset[str] = frozenset()


LEVELS = (
    Level(0, "all that is configured"),
    Level(1, "half the rates of detector, fatigue and distraction", slower=2.0),
    Level(2, "the cheapest engines that passed the gate", slower=2.0, cheapest=True),
    Level(3, "20 frames a second", slower=2.0, cheapest=True, max_fps=20.0),
    Level(
        4,
        "lids, gaze and head at 15 frames a second; phones are not seen",
        slower=2.0,
        cheapest=True,
        max_fps=15.0,
        off=frozenset({"distraction"}),
    ),
)
"""From the architecture's ladder, in rates of time instead of counts of frames."""
TOP = LEVELS[-1].number
