"""With a stand-in for the lines: what a kernel and its pins make of it is not shown here."""

import sys
import time

import pytest
from pydantic import ValidationError

from dms.config.local import GpioConfig
from dms.errors import ConfigError
from dms.records import Phase, Severity
from dms.sinks.gpio import GpioSink
from dms.sinks.patterns import pattern_of
from tests.gpio_stand_in import board  # noqa: F401 - a fixture
from tests.pulse import until
from tests.unit.sinks import samples

BUZZER = GpioConfig(enabled=True, warning_line=5, urgent_line=5, emergency_line=7)


def tell(sink, id="a", **changes):
    sink.publish(samples.judgement(alerts=[samples.alert(id=id, **changes)]))


@pytest.fixture(autouse=True)
def soon_trusted_again(monkeypatch):
    """How long that takes is shown in test_keeper.py."""
    monkeypatch.setattr("dms.keeper.STEADY_AFTER_S", 0.2)


@pytest.fixture
def sink(board):  # noqa: F811
    made = GpioSink(BUZZER)
    yield made
    made.close()


def test_lines_are_requested_off_and_read_back(board, sink):  # noqa: F811
    assert sink.fault() is None
    (request,) = board.requests
    assert request.offsets == [5, 7]
    assert request.settings.direction is board.line.Direction.OUTPUT
    assert request.settings.output_value is board.line.Value.INACTIVE
    assert board.log == [set(), set()]


def test_follows_the_rhythm_on_the_line_of_the_severity(board, sink):  # noqa: F811
    tell(sink, severity=Severity.URGENT)
    begun_s = time.monotonic()
    until(lambda: len(board.log) >= 8)
    taken_s = time.monotonic() - begun_s
    assert board.log[2:8] == [{5}, set()] * 3
    beep = pattern_of("fatigue.microsleep", Severity.URGENT).beeps[0]
    assert taken_s >= 3 * beep.on_s + 2 * beep.off_s - 0.05
    tell(sink, severity=Severity.URGENT, phase=Phase.END)
    until(lambda: board.log[-1] == set())


def test_graver_takes_over_at_once(board, sink):  # noqa: F811
    tell(sink, severity=Severity.WARNING, type="distraction.long")
    until(lambda: board.log[-1] == {5})
    tell(sink, "b", severity=Severity.EMERGENCY)
    until(lambda: board.log[-1] == {7})
    assert sink.figures()["begun_max_s"] < 1


def test_the_urgent_line_comes_on_when_what_is_told_once_escalates(board, sink):  # noqa: F811
    tell(sink, type="sensor.no_face", severity=Severity.WARNING)
    until(lambda: board.log[2:] == [{5}, set()] * 2)
    tell(sink, type="sensor.no_face", severity=Severity.URGENT, phase=Phase.UPDATE)
    until(lambda: board.log[2:] == [{5}, set()] * 4)


def test_a_severity_without_a_line_drives_none(board, sink):  # noqa: F811
    tell(sink, severity=Severity.CAUTION)
    until(lambda: sink.figures()["patterns_begun"])
    assert board.log == [set(), set()]


def test_off_and_released_at_close(board, sink):  # noqa: F811
    tell(sink, severity=Severity.EMERGENCY)
    until(lambda: board.log[-1] == {7})
    sink.close()
    assert board.log[-1] == set()
    assert board.requests[-1].released


def test_a_line_that_reads_back_wrong_is_a_fault_until_it_is_right(board, sink):  # noqa: F811
    board.shorted.add(7)
    tell(sink, severity=Severity.EMERGENCY)
    assert "line 7 reads back" in until(sink.fault)
    board.shorted.clear()
    until(lambda: sink.fault() is None)
    until(lambda: board.log[-1] == {7})


def test_a_chip_that_goes_is_told_and_opened_anew(board, sink):  # noqa: F811
    board.broken = True
    tell(sink, severity=Severity.EMERGENCY)
    assert "/dev/gpiochip0" in until(sink.fault)
    board.broken = False
    until(lambda: sink.fault() is None)
    assert len(board.requests) == 2


def test_a_chip_that_is_not_there_is_a_fault_that_tells_what_to_do():
    pytest.importorskip("gpiod", reason="gpiod is not installed: pip install 'dms[gpio]'")
    sink = GpioSink(GpioConfig(enabled=True, chip="/dev/no-such-chip", urgent_line=1))
    assert "gpioinfo" in until(sink.fault)
    sink.close()


def test_enabled_without_a_line_is_an_error():
    with pytest.raises(ValidationError, match="names no line"):
        GpioConfig(enabled=True)


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(ConfigError, match=r"dms\[gpio\]"):
        GpioSink(BUZZER)
