"""A driver as the rules see him: signals by the second, and what the manager makes of them."""

from dms.alerts import AlertManager, Profile
from dms.assess import SIGNALS
from dms.records import Acknowledgement, Assessment, Context, DriverState, Signal

AWAY = {
    "type": "distraction.long",
    "chain": "road",
    "when": {"off_road_s": {"at_least": 3.0, "hold_above": 0.0}},
    "severity": "warning",
    "cause": "{off_road_s:.1f} s",
    "source": "a test",
}
DROWSY = {**AWAY, "type": "fatigue.drowsy", "chain": "drowsy", "cause": "x"}
DROWSY |= {"when": {"perclos_60s": {"at_least": 0.1}}}
HIDDEN = {**AWAY, "type": "sensor.eyes_unreadable", "chain": "hidden", "cause": "x"}
HIDDEN |= {"when": {"eyes_hidden_s": {"at_least": 2.0, "hold_above": 0.0}}}
EMERGENCY = {**AWAY, "severity": "emergency"}
LOCKOUT = {"emergencies": 3, "emergency_s": 30.0, "source": "a test"}
SPEED = {"from_kmh": 20.0, "down_to_kmh": 18.0}


def told(changes):
    return [(change.type, change.phase) for change in changes]


def phases(changes):
    return [change.phase for change in changes]


def profile(*rules, name="test", **more):
    return Profile.model_validate(
        {"name": name, "version": 1, "description": "a test", "hold_unknown_s": 5.0, "rules": rules} | more
    )


class Drive:
    """Feeds a manager one assessment every `step_s`; what is not set is 0, the speed 60 km/h."""

    def __init__(self, *profiles, step_s=0.5):
        self.manager = AlertManager(profiles, "run")
        self.changes = []
        self._step_s, self._now_s = step_s, 0.0
        self._values = {"speed_kmh": 60.0}
        self._grows = {}

    @property
    def now_s(self):
        """The time of the last assessment."""
        return self._now_s

    def set(self, **values):
        """From now on these signals have these values; None = unknown."""
        self._values |= values
        for name in values:
            self._grows.pop(name, None)
        return self

    def grow(self, *names):
        """From now on these signals count seconds."""
        self._grows |= dict.fromkeys(names, self._now_s)
        return self

    def set_clock_back(self, seconds):
        """Time as told jumps back."""
        self._now_s -= seconds

    def acknowledge(self, alert_id=None):
        """The driver takes note at the next assessment, which comes at once."""
        return self.play(self._step_s, (Acknowledgement("key", alert_id),))

    def play(self, seconds, given=(), gaze_source="gaze"):
        """Go on; return what has changed."""
        before = len(self.changes)
        for _ in range(round(seconds / self._step_s)):
            self._now_s += self._step_s
            signals = {name: Signal(0.0) for name in SIGNALS}
            signals |= {name: Signal(value) for name, value in self._values.items()}
            signals |= {name: Signal(self._now_s - s, s) for name, s in self._grows.items()}
            context = Context(acknowledgements=given)
            seen = Assessment(
                self._now_s, DriverState.UNKNOWN, (), signals, 0.7, gaze_source, context=context
            )
            self.changes += self.manager.update(seen)
            given = ()
        return self.changes[before:]
