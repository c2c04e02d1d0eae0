import json

import pytest
import yaml

from dms.alerts.profiles import load_placed, load_profile, load_profiles
from dms.config.alerts import AlertsConfig
from dms.errors import ConfigError
from dms.records import Severity

RULE = {
    "type": "distraction.long",
    "chain": "road",
    "when": {"off_road_s": {"at_least": 3.0}},
    "severity": "warning",
    "cause": "Away for {off_road_s:.1f} s.",
    "source": "a test",
}
PROFILE = {"name": "mine", "version": 1, "description": "a test", "hold_unknown_s": 10.0, "rules": [RULE]}
EXTENDING = {"name": "mine", "version": 1, "description": "a test", "extends": "euroncap_2026"}
LONG = {**RULE, "chain": "eyes_off_road", "speed": {"from_kmh": 20, "down_to_kmh": 18}}


def away(at_least, **more):
    return {"off_road_s": {"at_least": at_least, **more}}


def dumped(content):
    """As YAML, without the aliases PyYAML makes of what stands there twice."""
    return yaml.safe_dump(json.loads(json.dumps(content)), sort_keys=False)


@pytest.fixture
def write(tmp_path):
    def written(content, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else dumped(content))
        return str(path)

    return written


def refused(path, *sensitivity):
    with pytest.raises(ConfigError) as caught:
        load_placed(path, *sensitivity)
    return str(caught.value)


# --- one's own ------------------------------------------------------------------------------------


def test_a_profile_of_ones_own_loads(write):
    [rule] = load_profile(write(PROFILE)).rules
    assert (rule.severity, rule.clear_after_s, rule.when["off_road_s"].at_least) == (
        Severity.WARNING,
        0.0,
        3.0,
    )


def test_a_rule_alike_is_changed_in_its_place_and_keeps_its_clamp(write):
    path = write({**EXTENDING, "rules": [{**LONG, "when": away(2.5, hold_above=0.0)}]})
    placed = load_placed(path)
    chain = [one for one in placed.rules if one.rule.chain == "eyes_off_road"]
    base = [rule for rule in load_profile("euroncap_2026").rules if rule.chain == "eyes_off_road"]
    assert [one.rule.type for one in chain] == [rule.type for rule in base]
    assert chain[1].rule.when["off_road_s"].clamp == (2.0, 4.0)
    assert chain[1].place == f"{path}:6"
    assert placed.profile.hash != load_profile("euroncap_2026").hash


FAST = {"from_kmh": 50, "down_to_kmh": 48}


def test_bands_of_speed_stand_together_in_the_place_of_one_rule(write):
    bands = [{**LONG, "when": away(4.0)}, {**LONG, "when": away(2.5), "speed": FAST}]
    chain = [
        rule
        for rule in load_profile(write({**EXTENDING, "rules": bands})).rules
        if rule.chain == "eyes_off_road"
    ]
    base = [rule for rule in load_profile("euroncap_2026").rules if rule.chain == "eyes_off_road"]
    assert [rule.type for rule in chain] == [base[0].type, base[1].type, *(rule.type for rule in base[1:])]
    first, second = (rule.when["off_road_s"] for rule in chain[1:3])
    assert (first.at_least, second.at_least) == (4.0, 2.5)
    assert first.clamp == second.clamp == (2.0, 4.0)


@pytest.mark.parametrize("only_escalates", [False, True])
def test_one_rule_given_twice_is_refused(write, only_escalates):
    rule = {**LONG, "when": away(2.5), "only_escalates": only_escalates}
    [line] = refused(write({**EXTENDING, "rules": [rule, rule]})).splitlines()
    assert "rule distraction.long is reached no later than distraction.long before it" in line


def test_rules_are_added_and_dropped(write):
    path = write({**EXTENDING, "drop": ["phone", "fatigue.yawn"], "rules": [RULE]})
    before, after = (load_profile(name).rules for name in ("euroncap_2026", path))
    assert {rule.type for rule in before} - {rule.type for rule in after} == {
        "distraction.phone",
        "fatigue.yawn",
    }
    assert after[-1].chain == "road"


def test_a_profile_may_extend_a_file_beside_it(write):
    write(PROFILE, "base.yaml")
    assert load_profile(write({**EXTENDING, "extends": "./base.yaml"})).hold_unknown_s == 10.0


def test_sensitivity_moves_what_states_a_clamp():
    sharp = load_placed("euroncap_2026", {"distraction": 1.25}).profile
    moved = {
        rule.type: rule.when["off_road_s"].at_least
        for rule in reversed(sharp.rules)
        if "off_road_s" in rule.when
    }
    assert moved["distraction.long"] == 2.4
    same = load_placed("euroncap_2026", {"distraction": 1.0}).profile
    assert same.hash == load_profile("euroncap_2026").hash
    assert [rule for rule in sharp.rules if rule.area == "fatigue"] == [
        rule for rule in load_profile("euroncap_2026").rules if rule.area == "fatigue"
    ]


