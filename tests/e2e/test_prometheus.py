"""The endpoint for Prometheus, asked over HTTP as Prometheus asks it."""

import math
import re
import time
import urllib.request
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from dms.config.sinks import PrometheusConfig
from dms.records import DriverState, Phase
from dms.sinks.prometheus import PrometheusServer, PrometheusSink
from dms.sinks.prometheus_gauges import FAMILIES, STALE_AFTER_S, Newest
from tests.unit.sinks import samples

MANUAL = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def server():
    with closing(PrometheusServer(PrometheusConfig(port=0))) as made:
        yield made


@pytest.fixture
def sink(server):
    """The sink of a source whose frames are always 20 ms old."""
    with closing(PrometheusSink(server, "truck-7", lambda captured_s: 0.02)) as made:
        yield made


def fetch(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def scrape(server):
    """All samples: {(name, label values without the bucket and the vehicle): value} of truck-7."""
    found = {}
    for family in text_string_to_metric_families(fetch(server)):
        for sample in family.samples:
            labels = dict(sample.labels)
            if labels.pop("vehicle", "truck-7") == "truck-7":
                found[(sample.name, *labels.values())] = sample.value
    return found


def test_frames_are_counted_and_timed(server, sink):
    for n in range(3):
        sink.publish(replace(samples.judgement(frame_id=n), stage_s={"face": 0.0015, "judge": 0.0001}))
    told = scrape(server)
    assert told["dms_frames_total",] == 3
    assert told["dms_frame_latency_seconds_sum",] == pytest.approx(0.06)
    assert (
        told["dms_frame_latency_seconds_bucket", "0.02"],
        told["dms_frame_latency_seconds_bucket", "0.015"],
    ) == (3, 0)
    assert told["dms_stage_seconds_sum", "face"] == pytest.approx(0.0045)
    assert (
        told["dms_stage_seconds_bucket", "0.002", "face"],
        told["dms_stage_seconds_bucket", "0.001", "face"],
    ) == (3, 0)
    assert told["dms_stage_seconds_count", "judge"] == 3


def test_without_the_age_of_a_frame_its_latency_is_what_its_stages_took(server):
    with closing(PrometheusSink(server, "truck-7")) as sink:
        sink.publish(replace(samples.judgement(), stage_s={"face": 0.002, "judge": 0.001}))
        assert scrape(server)["dms_frame_latency_seconds_sum",] == pytest.approx(0.003)


def test_a_moment_without_a_frame_is_no_frame_but_a_judgement(server, sink):
    sink.publish(samples.blind())
    told = scrape(server)
    assert told["dms_frames_total",] == 0
    assert told["dms_frame_latency_seconds_count",] == 0
    assert told["dms_driver_state", "unknown"] == 1
    assert told["dms_judgement_age_seconds",] < 5


def test_alerts_are_counted_when_they_begin(server, sink):
    for phase in Phase:
        sink.publish(samples.judgement(alerts=[samples.alert(phase=phase)]))
    assert scrape(server)["dms_alerts_total", "urgent", "fatigue.microsleep"] == 1


def test_the_level_its_changes_and_their_cause(server, sink):
    sink.publish(samples.control(level=0, previous=0))
    sink.publish(samples.control(level=1, previous=0))
    sink.publish(samples.control(level=1, previous=1, held=True))
    told = scrape(server)
    assert (told["dms_level",], told["dms_level_held",]) == (1, 1)
    assert told["dms_level_changes_total", "temperature"] == 1


def test_vitals_device_and_the_other_sinks(server, sink):
    sink.publish(samples.vitals())
    told = scrape(server)
    assert told["dms_frames_per_second",] == 29.97
    assert told["dms_frame_wait_p95_seconds",] == 0.0034
    drops = [told["dms_frames_dropped_total", reason] for reason in ("newer", "late", "level")]
    assert drops == [2, 1, 0]
    assert told["dms_level",] == 1
    assert told["dms_temperature_celsius", "cpu-thermal"] == 71.26
    assert (told["dms_trip_celsius",], told["dms_throttles",], told["dms_over_current_total",]) == (99, 0, 2)
    assert (told["dms_board_watts",], told["dms_cpu_load",], told["dms_pressure",]) == (
        11.234,
        0.4567,
        0.0123,
    )
    assert told["dms_sink_events_waiting", "mqtt"] == 1
    assert told["dms_sink_event_ack_p95_seconds", "mqtt"] == 0.01234
    assert told["process_resident_memory_bytes",] > 1e6
    assert told["process_cpu_seconds_total",] > 0


def test_what_is_unknown_has_no_sample(server, sink):
    sink.publish(samples.vitals())
    told = scrape(server)
    assert ("dms_temperature_celsius", "cv0-thermal") not in told
    assert ("dms_gpu_load",) not in told
    sink.publish(samples.vitals(device=None, sinks={}))
    told = scrape(server)
    names = {name for name, *_ in told}
    lost = {
        "temperature_celsius",
        "trip_celsius",
        "throttles",
        "over_current_total",
        "board_watts",
        "cpu_load",
    }
    assert not names & {f"dms_{name}" for name in lost}
    assert not [name for name in names if name.startswith("dms_sink_")]


def test_nothing_is_known_before_anything_was_told(server, sink):
    told = scrape(server)
    assert {name for name, *_ in told if name.startswith("dms_") and not name.endswith("_created")} == {
        "dms_frames_total",
        *(f"dms_frame_latency_seconds_{part}" for part in ("bucket", "count", "sum")),
        "dms_driver_state",
    }
    assert told["dms_driver_state", "unknown"] == 1


def test_an_old_verdict_no_longer_says_anything():
    newest = Newest(state=DriverState.ATTENTIVE, judged_s=100.0)

    def states(now_s):
        return {
            labels[0] for name, labels, value in newest.readings(now_s) if name == "driver_state" and value
        }

    assert states(100.0 + STALE_AFTER_S) == {"attentive"}
    assert states(100.1 + STALE_AFTER_S) == {"unknown"}


def test_health_and_its_causes(server, sink):
    sink.publish(samples.health(source_lost="gone"))
    told = scrape(server)
    assert [told["dms_health", state] for state in ("ok", "degraded", "fault")] == [0, 1, 0]
    assert told["dms_fault", "source_lost"] == 1
    sink.publish(samples.good_health())
    told = scrape(server)
    assert told["dms_health", "ok"] == 1
    assert ("dms_fault", "source_lost") not in told


def test_several_vehicles_share_one_endpoint(server, sink):
    with closing(PrometheusSink(server, "truck-8")) as other:
        other.publish(samples.judgement())
        other.publish(samples.vitals())
        assert 'dms_frames_total{vehicle="truck-8"} 1.0' in fetch(server)
        assert 'dms_frames_per_second{vehicle="truck-8"}' in fetch(server)
        assert scrape(server)["dms_frames_total",] == 0
    text = fetch(server)
    assert 'dms_frames_per_second{vehicle="truck-8"}' not in text, "it is gone: nothing of it is present"
    assert 'dms_frames_total{vehicle="truck-8"} 1.0' in text, "what was counted stays"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_and_no_text_keeps_the_rest_from_being_read(server, sink, value):
    for message in samples.nonsense(value):
        sink.publish(message)
    sink.publish(samples.health(**{"odd\udcff": "x"}))
    sink.publish(samples.judgement())
    told = scrape(server)
    assert told["dms_fault", "odd?"] == 1
    assert told["dms_stage_seconds_sum", "face"] == pytest.approx(0.0012345)
    assert math.isfinite(told["dms_frame_latency_seconds_sum",])


def test_counting_a_frame_takes_little(server, sink):
    judged = replace(samples.judgement(), stage_s=dict.fromkeys("abcdef", 0.001))
    taken_s = []
    for _ in range(5):
        begun_s = time.process_time()
        for _ in range(1000):
            sink.publish(judged)
        taken_s.append((time.process_time() - begun_s) / 1000)
    # 7 µs were measured; this only tells that no look-up by label or lock of the server came in.
    assert min(taken_s) < 100e-6


def test_the_manual_lists_every_metric(server, sink):
    for message in (
        samples.judgement(alerts=[samples.alert()]),
        samples.vitals(),
        samples.control(),
        samples.health(),
    ):
        sink.publish(message)
    told = {
        sample.name for family in text_string_to_metric_families(fetch(server)) for sample in family.samples
    }
    told |= {f"dms_{name}" for name in FAMILIES} | set(SINK_FIGURES)
    told = {name for name in told if not name.endswith("_created")}
    plain = {re.sub("_(bucket|sum|count)$", "", name) for name in told}
    manual = MANUAL.read_text()
    assert [name for name in plain if f"`{name}`" not in manual] == []
    assert set(re.findall(r"\bdms_[a-z0-9_]+", manual)) <= told | plain
    assert [yaml.safe_load(block.split("```")[0]) for block in manual.split("```yaml\n")[1:]]


SINK_FIGURES = [
    "dms_sink_events_waiting",
    "dms_sink_events_dropped_total",
    "dms_sink_oldest_unconfirmed_seconds",
    "dms_sink_event_ack_p50_seconds",
    "dms_sink_event_ack_p95_seconds",
    "dms_sink_state_ack_p50_seconds",
    "dms_sink_state_ack_p95_seconds",
    "dms_sink_lines_dropped_total",
]
"""What the MQTT and the JSON lines sink tell of themselves."""
