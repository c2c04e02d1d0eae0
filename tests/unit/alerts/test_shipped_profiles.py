"""What the shipped profiles hold: their figures, and what they promise together."""

import pytest

from dms.alerts.coverage import gaps
from dms.alerts.profiles import load_profile, shipped_profiles
from dms.assess.signals import SENSING, SIGNALS
from dms.records import Severity


@pytest.mark.parametrize("name", shipped_profiles())
def test_what_ships_loads_and_cites(name):
    profile = load_profile(name)
    assert profile.name == name
    assert all(rule.source for rule in profile.rules)
    assert {signal for rule in profile.rules for signal in rule.when} <= set(SIGNALS)


def test_the_named_profiles_ship():
    named = {"euroncap_2026", "eu_addw", "eu_ddaw", "r171_like", "attend", "fleet_guardian", "sensing"}
    assert named == set(shipped_profiles())


def test_the_figures_of_the_standards():
    """Those that a change must not move unseen."""

    def limits(name, signal):
        return [
            (rule.when[signal].at_least, rule.severity.value, rule.speed and rule.speed.from_kmh)
            for rule in load_profile(name).rules
            if signal in rule.when and rule.when[signal].at_least is not None
        ]

    assert limits("euroncap_2026", "closure_s") == [
        (1.5, "urgent", 20.0),
        (3.0, "urgent", 20.0),
        (6.0, "emergency", 20.0),
    ]
    assert limits("euroncap_2026", "off_road_s") == [
        (3.0, "warning", 20.0),
        (5.0, "urgent", 20.0),
        (6.0, "emergency", 20.0),
    ]
    assert limits("euroncap_2026", "off_road_30s") == [(10.0, "warning", 20.0)]
    assert limits("eu_addw", "area3_s") == [(6.0, "warning", 20.0), (3.5, "warning", 50.0)]
    assert limits("r171_like", "off_task_s") == [
        (5.0, "warning", 10.0),
        (8.0, "urgent", 10.0),
        (13.0, "emergency", 10.0),
    ]
    assert limits("eu_ddaw", "kss_low") == [(7.0, "caution", 70.0), (8.0, "warning", 70.0)]
    assert limits("fleet_guardian", "closure_s")[0][0] == 1.5
    assert limits("fleet_guardian", "off_road_s") == [(4.0, "warning", 20.0)]
    drowsy = [rule for rule in load_profile("euroncap_2026").rules if rule.type == "fatigue.drowsy"]
    assert {rule.speed.from_kmh for rule in drowsy} == {50.0}


def test_every_cause_of_not_seeing_is_told_within_ten_seconds_at_any_speed():
    rules = [rule for rule in load_profile("sensing").rules if rule.speed is None]
    told_s = {name: limit.at_least for rule in rules for name, limit in rule.when.items()}
    for name in SENSING:
        if name not in ("calibrating", "unknown_s"):  # one minute is granted to learn a driver
            assert told_s[name] <= 10.0, name
    assert told_s["unknown_s"] == 60.0


def test_the_grave_is_never_held_back_in_what_ships():
    for name in shipped_profiles():
        for rule in load_profile(name).rules:
            if rule.severity in (Severity.URGENT, Severity.EMERGENCY):
                assert (rule.suppress_s, rule.max_per_min) == (0.0, None)


def test_profiles_without_a_rule_on_closed_eyes_say_so_unless_another_has_one():
    without = {name for name in shipped_profiles() if gaps([load_profile(name)])}
    assert without == {"attend", "eu_addw", "eu_ddaw", "r171_like", "sensing"}
    [told] = gaps([load_profile("attend"), load_profile("r171_like")])
    assert "sleep is not watched" in told
    assert gaps([load_profile("attend"), load_profile("euroncap_2026")]) == []


def test_what_a_lockout_counts_beyond_its_citation_is_marked():
    lockout = load_profile("r171_like").lockout
    assert lockout.emergencies == 2
    assert "5.5.4.2.8.1" in lockout.source
    assert "[E]" in lockout.source