def test_sensitivity_beyond_a_clamp_is_refused_with_what_may_be_given():
    told = refused("euroncap_2026", {"distraction": 2.0})
    assert "euroncap_2026.yaml:83: rule distraction.vats" in told
    assert (
        "alerts.sensitivity.distraction of 2 takes off_road_30s out of its clamp: give 0.834 to 1.5" in told
    )


@pytest.mark.parametrize("profiles", [("euroncap_2026",), ("euroncap_2026", "eu_addw"), ("fleet_guardian",)])
@pytest.mark.parametrize("area", ["fatigue", "distraction"])
def test_what_sensitivity_is_told_to_give_is_taken(profiles, area):
    def load(factor):
        return load_profiles(AlertsConfig(profiles=profiles, sensitivity={area: factor}))

    for wrong in (0.1, 10.0):
        with pytest.raises(ConfigError) as told:
            load(wrong)
        low, high = (float(end) for end in str(told.value).partition(": give ")[2].split(" to "))
        load(low)
        load(high)
        with pytest.raises(ConfigError):
            load(low - 0.002)
        with pytest.raises(ConfigError):
            load(high + 0.002)


def test_sensitivity_moves_no_trigger_below_its_release(write):
    limit = away(6.0, by_head=3.0, hold_above=2.5, clamp=[3.0, 6.0])
    path = write({**PROFILE, "rules": [{**RULE, "when": limit}]})
    told = refused(path, {"distraction": 2.0})
    assert told.startswith(f"{path}:6: rule distraction.long: alerts.sensitivity.distraction of 2 takes")
    assert told.endswith("hold_above (2.5) > by_head (1.5)")


def test_sensitivity_that_moves_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"alerts\.sensitivity\.fatigue: no rule of eu_addw may be moved"):
        load_profiles(AlertsConfig(profiles=("eu_addw",), sensitivity={"fatigue": 1.2}))


def test_several_are_read_and_one_given_twice_is_one(write):
    assert [p.name for p in load_profiles(AlertsConfig(profiles=("attend", "eu_addw", "attend")))] == [
        "attend",
        "eu_addw",
    ]
    with pytest.raises(ConfigError, match=r"its name, attend, is that of .*attend\.yaml too"):
        load_profiles(AlertsConfig(profiles=("attend", write({**PROFILE, "name": "attend"}))))


# --- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"when": {"of_road_s": {"at_least": 3.0}}}, "did you mean off_road_s?"),
        ({"when": {"off_road_s": {"at_least": "3"}}}, "valid number"),
        ({"when": {"off_road_s": {"more_than": 3.0}}}, "unknown key"),
        ({"when": {"off_road_s": {}}}, "either at_least, at_most or unheeded_s"),
        ({"when": {"off_road_s": {"unheeded_s": 3.0}}}, "needs hold_above"),
        ({"when": {"off_road_s": {"at_most": 3.0, "hold_above": 1.0}}}, "hold_above goes with at_least"),
        ({"when": {"off_road_s": {"at_most": 3.0, "clamp": [1, 4]}}}, "clamp goes with at_least only"),
        ({"when": away(3.0, hold_above=4.0)}, "release above trigger"),
        ({"when": away(6.0, by_head=3.0, hold_above=5.0)}, "hold_above (5) > by_head (3)"),
        ({"when": {"attend_buffer_s": {"at_most": 1.0, "hold_below": 0.5}}}, "release below trigger"),
        ({"when": away(3.0, clamp=[4.0, 5.0])}, "at_least (3) is out of its clamp: 4 to 5"),
        ({"when": away(3.0, hold_above=2.5, clamp=[2.0, 5.0])}, "above the clamp's lower end"),
        ({"when": away(float("nan"))}, "finite number"),
        ({"when": {}}, "at least 1 item"),
        ({"severity": "loud"}, "'caution', 'warning', 'urgent' or 'emergency'"),
        ({"cause": "Away for {seconds} s."}, "cause may only name off_road_s"),
        ({"cause": "Away for {} s."}, "cause may only name off_road_s"),
        ({"cause": "{off_road_s.real.__class__}"}, "cause may only name off_road_s"),
        ({"type": "Long"}, "'Long' is not allowed: use <area>.<name>, each of a to z and _ only"),
        ({"chain": "mine2"}, "'mine2' is not allowed: use a to z and _ only"),
        ({"when": {"perclos_60s": {"at_least": 15}}}, "at_least 15 never holds: the signal is 0 to 1"),
        ({"when": {"openness": {"at_least": 5.0}}}, "openness: at_least 5 never holds: the signal is 0 to 1"),
        ({"when": away(0.0)}, "off_road_s: at_least 0 always holds: the signal is 0 and more"),
        ({"when": away(3.0, by_head=0.0)}, "by_head 0 always holds"),
        ({"when": away(3.0, hold_above=-1.0)}, "hold_above -1 always holds"),
        ({"when": away(3.0, clamp=[0.0, 4.0])}, "clamp 0 to 4 goes too far"),
        ({"when": {"attend_buffer_s": {"at_most": 2.0}}}, "at_most 2 always holds: the signal is 0 to 2"),
        ({"when": {"attend_buffer_s": {"at_most": -1.0}}}, "at_most -1 never holds"),
        ({"when": {"attend_buffer_s": {"at_most": 1.0, "hold_below": 2.5}}}, "hold_below 2.5 always holds"),
        ({"when": {"off_road_30s": {"unheeded_s": 31.0, "hold_above": 0.0}}}, "unheeded_s 31 never holds"),
        ({"clear_after_s": -1.0}, "greater than or equal to 0"),
        ({"speed": {"from_kmh": 20.0, "down_to_kmh": 30.0}}, "down_to_kmh (30) is above from_kmh (20)"),
        ({"severity": "urgent", "max_per_min": 2}, "urgent alerts are never held back"),
        ({"type": "fatigue.sleep", "suppress_s": 60.0}, "never suppressed"),
        ({"type": "system.fault", "suppress_s": 60.0}, "never suppressed"),
        ({"severity": "emergency", "suppress_s": 60.0}, "never suppressed"),
    ],
)
def test_a_wrong_rule_is_named_with_its_line_and_fault(write, change, told):
    rules = [RULE, {**RULE, "chain": "other", **change}]
    path = write({**PROFILE, "rules": rules})
    first = 6 + len(dumped([RULE]).splitlines())
    message = refused(path)
    place, _, rest = message.partition(": ")
    assert place.rpartition(":")[0] == path
    assert int(place.rpartition(":")[2]) >= first
    assert rest.startswith("rules.1")
    assert told in rest
    assert f"(rule {change.get('type', 'distraction.long')})" in rest


