import logging
import math
import time
from dataclasses import replace

import pytest

from dms.records import Phase, Severity
from dms.sinks.log import LogSink, clock
from tests.unit.sinks import samples


def test_a_person_reads_what_where_since_when(caplog):
    caplog.set_level(logging.INFO)
    LogSink().publish(samples.judgement(alerts=[samples.alert()]))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == (
        "0:00:11.5  URGENT    fatigue.microsleep: eyes closed for 1.5 s (began 0:00:10.0, alert s-1)"
    )


def test_the_end_of_an_alert_tells_how_long_it_was(caplog):
    caplog.set_level(logging.INFO)
    LogSink().publish(samples.judgement(alerts=[samples.alert(phase=Phase.END, at_s=14.0)]))
    assert caplog.messages == ["0:00:14.0  URGENT    fatigue.microsleep ended after 4.0 s (alert s-1)"]
    assert caplog.records[0].levelno == logging.INFO


def test_an_acknowledgement_is_no_new_alarm(caplog):
    caplog.set_level(logging.INFO)
    noted = samples.alert(
        phase=Phase.UPDATE, at_s=12.0, acknowledged_s=12.0, evidence={"acknowledged_by": "mqtt"}
    )
    LogSink().publish(samples.judgement(alerts=[noted]))
    assert caplog.messages == ["0:00:12.0  URGENT    fatigue.microsleep acknowledged by mqtt (alert s-1)"]
    assert caplog.records[0].levelno == logging.INFO
    LogSink().publish(samples.judgement(alerts=[replace(noted, evidence={"closure_s": 3.0})]))
    assert caplog.records[1].levelno == logging.ERROR, "told again after it was acknowledged"


def test_of_several_profiles_each_line_names_its_own():
    lines = []
    ended = samples.alert(phase=Phase.END, at_s=14.0)
    LogSink(lines.append, several=True).publish(samples.judgement(alerts=[samples.alert(), ended]))
    assert lines[0].endswith("(began 0:00:10.0, alert s-1, euroncap_2026)")
    assert lines[1].endswith("ended after 4.0 s (alert s-1, euroncap_2026)")


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        (Severity.CAUTION, logging.INFO),
        (Severity.WARNING, logging.WARNING),
        (Severity.URGENT, logging.ERROR),
        (Severity.EMERGENCY, logging.CRITICAL),
    ],
)
def test_severity_is_the_level(caplog, severity, level):
    caplog.set_level(logging.INFO)
    LogSink().publish(samples.judgement(alerts=[samples.alert(severity=severity)]))
    assert caplog.records[0].levelno == level


def test_a_change_of_health_is_told(caplog):
    caplog.set_level(logging.INFO)
    LogSink().publish(samples.health())
    LogSink().publish(samples.good_health())
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.WARNING, "0:00:01.0  system DEGRADED; source_lost: /dev/video0: no frame"),
        (logging.INFO, "0:00:01.0  system OK"),
    ]


def test_a_frame_without_news_says_nothing(caplog):
    caplog.set_level(logging.DEBUG)
    LogSink().publish(samples.judgement())
    assert caplog.records == []


def test_vitals_are_for_debugging(caplog):
    caplog.set_level(logging.DEBUG)
    LogSink().publish(samples.vitals())
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert "30.0 fps, latency p50 12.3 ms, p95 25.6 ms, 3 dropped, 200 MB" in record.getMessage()


def test_latencies_of_a_window_without_a_frame_are_unknown(caplog):
    caplog.set_level(logging.DEBUG)
    LogSink().publish(samples.no_frame_vitals())
    assert "0.0 fps, latency p50 unknown, p95 unknown, 3 dropped" in caplog.messages[0]


@pytest.mark.parametrize(
    ("level", "previous", "held", "grave", "words"),
    [
        (2, 1, False, logging.WARNING, "level 2 after 1 (the cheapest engines that passed the gate)"),
        (1, 2, False, logging.INFO, "level 1 after 2 (half the rates"),
        (2, 2, True, logging.WARNING, "level 2, held (the cheapest"),
        (1, 2, True, logging.WARNING, "level 1 after 2, held (half"),
        (0, 0, False, logging.INFO, "level 0 (all that is configured)"),
    ],
)
def test_a_level_is_told_with_its_cause(caplog, level, previous, held, grave, words):
    caplog.set_level(logging.DEBUG)
    LogSink().publish(samples.control(level=level, previous=previous, held=held))
    (record,) = caplog.records
    assert record.levelno == grave
    assert record.getMessage().startswith(f"0:00:14.0  {words}")
    assert record.getMessage().endswith("; temperature: hottest zone 88.0 C; clocks fall at 99 C")


def test_a_terminal_gets_the_lines_instead_of_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    lines = []
    sink = LogSink(lines.append)
    sink.publish(samples.judgement(alerts=[samples.alert(), samples.alert(id="s-2", type="system")]))
    assert [("microsleep" in line, "system" in line) for line in lines] == [(True, False), (False, True)]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("level", "told"),
    [(logging.DEBUG, 4), (logging.INFO, 3), (logging.WARNING, 2), (logging.ERROR, 1), (logging.CRITICAL, 0)],
)
def test_a_terminal_gets_what_is_grave_enough(level, told):
    lines = []
    sink = LogSink(lines.append, level=level)
    sink.publish(samples.judgement(alerts=[samples.alert()]))  # urgent: error
    sink.publish(samples.health())  # degraded: warning
    sink.publish(samples.good_health())  # info
    sink.publish(samples.vitals())  # debug
    assert len(lines) == told


@pytest.fixture
def east(monkeypatch):
    """A local time two hours before UTC's."""
    monkeypatch.setenv("TZ", "EET-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("east")
def test_a_live_source_is_told_in_local_wall_clock_time():
    lines = []
    sink = LogSink(lines.append, epoch_offset=lambda: 1_800_000_000.0)  # 08:00:00 UTC
    sink.publish(samples.judgement(alerts=[samples.alert()]))
    sink.publish(samples.health())
    assert lines[0].startswith("10:00:11.5  URGENT")
    assert "(began 10:00:10.0, alert s-1)" in lines[0]
    assert lines[1].startswith("10:00:01.0  system DEGRADED")


@pytest.mark.parametrize("offset_s", [-1e18, 1e18, math.nan, None])
def test_a_date_nobody_can_mean_falls_back_to_the_clock_of_the_source(offset_s):
    assert clock(59.96, offset_s) == "0:01:00.0"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00.0"), (59.96, "0:01:00.0"), (3599.99, "1:00:00.0"), (45296.78, "12:34:56.8")],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_a_time_that_is_none_does_not_break_the_line():
    assert clock(math.nan) == "-:--:--.-"
