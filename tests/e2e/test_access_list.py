"""The access list that docs/mqtt.md gives, in a real mosquitto."""

import re
import shutil
import subprocess
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from dms.config import Config
from dms.inputs.hub import open_inputs
from tests.e2e.broker import WAIT_S, Mosquitto, needs_mosquitto
from tests.e2e.test_inputs import until

PAGE = Path(__file__).parents[2] / "docs" / "mqtt.md"
PASSWD = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"


@pytest.fixture
def guarded(tmp_path):
    """A broker with that list, where truck-7 has a password."""
    (access,) = re.findall(r"```acl\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "acl").write_text(access)
    subprocess.run([PASSWD, "-b", "-c", tmp_path / "passwords", "truck-7", "secret"], check=True)
    for name in ("acl", "passwords"):
        (tmp_path / name).chmod(0o600)
    lines = (f"acl_file {tmp_path / 'acl'}", f"password_file {tmp_path / 'passwords'}")
    broker = Mosquitto(tmp_path, *lines, anonymous=False).start()
    yield broker
    broker.stop()


@needs_mosquitto
def test_a_vehicle_hears_what_it_is_told(guarded, tmp_path):
    (tmp_path / "password").write_text("secret")
    (tmp_path / "password").chmod(0o600)
    login = {"username": "truck-7", "password_file": str(tmp_path / "password")}
    config = Config.model_validate(
        {
            "sinks": {"mqtt": {"host": "127.0.0.1", "port": guarded.port, "vehicle": "truck-7", **login}},
            "inputs": {
                "mqtt": {"signals": True, "acknowledge": True},
                "acknowledge": {"key": {"terminal": False}},
            },
        }
    )
    sender = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    sender.username_pw_set("truck-7", "secret")
    with open_inputs(config) as hub:
        sender.connect("127.0.0.1", guarded.port)
        sender.loop_start()

        def tell(topic, payload):
            sender.publish(f"dms/v1/truck-7/{topic}", payload, qos=1).wait_for_publish(WAIT_S)

        def fed(context):
            tell("in/Vehicle/Speed", "52.5")
            return context.vehicle.speed_kmh == 52.5

        try:
            assert until(hub, fed).vehicle.speed_kmh == 52.5
            tell("cmd/acknowledge", "all")
            heard = until(hub, lambda context: context.acknowledgements)
            assert [given.by for given in heard.acknowledgements] == ["mqtt"]
        finally:
            sender.disconnect()
            sender.loop_stop()
