import pytest
import yaml

from dms.alerts import load_profile
from dms.assess import SIGNALS
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
PROFILE = {"name": "mine", "description": "a test", "hold_unknown_s": 10.0, "rules": [RULE]}


@pytest.fixture
def write(tmp_path):
    def written(content):
        path = tmp_path / "mine.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return str(path)

    return written


def test_the_shipped_profile_loads_and_cites():
    profile = load_profile("euroncap_2026")
    assert profile.name == "euroncap_2026"
    assert all(rule.source for rule in profile.rules)
    assert [rule.type for rule in profile.chains[0]] == [
        "fatigue.microsleep",
        "fatigue.sleep",
        "driver.unresponsive",
    ]
    assert {name for rule in profile.rules for name in rule.when} <= set(SIGNALS)


def test_a_profile_of_ones_own_loads(write):
    [rule] = load_profile(write(PROFILE)).rules
    assert (rule.severity, rule.clear_after_s, rule.when["off_road_s"].at_least) == (
        Severity.WARNING,
        0.0,
        3.0,
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"when": {"of_road_s": {"at_least": 3.0}}}, "did you mean 'off_road_s'?"),
        ({"when": {"off_road_s": {"at_least": "3"}}}, "valid number"),
        ({"when": {"off_road_s": {"more_than": 3.0}}}, "Extra inputs are not permitted"),
        ({"when": {"off_road_s": {}}}, "either at_least or unheeded_s"),
        ({"when": {"off_road_s": {"unheeded_s": 3.0}}}, "needs hold_above"),
        ({"when": {}}, "at least 1 item"),
        ({"severity": "loud"}, "'info', 'warning', 'urgent' or 'emergency'"),
        ({"cause": "Away for {seconds} s."}, "cause may only name off_road_s"),
        ({"cause": "Away for {} s."}, "cause may only name off_road_s"),
        ({"type": "Long"}, "should match pattern"),
        ({"clear_after_s": -1.0}, "greater than or equal to 0"),
    ],
)
def test_a_wrong_rule_is_named_with_its_fault(write, change, told):
    path = write({**PROFILE, "rules": [RULE, {**RULE, **change}]})
    with pytest.raises(ConfigError) as caught:
        load_profile(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: rules.1")
    assert told in message
    assert f"(rule {change.get('type', 'distraction.long')})" in message


def test_scattered_chains_are_refused(write):
    other = {**RULE, "chain": "other"}
    with pytest.raises(ConfigError, match="chain road one after the other"):
        load_profile(write({**PROFILE, "rules": [RULE, other, RULE]}))


@pytest.mark.parametrize("content", ["", "- 1", "rules: [", "\0"])
def test_a_file_that_holds_no_profile_is_refused(write, content):
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load_profile(write(content))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="cannot read"):
        load_profile(str(path))


def test_a_missing_profile_names_the_nearest():
    with pytest.raises(ConfigError, match=r"no profile 'euroncap'; did you mean 'euroncap_2026'\?"):
        load_profile("euroncap")
    with pytest.raises(ConfigError, match="path of an existing YAML file"):
        load_profile("/nowhere/mine.yaml")
