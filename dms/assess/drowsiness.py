"""The signals of lids, mouth and drowsiness: two channels that are never mixed.

Closures tell microsleep and sleep at once; PERCLOS, lengths of closures, yawns and nods tell drowsiness
slowly.
"""

from __future__ import annotations

from dms.assess import kss
from dms.assess.baseline import Baseline
from dms.assess.blinks import Blinks, OwnClosure
from dms.assess.closures import Closure
from dms.assess.nods import Nods
from dms.assess.openness import Openness, driver_openness
from dms.assess.perclos import EXACT_FPS, Perclos
from dms.assess.reading import Reading
from dms.assess.sampling import SampleRate
from dms.assess.signals import UNKNOWN
from dms.assess.temporal import Tick
from dms.assess.yawns import Yawns
from dms.config.assess import AvailabilityConfig, EyesConfig
from dms.records import Signal


class Drowsiness:
    """Folds readings into them."""

    def __init__(self, eyes: EyesConfig, availability: AvailabilityConfig, baseline: Baseline) -> None:
        """Take the limits and the driver's baseline, which is read, not written."""
        self._eyes = eyes
        self._baseline = baseline
        self._rate = SampleRate()
        self._closure = Closure(eyes, availability, baseline, self._rate)
        self._blinks = Blinks(eyes, self._rate)
        self._own = OwnClosure()
        self._perclos = Perclos(eyes, self._rate)
        self._yawns = Yawns(eyes, availability)
        self._nods = Nods(eyes, baseline, self._rate)
        self._openness: Openness | None = None

    @property
    def closed(self) -> bool | None:
        """Whether the eyes are closed; None where that is unknown."""
        return self._closure.closed

    def update(self, tick: Tick, reading: Reading) -> None:
        """Take one reading."""
        openness = self._openness = driver_openness(reading, self._baseline, self._eyes)
        self._rate.update(tick, openness is not None)
        self._closure.update(tick, reading, openness)
        self._blinks.update(tick.now_s, self._closure.ended_s)
        self._own.learn(self._blinks, self._closure.ended_s)
        readable = openness is not None and self._closure.closed is not None
        self._perclos.update(tick, self._lids(openness) if openness and readable else None)
        self._yawns.update(tick, reading)
        self._nods.update(tick, reading, openness)

    def signals(self) -> dict[str, Signal]:
        """All signals of this question."""
        # while the eyes cannot be read every share stands still, and a share that stands still is unknown
        lids = self._slow() if self._closure.known else dict.fromkeys(_SLOW, UNKNOWN)
        return {
            "openness": Signal(self._openness.value if self._openness else None),
            **self._closure.signals(),
            **lids,
            **self._yawns.signals(),
            **self._nods.signals(),
        }

    def uncertainty(self) -> dict[str, float | None]:
        """One-sigma errors by name."""
        return {"openness": self._openness.sigma if self._openness else None}

    def _slow(self) -> dict[str, Signal]:
        blinks, perclos = self._blinks, self._perclos
        perclos_60s, perclos_180s = perclos.signal(60.0), perclos.signal(180.0)
        mean_s, long_share = blinks.known(blinks.mean_s), blinks.known(blinks.long_share)
        band = kss.estimate(
            kss.Cues(
                perclos_60s.value,
                perclos_180s.value,
                self._own.ratio(mean_s),
                long_share,
                self._yawns.count,
                self._nods.count,
                perclos.usable_share,
                coarse=not self._rate.at_least(EXACT_FPS),
            )
        )
        return {
            "mean_closure_s": Signal(mean_s),
            "blinks_per_min": Signal(blinks.per_min(perclos.usable_60_s)),
            "blink_s": Signal(blinks.median_s),
            "long_blink_share": Signal(long_share),
            "perclos_60s": perclos_60s,
            "perclos_180s": perclos_180s,
            **kss.signals(band),
        }

    def _lids(self, openness: Openness) -> float:
        """The openness for PERCLOS: lids that look down are not closing."""
        low = openness.value < self._eyes.perclos_closed_below
        return 1.0 if low and self._closure.closed is False else openness.value


_SLOW = (
    "mean_closure_s",
    "blinks_per_min",
    "blink_s",
    "long_blink_share",
    "perclos_60s",
    "perclos_180s",
    "kss_low",
    "kss_high",
    "kss_confidence",
)
