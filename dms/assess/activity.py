"""What the hands do: phone use, eating or drinking, smoking."""

from __future__ import annotations

from dms.assess.temporal import Hysteresis, LowPass, Tick, Timer
from dms.config.assess import ActivityConfig, AvailabilityConfig
from dms.records import Signal


class Dwell:
    """How long an activity has gone on.

    Single pictures of hands mislead, so a low-pass filter decides *whether*; *since when* is told by the
    samples, which do not lag.
    """

    def __init__(self, above: float, below: float, smoothing_s: float, timer: Timer) -> None:
        """Take the probabilities between which it starts and ends, the filter's time and the timer to run."""
        self._smooth = LowPass(smoothing_s)
        self._active = Hysteresis(on_above=above, off_below=below)
        self._sample = Hysteresis(on_above=above, off_below=below)
        self._since_s: float | None = None
        self._timer = timer

    def update(self, tick: Tick, probability: float | None) -> None:
        """Take the probability of the activity, None if unknown."""
        active = None
        if probability is None or not tick.joined:
            self._since_s = None  # what went unseen in between is not known to have been the activity
        if probability is None:
            self._smooth.skip(tick.elapsed_s)
        else:
            active = self._active.update(self._smooth.update(tick.elapsed_s, probability))
            self._note_onset(tick, self._sample.update(probability))
        self._timer.update(tick, active, since_s=self._since_s if active else None)

    def signal(self) -> Signal:
        """Seconds of the present activity."""
        return self._timer.signal()

    def _note_onset(self, tick: Tick, sample: bool) -> None:
        """Keep when the present run of samples began, confirmed or not."""
        if not sample:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = tick.now_s


class Hands:
    """All activities of the hands, each timed alone."""

    def __init__(self, activity: ActivityConfig, availability: AvailabilityConfig) -> None:
        """Take the limits."""

        def dwell(above: float, below: float) -> Dwell:
            timer = Timer(0.0, availability.no_face_after_s, availability.forget_after_s)
            return Dwell(above, below, activity.smoothing_s, timer)

        self._phone = dwell(activity.phone_above, activity.phone_below)
        self._eating = dwell(activity.other_above, activity.other_below)
        self._smoking = dwell(activity.other_above, activity.other_below)

    def update(self, tick: Tick, phone: float | None, eating: float | None, smoking: float | None) -> None:
        """Take the probabilities of one reading, None if unknown."""
        self._phone.update(tick, phone)
        self._eating.update(tick, eating)
        self._smoking.update(tick, smoking)

    def signals(self) -> dict[str, Signal]:
        """Seconds of each."""
        return {
            "phone_s": self._phone.signal(),
            "eating_s": self._eating.signal(),
            "smoking_s": self._smoking.signal(),
        }
