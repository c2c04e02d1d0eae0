import json

import pytest
from click.testing import CliRunner

from dms.alerts import load_profile
from dms.alerts.profiles import load_profiles, shipped_profiles
from dms.assess.signals import SIGNALS
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
    assert "area3_s >= 6 (by the head 7.5, held above 0, may be 3 to 6)" in text
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


def test_check_says_why_a_file_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"cannot read nofile\.yaml: No such file"):
        run("check", "nofile.yaml")
    with pytest.raises(InputError, match="Is a directory"):
        run("check", str(tmp_path))
    (tmp_path / "mine.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(InputError, match=r"mine\.yaml: it is no text in UTF-8"):
        run("check", str(tmp_path / "mine.yaml"))


def test_check_notes_what_is_left_untold(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nversion: 1\ndescription: x\nextends: euroncap_2026\ndrop: [no_face, fault]\n"
    )
    assert "\nnote: alone, not told within 10 s: no_face, fault;" in run("check", str(path))
    assert json.loads(run("check", "attend", "--json"))["notes"][0].startswith("sleep is not watched")


def test_show_says_what_a_lockout_needs_and_when_an_alert_is_held():
    text = run("show", "euroncap_2026")
    assert "counted only while the speed is known: no source of it, no lockout" in text
    assert "off_road_s grown by 3 s since the alert (held above 0)" in text


def test_signals_tells_every_signal_with_its_range():
    lines = run("signals").splitlines()
    assert [line.split()[0] for line in lines] == list(SIGNALS)
    assert "  0 to 1      Share" in next(line for line in lines if line.startswith("perclos_60s"))
    assert json.loads(run("signals", "--json"))[0]["range"] == "0 to 1"


def test_show_tells_the_rules_as_sharp_as_configured():
    def hash_and_limit(*options):
        shown = json.loads(run("show", "euroncap_2026", "--json", *options))
        (rule,) = (r for r in shown["rules"] if r["type"] == "fatigue.microsleep")
        return shown["hash"], rule["when"]["closure_s"]["at_least"]

    assert hash_and_limit()[1] == 1.5
    sharper = AlertsConfig(sensitivity=SensitivityConfig(fatigue=1.2))
    assert hash_and_limit("--set", "alerts.sensitivity.fatigue=1.2") == (load_profiles(sharper)[0].hash, 1.25)
