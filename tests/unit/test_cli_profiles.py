import json

import pytest
from click.testing import CliRunner

from dms.alerts import load_profile
from dms.alerts.profiles import load_profiles, shipped_profiles
from dms.cli.profiles import profiles
from dms.config.alerts import AlertsConfig, SensitivityConfig
from dms.errors import ConfigError, InputError


def run(*arguments):
    result = CliRunner().invoke(profiles, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_list_names_every_shipped_profile_on_a_line():
    lines = run("list").splitlines()
    assert [line.split()[0] for line in lines] == shipped_profiles()
    assert load_profile("euroncap_2026").hash in lines[3]
    assert [head["name"] for head in json.loads(run("list", "--json"))] == shipped_profiles()


def test_show_tells_every_rule_with_source_and_line():
    text, profile = run("show", "eu_addw"), load_profile("eu_addw")
    assert all(rule.source in text for rule in profile.rules)
    assert "eu_addw.yaml:13" in text
    assert "area3_s >= 6 (7.5 by the head) (may be 3 to 6)" in text
    shown = json.loads(run("show", "eu_addw", "--json"))
    assert (shown["hash"], len(shown["rules"])) == (profile.hash, len(profile.rules))


@pytest.mark.parametrize("name", shipped_profiles())
def test_show_can_tell_all_that_ships(name):
    assert run("show", name).startswith(name)


def test_check_says_all_is_well_or_where_it_is_not(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nversion: 1\ndescription: x\nextends: attend\n")
    assert "in order: mine, 16 rules" in run("check", str(path))
    path.write_text("name: mine\nversion: 1\ndescription: x\nextends: atend\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:4: extends: .*did you mean attend\?"):
        run("check", str(path))


def test_check_of_a_file_that_is_not_there_names_the_file():
    with pytest.raises(InputError, match=r"cannot read nofile\.yaml: "):
        run("check", "nofile.yaml")


def test_show_tells_the_rules_as_sharp_as_configured():
    def hash_and_limit(*options):
        shown = json.loads(run("show", "euroncap_2026", "--json", *options))
        (rule,) = (r for r in shown["rules"] if r["type"] == "fatigue.microsleep")
        return shown["hash"], rule["when"]["closure_s"]["at_least"]

    assert hash_and_limit()[1] == 1.5
    sharper = AlertsConfig(sensitivity=SensitivityConfig(fatigue=1.2))
    assert hash_and_limit("--set", "alerts.sensitivity.fatigue=1.2") == (load_profiles(sharper)[0].hash, 1.25)
