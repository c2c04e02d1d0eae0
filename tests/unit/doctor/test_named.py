"""The files that a configuration names, as the doctor and `dms config check` see them."""

import pytest
from click.testing import CliRunner

from dms.cli import main
from dms.config.file import load_config
from dms.doctor import named
from dms.doctor.check import Grade


def by_name(*overrides):
    return {check.name: check for check in named.checks(load_config([], overrides))}


def test_the_defaults_are_well():
    assert {check.grade for check in by_name().values()} == {Grade.OK}


@pytest.fixture
def wrong_cabin(tmp_path):
    """A cabin with a zone that there is not."""
    path = tmp_path / "cabin.yaml"
    box = "{yaw_deg: [-50, -30], pitch_deg: [-20, -5], source: measured}"
    path.write_text(f"name: mine\nzones:\n  driver_miror: {box}\n")
    return path


@pytest.mark.parametrize(
    ("override", "name", "words"),
    [
        ("alerts.profiles=[nope]", "profiles", "there is no profile 'nope'"),
        ("alerts.sensitivity.fatigue=9", "profiles", "out of its clamp"),
        ("cabin.geometry=truk", "cabin", "did you mean truck?"),
        ("cabin.geometry={wrong_cabin}", "cabin", "driver_miror"),
    ],
)
def test_what_a_run_refuses_fails_here_too(override, name, words, wrong_cabin):
    override = override.format(wrong_cabin=wrong_cabin)
    check = by_name(override)[name]
    assert check.grade is Grade.FAIL
    assert check.cure
    assert words in check.detail
    result = CliRunner().invoke(main, ["config", "check", "--set", override])
    assert result.exit_code == 2
    assert words in result.output


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["alerts.profiles=[attend]"], ["sleep is not watched"]),
        (["alerts.profiles=[{silent}]"], ["not told within 10 s: no_face, blocked"]),
        (
            ["alerts.profiles=[eu_ddaw]", "inputs.acknowledge.key.terminal=false"],
            ["sleep is not watched", "fatigue.ddaw stays until it is acknowledged"],
        ),
    ],
)
def test_what_profiles_leave_untold_is_worth_knowing(overrides, words, tmp_path):
    silent = tmp_path / "silent.yaml"
    silent.write_text(
        "name: silent\nversion: 1\ndescription: x\nextends: euroncap_2026\ndrop: [no_face, blocked]\n"
    )
    overrides = [override.format(silent=silent) for override in overrides]
    check = by_name(*overrides)["profiles"]
    assert check.grade is Grade.WARN
    result = CliRunner().invoke(main, ["config", "check", *(x for o in overrides for x in ("--set", o))])
    assert result.exit_code == 0
    assert result.output.startswith("valid\nnote: ")
    for word in words:
        assert word in check.detail
        assert word in result.output


def test_gpio_without_a_line_is_no_valid_configuration():
    result = CliRunner().invoke(main, ["config", "check", "--set", "sinks.gpio.enabled=true"])
    assert result.exit_code == 2
    assert "names no line" in result.output
