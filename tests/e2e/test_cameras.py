"""Two cameras in one process, against a real broker: one breaks, the other's alerts go on."""

import json
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from tests.e2e.broker import WAIT_S, needs_mosquitto
from tests.media import MjpegServer

pytestmark = needs_mosquitto

RUN = """
import sys
from pathlib import Path
from dms.config.file import load_config
from dms.fleet import run
print(run(load_config([Path(sys.argv[1])], []), print))
"""
SCRIPT = """
size: [320, 180]
duration_s: 120
events:
""" + "".join(f"  - {{at: {at}, for: 2.0, do: eyes_closed}}\n" for at in range(6, 116, 5))


@pytest.fixture
def network_camera():
    with closing(MjpegServer()) as server:
        yield server


def configured(folder, broker, camera):
    script = folder / "driver.yaml"
    script.write_text(SCRIPT)
    config = folder / "dms.yaml"
    config.write_text(
        json.dumps(
            {
                "cameras": {
                    "front": {"uri": camera.url, "lost_after_s": 1.0},
                    "rear": {"uri": f"sim:{script}"},
                },
                "control": {"enabled": False},  # a busy machine must not change what this test sees
                "sinks": {
                    "mqtt": {"enabled": True, "host": "127.0.0.1", "port": broker.port, "vehicle": "bus7"}
                },
            }
        )
    )
    return config


def health(camera, cause):
    """True of a camera's health that has this cause; None: of one without any."""

    def found(heard):
        causes = [c["cause"] for c in heard.document.get("causes", ())]
        return heard.topic == f"dms/v1/bus7-{camera}/health" and (cause in causes if cause else not causes)

    return found


def status(camera, word):
    return lambda heard: heard.topic == f"dms/v1/bus7-{camera}/status" and heard.document["status"] == word


def began(camera):
    """True of the start of a fatigue alert of this camera."""
    return lambda heard: (
        heard.topic.startswith(f"dms/v1/bus7-{camera}/event/fatigue") and heard.document["phase"] == "start"
    )


def test_one_camera_breaks_and_the_others_alerts_arrive(tmp_path, broker, listener, network_camera):
    config = configured(tmp_path, broker, network_camera)
    process = subprocess.Popen([sys.executable, "-c", RUN, config], stdout=subprocess.PIPE, text=True)
    try:
        for camera in ("front", "rear"):
            listener.wait(status(camera, "online"))
            listener.wait(health(camera, None))
        before = len(listener.all(began("rear")))
        network_camera.close()
        (lost,) = listener.wait(health("front", "source_lost"))
        listener.wait(began("rear"), before + 2)
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=WAIT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert lost.document["state"] == "degraded"
    assert not listener.all(health("rear", "source_lost"))
    assert not listener.all(began("front"))
    for camera in ("front", "rear"):
        listener.wait(status(camera, "offline"))
        assert f"\n{camera}: " in told
