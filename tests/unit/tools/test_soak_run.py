"""A short soak for real: real engines, loop, sinks and broker, and two faults."""

import threading
from dataclasses import replace

import cv2
import pytest

from dms.config import Config, SourceConfig
from dms.errors import InputError
from dms.resources import demo_clip
from dms.tools.soak import plot as soak_plot
from dms.tools.soak import soak
from dms.tools.soak.drive import Order
from dms.tools.soak.faults import KINDS
from dms.tools.soak.text import as_values, report_lines
from dms.tools.soak.verdict import checks

FROM_S, TO_S = 12.0, 27.0
"""Of the demonstration clip: attentive, then a long look aside."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "look.mp4"
    video = cv2.VideoCapture(str(demo_clip()))
    fps = video.get(cv2.CAP_PROP_FPS)
    video.set(cv2.CAP_PROP_POS_FRAMES, FROM_S * fps)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (640, 360))
    for _ in range(int((TO_S - FROM_S) * fps)):
        writer.write(video.read()[1])
    writer.release()
    video.release()
    return path


def kinds(*names):
    return [
        replace(kind, length_s=(3.0, 4.0), settles_s=10.0, pause_s=0.0)
        for kind in KINDS
        if kind.name in names
    ]


@pytest.fixture(scope="module")
def run(clip):
    config = Config(source=SourceConfig(uri=str(clip)))
    order = Order(125.0, 1000.0, kinds=kinds("disk_full", "broken"), first_fault_s=20.0)
    threads = threading.active_count()
    found = soak(config, order, lambda: False, lambda recording, plan: None, lambda sample, fault: None)
    assert threading.active_count() == threads
    return found


def test_two_faults_come_are_told_and_pass(run):
    assert len(run.outcomes) == len(run.plan) >= 2
    told = {outcome.fault.kind.name: outcome.sign for outcome in run.outcomes}
    assert told == {"disk_full": "health:sink_jsonl", "broken": "health:internal_fault"}
    assert all(outcome.passed and outcome.told_s < 2 for outcome in run.outcomes)


def test_the_alert_of_the_clip_comes_lap_after_lap(run):
    assert run.tally.expected["distraction.long"] >= 2
    assert run.tally.came == run.tally.expected


def test_all_demands_but_those_of_hours_are_met(run):
    assert {check.name for check in checks(run) if not check.passed} <= {"memory"}
    assert run.driven_s >= 125.0


def test_it_can_be_told_and_drawn(run, tmp_path):
    text = "\n".join(report_lines(run))
    assert "disk_full" in text
    assert "times real time" in text
    assert as_values(run, checks(run))["faults"][0]["recovered_s"] is not None
    soak_plot.draw(run, tmp_path / "soak.png")
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")


def test_a_camera_is_no_recording():
    with pytest.raises(InputError, match="no recording"):
        soak(Config(source=SourceConfig(uri="0")), Order(1.0, 1.0), bool, print, print)


def test_a_recording_without_alerts_proves_nothing(tmp_path):
    script = tmp_path / "calm.yaml"
    script.write_text("title: calm\nsize: [160, 120]\nfps: 10\nduration_s: 0.5\nevents: []\n")
    with pytest.raises(InputError, match="proves nothing"):
        soak(Config(source=SourceConfig(uri=f"sim:{script}")), Order(1.0, 1.0), bool, print, print)
