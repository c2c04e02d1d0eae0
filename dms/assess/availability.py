"""Whether the driver can be judged at all, and why not."""

from __future__ import annotations

from dms.assess.reading import Reading
from dms.assess.temporal import ROUNDING_S, Tick, Timer
from dms.config.assess import AvailabilityConfig
from dms.records import Signal, UnknownCause


class Availability:
    """Folds readings into how long face, eyes, picture and results have been missing."""

    def __init__(self, config: AvailabilityConfig) -> None:
        """Take the limits."""
        self._config = config
        self._no_face = self._timer()
        self._eyes_hidden = self._timer()
        self._blocked = self._timer()
        self._stale = self._timer()
        self._partly_stale = self._timer()
        self._reading: Reading | None = None
        self.latest_cause = UnknownCause.STALE
        """What was missing last, however short: for a verdict that must name a cause."""

    def update(self, tick: Tick, reading: Reading) -> None:
        """Take one reading."""
        self._reading = reading
        self.latest_cause = _missing(reading) or self.latest_cause
        # of a picture that shows nothing it cannot be said whether the driver is there
        self._no_face.update(tick, None if reading.face is None or reading.blank else not reading.face)
        self._blocked.update(tick, reading.blank)
        self._stale.update(tick, reading.stale)
        self._partly_stale.update(tick, reading.partly_stale)
        seen = reading.face and not reading.stale
        self._eyes_hidden.update(tick, not reading.eyes_readable if seen else None)

    @property
    def no_face_s(self) -> float:
        """Seconds without a face."""
        return self._no_face.seconds

    def signals(self) -> dict[str, Signal]:
        """All signals of this question."""
        return {
            "no_face_s": self._no_face.signal(),
            "eyes_hidden_s": self._eyes_hidden.signal(),
            "blocked_s": self._blocked.signal(),
            "stale_s": self._stale.signal(),
        }

    def causes(self) -> tuple[UnknownCause, ...]:
        """What keeps the driver, or a part of his state, from being judged now, and has for long enough."""
        reading, config = self._reading, self._config
        if reading is None or (_missing(reading) is None and not reading.partly_stale):
            return ()
        hidden = reading.face and not reading.stale
        lasting = (
            (UnknownCause.BLOCKED, reading.blank, self._blocked, config.blocked_after_s),
            (
                UnknownCause.NO_FACE,
                reading.face is False and not reading.blank,
                self._no_face,
                config.no_face_after_s,
            ),
            (UnknownCause.STALE, reading.stale, self._stale, config.no_face_after_s),
            (UnknownCause.STALE, reading.partly_stale, self._partly_stale, config.no_face_after_s),
            (UnknownCause.EYES_HIDDEN, hidden, self._eyes_hidden, config.eyes_hidden_after_s),
        )
        causes = [c for c, now, timer, after_s in lasting if now and timer.seconds >= after_s - ROUNDING_S]
        return tuple(dict.fromkeys(causes))

    def _timer(self) -> Timer:
        # a flicker of the contrary does not end the trouble: a face found in one frame out of ten is no face
        config = self._config
        return Timer(config.no_face_after_s, config.no_face_after_s, config.forget_after_s)


def _missing(reading: Reading) -> UnknownCause | None:
    """What this one reading lacks, the gravest first."""
    if reading.stale:
        return UnknownCause.STALE
    if not reading.face:
        return UnknownCause.BLOCKED if reading.blank else UnknownCause.NO_FACE
    return None if reading.eyes_readable else UnknownCause.EYES_HIDDEN
