import pytest

from dms.config.sinks import MqttConfig
from dms.errors import ConfigError
from dms.mqtt_client import is_loopback, new_client, root_topic


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"username": "a", "password_file": "/nowhere/password"},
            "/nowhere/password cannot be read: No such file",
        ),
        ({"password_file": "/nowhere/password"}, r"sinks\.mqtt\.username is not"),
        ({"host": ""}, "no host name"),
        ({"host": "two words"}, "no host name"),
        ({"host": "a..b"}, "no host name"),
    ],
)
def test_settings_that_cannot_work_are_said_at_start(changes, words):
    with pytest.raises(ConfigError, match=words):
        new_client(MqttConfig(**changes), "test")


@pytest.mark.parametrize(("content", "words"), [(b"\n", "is empty"), (b"\xff\xfe", "cannot be read")])
def test_a_password_file_must_hold_a_password(tmp_path, content, words):
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        new_client(MqttConfig(username="a", password_file=str(path)), "test")


@pytest.mark.parametrize(("host", "warned"), [("broker.example", True), ("localhost", False)])
def test_a_password_in_clear_text_over_a_network_is_warned_of(tmp_path, caplog, host, warned):
    path = tmp_path / "password"
    path.write_text("secret\n")
    new_client(MqttConfig(host=host, username="a", password_file=str(path)), "test")
    assert ("in clear text" in caplog.text) is warned
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("x", False),
    ],
)
def test_loopback(host, loopback):
    assert is_loopback(host) is loopback


def test_root_topic_has_no_empty_level():
    assert root_topic(MqttConfig(prefix="/fleet/", vehicle="bus-1")) == "fleet/bus-1"
