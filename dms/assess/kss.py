"""An estimated band on the Karolinska Sleepiness Scale, with its confidence: never one number.

(EU) 2021/1341 asks for a warning at a level equal to KSS 8, Euro NCAP above 7. No camera measures KSS: over
90 h of road PERCLOS correlates with it by 0.27 to 0.40, by 0.74 in the best single driver (Friedrichs & Yang
2010). So each cue is mapped to the scale by a table of its own, rising throughout, and the band lies between
the mean of the cues and the outermost of them, widened where data lack. Every end rises with every cue.

PERCLOS (0: 3, 0.04: 5, 0.08: 6.5, 0.12: 7.5, 0.15: 8, 0.30: 9): below 0.075 awake, above 0.15 drowsy
(Wierwille 1994); advisory at 0.08, warning at 0.12 (DOT HS 811 117).

Mean closure over the driver's own (1: 3, 1.25: 6, 1.5: 7, 2: 8, 3: 9): half amplitudes rise from 102 to 151
ms between KSS 1 and 9 (Ingre 2006); the camera's closures grow more, the points beyond 1.5 are an
engineering choice.

Share of closures above 0.5 s (0: 3, 0.05: 6, 0.1: 7, 0.25: 8, 0.5: 9): drowsy blinks last that long (Johns
2003), the shares are an engineering choice.

Yawns (three in ten minutes) and nods (two) raise the lower end by half a step each, at most to the cues'
mean and never alone: while the cues say "awake" (below 6) they count for nothing. Below KSS 5 no camera
tells levels apart, so an awake driver's band begins at 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dms.assess.signals import UNKNOWN
from dms.records import Signal

_Table = tuple[tuple[float, float], ...]
_PERCLOS: _Table = ((0.0, 3.0), (0.04, 5.0), (0.08, 6.5), (0.12, 7.5), (0.15, 8.0), (0.30, 9.0))
_CLOSURE: _Table = ((1.0, 3.0), (1.25, 6.0), (1.5, 7.0), (2.0, 8.0), (3.0, 9.0))
_LONG_SHARE: _Table = ((0.0, 3.0), (0.05, 6.0), (0.1, 7.0), (0.25, 8.0), (0.5, 9.0))
_WIDTH = 0.5
"""Half a step to each side at best."""
_WIDTH_MISSING = 0.5
"""And as much again for each of the four cues that is unknown."""
_TOLD_APART_FROM = 5.0
_CORROBORATED_FROM = 6.0
_YAWNS, _NODS = 3.0, 2.0
_CONFIDENCE_MOST = 0.6
"""The best correlation over a drive lies about here: nobody should trust the band more."""
_COARSE_SHARE = 0.5
"""What is left of the confidence below 10 frames a second."""


@dataclass(frozen=True, slots=True)
class Cues:
    """What is known of the driver's drowsiness; None is unknown.

    `closure_ratio` is the mean closure over this driver's own when awake; `seen` the share of the last three
    minutes in which the eyes were seen; `coarse` tells that there were too few frames for exact shares.
    """

    perclos_60s: float | None
    perclos_180s: float | None
    closure_ratio: float | None
    long_share: float | None
    yawns: float = 0.0
    nods: float = 0.0
    seen: float = 1.0
    coarse: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """Where the driver's KSS is estimated to lie, 1 to 9, and how far to trust that, 0 to 1."""

    low: float
    high: float
    confidence: float


def estimate(cues: Cues) -> Band | None:
    """The band; None without PERCLOS of the last minute, on which the other cues only build."""
    if cues.perclos_60s is None:
        return None
    levels = _levels(cues)
    mean = sum(levels) / len(levels)
    width = _WIDTH + _WIDTH_MISSING * (4 - len(levels))
    low = (mean + min(levels)) / 2 - width
    if mean >= _CORROBORATED_FROM:
        step = (0.5 if cues.yawns >= _YAWNS else 0.0) + (0.5 if cues.nods >= _NODS else 0.0)
        low = max(low, min(low + step, mean))
    high = (mean + max(levels)) / 2 + width
    confidence = _CONFIDENCE_MOST * len(levels) / 4 * cues.seen * (_COARSE_SHARE if cues.coarse else 1.0)
    return Band(_clamped(low) if low >= _TOLD_APART_FROM else 1.0, _clamped(high), confidence)


def signals(band: Band | None) -> dict[str, Signal]:
    """The band as signals."""
    if band is None:
        return {"kss_low": UNKNOWN, "kss_high": UNKNOWN, "kss_confidence": UNKNOWN}
    return {
        "kss_low": Signal(band.low),
        "kss_high": Signal(band.high),
        "kss_confidence": Signal(band.confidence),
    }


def _levels(cues: Cues) -> Sequence[float]:
    """What each known cue says on the scale."""
    told = (
        (cues.perclos_60s, _PERCLOS),
        (cues.perclos_180s, _PERCLOS),
        (cues.closure_ratio, _CLOSURE),
        (cues.long_share, _LONG_SHARE),
    )
    return [_mapped(value, table) for value, table in told if value is not None]


def _mapped(value: float, table: _Table) -> float:
    """Straight lines between the points of a rising table, level beyond its ends."""
    if value <= table[0][0]:
        return table[0][1]
    for (x0, y0), (x1, y1) in pairwise(table):
        if value < x1:
            return y0 + (y1 - y0) * (value - x0) / (x1 - x0)
    return table[-1][1]


def _clamped(level: float) -> float:
    return min(9.0, max(1.0, level))
