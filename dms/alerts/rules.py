"""What a profile is made of: rules over signals, with limits, gates and what follows an alert."""

from __future__ import annotations

import string
from typing import Annotated

from pydantic import Field, ValidationError, field_validator, model_validator

from dms.alerts.ranges import out_of_range
from dms.assess.signals import SIGNALS
from dms.config.nearest import nearest
from dms.config.section import PositiveSeconds, Seconds, Section
from dms.errors import ConfigError
from dms.records import Severity

Kmh = Annotated[float, Field(ge=0, le=250)]

SENSING_AREAS = frozenset({"sensor", "system"})
"""Areas of alerts about what can be judged, not about the driver."""

_NEVER_SUPPRESSED = frozenset({"fatigue.microsleep", "fatigue.sleep", "driver.unresponsive"})


class Limit(Section):
    """What one signal must reach, and to where it keeps the alert up. Values in the signal's unit."""

    at_least: float | None = None
    """Reached at this value and above."""
    at_most: float | None = None
    """Reached at this value and below."""
    unheeded_s: PositiveSeconds | None = None
    """Reached when the signal, in seconds, has grown by this much since the alert, unbroken."""
    by_head: float | None = None
    """Stands in for `at_least` while the head is judged in place of the eyes."""
    hold_above: float | None = None
    """A raised alert is held while the signal is above this; null = while it is at `at_least`."""
    hold_below: float | None = None
    """A raised alert is held while the signal is below this; null = while it is at `at_most`."""
    clamp: tuple[float, float] | None = Field(None, strict=False)
    """Between these `at_least` may be moved, by `alerts.sensitivity` or a profile that extends this one."""

    @model_validator(mode="after")
    def _one_kind(self) -> Limit:
        kinds = [kind for kind in ("at_least", "at_most", "unheeded_s") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError("give either at_least, at_most or unheeded_s")
        if self.unheeded_s is not None and self.hold_above is None:
            raise ValueError("unheeded_s needs hold_above")
        for key, kind in (("by_head", "at_least"), ("clamp", "at_least"), ("hold_below", "at_most")):
            if getattr(self, key) is not None and kinds != [kind]:
                raise ValueError(f"{key} goes with {kind} only")
        if self.at_most is not None and self.hold_above is not None:
            raise ValueError("hold_above goes with at_least or unheeded_s only")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Limit:
        for key in ("at_least", "by_head"):
            trigger = getattr(self, key)
            if trigger is not None and self.hold_above is not None and self.hold_above > trigger:
                raise ValueError(
                    f"release above trigger: hold_above ({self.hold_above:g}) > {key} ({trigger:g})"
                )
        if self.at_most is not None and self.hold_below is not None and self.hold_below < self.at_most:
            raise ValueError(
                f"release below trigger: hold_below ({self.hold_below:g}) < at_most ({self.at_most:g})"
            )
        if self.at_least is not None and self.clamp is not None:
            low, high = self.clamp
            if not low <= self.at_least <= high:
                raise ValueError(f"at_least ({self.at_least:g}) is out of its clamp: {low:g} to {high:g}")
            if self.hold_above is not None and self.hold_above > low:
                raise ValueError(f"hold_above ({self.hold_above:g}) is above the clamp's lower end ({low:g})")
        return self

    def changed(self, told_by: str, **keys: object) -> Limit:
        """The limit with other values of these keys.

        Raises:
            ConfigError: they do not go with the rest; begins with `told_by`.
        """
        try:
            return Limit.model_validate({**self.model_dump(), **keys})
        except ValidationError as error:
            faults = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
            raise ConfigError(f"{told_by}: {faults}") from error


class Speed(Section):
    """From which speed on a rule is armed. Unknown speed counts as fast."""

    from_kmh: Kmh
    """Armed at this speed and above."""
    down_to_kmh: Kmh
    """Once armed, armed until the speed has fallen to this."""

    @model_validator(mode="after")
    def _in_order(self) -> Speed:
        if self.down_to_kmh > self.from_kmh:
            raise ValueError(f"down_to_kmh ({self.down_to_kmh:g}) is above from_kmh ({self.from_kmh:g})")
        return self


class Rule(Section):
    """One stage of an alert."""

    type: str = Field(pattern=r"^[a-z_]+\.[a-z_]+$")
    """Type of the alert, `<area>.<name>`."""
    chain: str = Field(pattern=r"^[a-z_]+$")
    """Rules of one chain, listed one after the other, are the stages of one alert."""
    when: dict[str, Limit] = Field(min_length=1)
    """Signals and limits; all must be reached."""
    severity: Severity = Field(strict=False)
    """How urgent."""
    speed: Speed | None = None
    """Armed from this speed on, and never at a known standstill; null = always."""
    pauses_in_reverse: bool = False
    """Not armed while the vehicle is known to reverse."""
    only_escalates: bool = False
    """Raises no alert of its own: takes up one that a milder stage has raised."""
    clear_after_s: Seconds = 0.0
    """The alert ends once it has not been held for this long."""
    latch_s: Seconds = 0.0
    """It stays up for at least this long, unless it is acknowledged."""
    until_acknowledged: bool = False
    """It stays up until it is acknowledged."""
    repeat_s: PositiveSeconds | None = None
    """It is told again this often while its condition lasts, until it is acknowledged."""
    suppress_s: Seconds = 0.0
    """Once acknowledged, this stage raises no new alert for this long."""
    max_per_min: int | None = Field(None, ge=1)
    """At most this many new alerts a minute; those beyond are counted, and told with the next."""
    cause: str
    """Sentence for a person; `{signal}` stands for a signal of `when`, `{signal:.1f}` for it rounded."""
    source: str = Field(min_length=1)
    """Where the figures come from."""

    @field_validator("when")
    @classmethod
    def _signals_exist(cls, when: dict[str, Limit]) -> dict[str, Limit]:
        for name, limit in when.items():
            if name not in SIGNALS:
                raise ValueError(f"no signal is called {name!r}; {nearest(name, SIGNALS)}")
            if (fault := out_of_range(name, limit)) is not None:
                raise ValueError(fault)
        return when

    @model_validator(mode="after")
    def _cause_can_be_told(self) -> Rule:
        try:
            named = {name for _, name, _, _ in string.Formatter().parse(self.cause) if name is not None}
            self.cause.format(**dict.fromkeys(self.when, 0.0))
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise ValueError(f"cause may only name {', '.join(self.when)}: {error}") from error
        if not named <= self.when.keys():
            raise ValueError(
                f"cause may only name {', '.join(self.when)}, but has {', '.join(sorted(named))}"
            )
        return self

    @model_validator(mode="after")
    def _the_grave_is_always_told(self) -> Rule:
        grave = self.severity in (Severity.URGENT, Severity.EMERGENCY)
        if self.max_per_min is not None and grave:
            raise ValueError(f"max_per_min: {self.severity.value} alerts are never held back")
        if self.suppress_s > 0 and (grave or self.area in SENSING_AREAS or self.type in _NEVER_SUPPRESSED):
            raise ValueError("suppress_s: sleep, an unresponsive driver and faults are never suppressed")
        return self

    @property
    def area(self) -> str:
        """The part of the type before the dot."""
        return self.type.partition(".")[0]
