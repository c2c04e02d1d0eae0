"""What the profiles in force leave untold: no rule of theirs is wrong, but something is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dms.alerts.profile import Profile
from dms.alerts.rules import Rule
from dms.assess.signals import SENSING
from dms.config.inputs import InputsConfig

ORDINARY_KMH = 20.0
"""From this speed on warnings are asked for (Euro NCAP Driver Engagement v1.1; (EU) 2023/2590)."""
ASLEEP_WITHIN_S = 6.0
"""By then closed eyes must have been told: the driver is unresponsive (Driver Engagement v1.1 1.3.5)."""
TOLD_WITHIN_S = 10.0
"""What cannot be judged is told by then (Euro NCAP Safe Driving v10.4, sensing table)."""

_CAUSES = (*(name for name in SENSING if name != "unknown_s"), "speed_unknown_s")


def gaps(profiles: Iterable[Profile]) -> list[str]:
    """What these profiles together leave out, and what to do, a line each; empty where all is told."""
    rules = [rule for profile in profiles for rule in profile.rules]
    told = []
    from_kmh = _sleep_from_kmh(rules)
    if from_kmh is None or from_kmh > ORDINARY_KMH:
        told.append(f"sleep is not watched{_instead(from_kmh)}; add euroncap_2026 or fleet_guardian")
    untold = [name.removesuffix("_s") for name in _CAUSES if not _is_told(name, rules)]
    if untold:
        told.append(
            f"not told within {TOLD_WITHIN_S:g} s: {', '.join(untold)}; extend `sensing`, and drop none of it"
        )
    return told


def watches_sleep(profile: Profile) -> bool:
    """Whether the profile, alone, watches sleep at ordinary speeds."""
    from_kmh = _sleep_from_kmh(profile.rules)
    return from_kmh is not None and from_kmh <= ORDINARY_KMH


def unacknowledgeable(profiles: Iterable[Profile], config: InputsConfig, *, terminal: bool) -> list[str]:
    """Alerts that wait for an acknowledgement which nobody can give, in a line; empty where there are none.

    `terminal`: whether Enter can be pressed where dms runs.
    """
    waiting = dict.fromkeys(
        rule.type for profile in profiles for rule in profile.rules if rule.until_acknowledged
    )
    if not waiting or config.acknowledged_by(terminal=terminal):
        return []
    return [
        f"{', '.join(waiting)} stays until it is acknowledged, and without a terminal nothing is set up for "
        "that: set inputs.acknowledge.gpio.line, inputs.acknowledge.key.device or inputs.mqtt.acknowledge"
    ]


def _instead(from_kmh: float | None) -> str:
    if from_kmh is None:
        return f": no rule is over closed eyes alone (closure_s, at most {ASLEEP_WITHIN_S:g} s)"
    return f" below {from_kmh:g} km/h, and should be from {ORDINARY_KMH:g} km/h on"


def _sleep_from_kmh(rules: Iterable[Rule]) -> float | None:
    """From which speed on closed eyes alone raise an alert; None where they never do, or too late."""
    telling = [rule for rule in rules if _tells(rule, "closure_s", ASLEEP_WITHIN_S)]
    return min(map(_armed_from_kmh, telling), default=None)


def _is_told(name: str, rules: Iterable[Rule]) -> bool:
    # beside `calibrating` stands `unknown_s`: a driver may take a minute to be learned
    telling = [rule for rule in rules if _tells(rule, name, TOLD_WITHIN_S, beside=["unknown_s"])]
    return any(_armed_from_kmh(rule) <= ORDINARY_KMH for rule in telling)


def _tells(rule: Rule, name: str, within_s: float, beside: Collection[str] = ()) -> bool:
    """Whether the rule raises an alert by this signal, in time and by itself."""
    limit = rule.when.get(name)
    alone = not rule.only_escalates and rule.when.keys() <= {name, *beside}
    return alone and limit is not None and limit.at_least is not None and limit.at_least <= within_s


def _armed_from_kmh(rule: Rule) -> float:
    return rule.speed.from_kmh if rule.speed else 0.0
