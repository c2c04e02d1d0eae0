import pytest

from dms.records import Health, HealthState, Phase, Severity
from dms.sinks.patterns import EMERGENCY, SENSING
from dms.sinks.standing import Standing
from tests.unit.sinks import samples


@pytest.fixture
def standing():
    return Standing(clock=lambda: 0.0)


def tell(standing, id="a", severity=Severity.WARNING, type="distraction.long", phase=Phase.START, **changes):
    alert = samples.alert(id=id, type=type, severity=severity, phase=phase, **changes)
    return standing.take(samples.judgement(alerts=[alert]))


def due(standing):
    call = standing.call()
    return call and (call.key, call.severity)


def test_stands_until_it_ends(standing):
    assert tell(standing)
    assert not standing.take(samples.judgement())
    assert due(standing) == ("a", Severity.WARNING)
    assert tell(standing, phase=Phase.END)
    assert due(standing) is None


def test_graver_interrupts_and_milder_returns(standing):
    tell(standing)
    assert tell(standing, "b", Severity.EMERGENCY, "driver.unresponsive")
    assert standing.call().pattern is EMERGENCY
    assert not tell(standing, "c", Severity.URGENT), "the milder one waits"
    tell(standing, "b", Severity.EMERGENCY, phase=Phase.END)
    assert due(standing) == ("c", Severity.URGENT)


def test_of_equals_the_first_goes_on(standing):
    tell(standing, "a")
    assert not tell(standing, "b")
    assert due(standing) == ("a", Severity.WARNING)


def test_of_one_severity_fatigue_comes_before_distraction(standing):
    tell(standing, "a")
    tell(standing, "b", type="fatigue.drowsy")
    assert due(standing) == ("b", Severity.WARNING)


def test_acknowledged_is_silent_until_it_escalates(standing):
    tell(standing)
    tell(standing, phase=Phase.UPDATE, acknowledged_s=12.0)
    assert due(standing) is None
    tell(standing, phase=Phase.UPDATE, severity=Severity.URGENT)
    assert due(standing) == ("a", Severity.URGENT)
    tell(standing, phase=Phase.UPDATE, severity=Severity.URGENT, acknowledged_s=14.0)
    assert due(standing) is None


def test_told_once_is_not_told_again_while_it_stands(standing):
    tell(standing, type="sensor.blocked")
    standing.played(standing.call())
    tell(standing, type="sensor.blocked", phase=Phase.UPDATE)
    assert due(standing) is None
    tell(standing, type="sensor.blocked", phase=Phase.END)
    tell(standing, type="sensor.blocked")
    assert standing.call().pattern is SENSING


def test_bad_health_is_told_once_a_run(standing):
    assert not standing.take(Health(1.0, HealthState.OK))
    assert standing.take(Health(1.0, HealthState.DEGRADED))
    standing.played(standing.call())
    assert not standing.take(Health(1.0, HealthState.DEGRADED))
    assert standing.take(Health(1.0, HealthState.FAULT))


def test_what_is_told_once_is_told_again_when_it_escalates(standing):
    tell(standing, type="sensor.no_face", severity=Severity.CAUTION)
    standing.played(standing.call())
    for _ in range(2):
        tell(standing, type="sensor.no_face", severity=Severity.URGENT, phase=Phase.UPDATE)
    assert due(standing) == ("a", Severity.URGENT)
    standing.played(standing.call())
    tell(standing, type="sensor.no_face", severity=Severity.URGENT, phase=Phase.UPDATE)
    assert due(standing) is None