MICROSLEEP = {**RULE, "type": "fatigue.microsleep", "when": away(1.5)}
SLEEP = {**RULE, "type": "fatigue.sleep", "when": away(3.0)}


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (
            [SLEEP, MICROSLEEP],
            "rule fatigue.microsleep is reached no later than fatigue.sleep before it in chain road",
        ),
        ([{**SLEEP, "severity": "emergency"}, RULE], "rule distraction.long warning after emergency"),
        ([{**RULE, "only_escalates": True}, SLEEP], "can only escalate, but is the first of chain road"),
        (
            [{**RULE, "when": {"off_road_s": {"unheeded_s": 3.0, "hold_above": 0.0}}}],
            "can only escalate, but is the first of chain road",
        ),
    ],
)
def test_a_contradiction_is_named_with_rule_and_line(write, rules, told):
    path = write({**PROFILE, "rules": rules})
    message = refused(path)
    assert message.startswith(f"{path}:")
    assert message.removeprefix(f"{path}:").partition(":")[0].isdigit()
    assert told in message


@pytest.mark.parametrize(
    ("content", "line", "told"),
    [
        ({**EXTENDING, "extends": "euroncap"}, 4, "no profile 'euroncap'; did you mean euroncap_2026?"),
        ({**EXTENDING, "extends": "./mine.yaml"}, 4, "extends this profile itself"),
        ({**EXTENDING, "drop": ["phones"]}, 6, "no chain or type is called 'phones'; did you mean phone?"),
        ({**EXTENDING, "rules": [{**LONG, "when": away(1.0)}]}, 6, "out of its clamp; "),
        (
            {**EXTENDING, "rules": [{**LONG, "when": away(3.5, hold_above=3.0)}]},
            6,
            "rule distraction.long: off_road_s, with the clamp of ",
        ),
        (
            {**EXTENDING, "rules": [{**LONG, "when": away(3.5, hold_above=3.0)}]},
            6,
            ": hold_above (3) is above the clamp's lower end (2)",
        ),
        ({**EXTENDING, "version": 0}, 2, "greater than or equal to 1"),
        ("name: a\nname: b\n", 2, "name stands here a second time"),
        ("name: &a x\nversion: *a\n", 2, "aliases (*name) are not taken here"),
        ("name: [\n", 2, "this is not valid YAML"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(write, content, line, told):
    path = write(content)
    message = refused(path)
    assert message.startswith(f"{path}:{line}: ")
    assert told in message


def test_a_profile_without_a_base_must_say_how_long_it_holds_the_unknown(write):
    content = {key: value for key, value in PROFILE.items() if key != "hold_unknown_s"}
    assert "hold_unknown_s: is missing: give it, or `extends: sensing`" in refused(write(content))


def test_scattered_chains_are_refused(write):
    other = {**RULE, "chain": "other"}
    with pytest.raises(ConfigError, match="chain road one after the other"):
        load_profile(write({**PROFILE, "rules": [RULE, other, RULE]}))


@pytest.mark.parametrize("content", ["", "- 1", "rules: [", "\0", "x: 2026-99-99", "[" * 5000])
def test_a_file_that_holds_no_profile_is_refused(write, content):
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load_profile(write(content))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="cannot read"):
        load_profile(str(path))


def test_a_missing_profile_names_the_nearest():
    with pytest.raises(ConfigError, match=r"no profile 'euroncap'; did you mean euroncap_2026\?"):
        load_profile("euroncap")
    with pytest.raises(ConfigError, match="path of an existing YAML file"):
        load_profile("/nowhere/mine.yaml")
