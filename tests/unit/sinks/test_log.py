import logging
import math

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
    assert caplog.messages == ["0:00:14.0  URGENT    fatigue.microsleep ended after 4.0 s"]
    assert caplog.records[0].levelno == logging.INFO


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        (Severity.INFO, logging.INFO),
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


def test_a_terminal_gets_the_lines_instead_of_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    lines = []
    sink = LogSink(lines.append)
    sink.publish(samples.judgement(alerts=[samples.alert(), samples.alert(id="s-2", type="system")]))
    assert [("microsleep" in line, "system" in line) for line in lines] == [(True, False), (False, True)]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00.0"), (59.96, "0:01:00.0"), (3599.99, "1:00:00.0"), (45296.78, "12:34:56.8")],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_a_time_that_is_none_does_not_break_the_line():
    assert clock(math.nan) == "-:--:--.-"
