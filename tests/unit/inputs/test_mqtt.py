"""What no well-behaved broker sends; all else is shown against a real one (tests/e2e/test_inputs.py)."""

from contextlib import closing

import pytest
from paho.mqtt.client import MQTTMessage
from paho.mqtt.reasoncodes import ReasonCode

from dms.config import Config
from dms.config.inputs import InputsConfig, MqttInputConfig
from dms.inputs.mqtt import MqttInput
from dms.inputs.reading import Refusal
from tests.unit.inputs.hearing import Heard


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def opened(heard):
    config = Config.model_validate({"sinks": {"mqtt": {"host": "127.0.0.1", "port": 1}}})
    inputs = InputsConfig(mqtt=MqttInputConfig(signals=True, acknowledge=True))
    with closing(MqttInput(config.model_copy(update={"inputs": inputs}), heard)) as made:
        yield made


def test_a_topic_that_is_no_text_is_refused_and_does_not_end_the_thread(opened, heard):
    opened._client._handle_on_message(MQTTMessage(topic=b"dms/v1/vehicle/in/\xff"))
    (refusal,) = heard.all()
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "unknown"
    assert refusal.detail.isascii()


def test_too_few_answers_to_a_subscription_do_not_end_the_thread(opened):
    opened._on_subscribe(opened._client, None, 1, [ReasonCode(9, "Not authorized")], None)
    assert "refuses a subscription to dms/v1/vehicle/in/#" in opened.fault()
