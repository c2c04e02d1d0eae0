"""The hub between threads that tell and the loop that asks."""

import threading
import time

import pytest

from dms.config import Config
from dms.config.inputs import CanInputConfig, InputsConfig, MqttInputConfig
from dms.errors import ConfigError
from dms.inputs import INPUTS
from dms.inputs.hub import ACKNOWLEDGEMENTS_KEPT, Hub, open_hubs, open_inputs
from dms.inputs.reading import Quantity, Reading, Refusal
from dms.records import NOTHING_KNOWN, Acknowledgement

HEARD = InputsConfig(mqtt=MqttInputConfig(signals=True))


class Faulty:
    name = "key"

    def fault(self):
        return "no keyboard"

    def close(self):
        pass


def test_what_was_told_is_known_at_once_and_ages_by_the_clock():
    now_s = 100.0
    hub = Hub(HEARD, lambda: now_s)
    hub.tell(Reading("mqtt", Quantity.SPEED, 50.0, 99.5))
    context = hub.context()
    assert (context.vehicle.speed_kmh, context.vehicle.speed_age_s, context.configured) == (50.0, 0.5, True)
    now_s = 102.0
    assert hub.context().vehicle.speed_kmh is None


def test_acknowledgements_are_told_once_in_order_and_bounded():
    hub = Hub(HEARD)
    hub.tell(Acknowledgement("key"))
    hub.tell(Acknowledgement("mqtt", "s-1"))
    assert hub.context().acknowledgements == (Acknowledgement("key"), Acknowledgement("mqtt", "s-1"))
    assert hub.context().acknowledgements == ()
    for n in range(1000):
        hub.tell(Acknowledgement("mqtt", f"s-{n}"))
    assert len(hub.context().acknowledgements) == ACKNOWLEDGEMENTS_KEPT


def test_faults_of_inputs_are_told():
    hub = Hub(HEARD)
    hub.add(Faulty())
    assert hub.context().vehicle.faults == {"key": "no keyboard"}


def test_without_inputs_nothing_is_known_and_nothing_is_missed():
    hub = Hub(InputsConfig())
    assert hub.context() == NOTHING_KNOWN
    assert hub.context().vehicle is hub.context().vehicle, "not made anew for every frame"
    hub.add(Faulty())
    assert hub.context().vehicle.faults == {"key": "no keyboard"}
    assert NOTHING_KNOWN.vehicle.faults == {}


def test_a_refusal_is_told_though_no_source_is_set_up():
    hub = Hub(InputsConfig(), lambda: 100.0)
    hub.tell(Refusal("mqtt", "malformed", "not plain ASCII", 100.0))
    assert "not plain ASCII" in hub.context().vehicle.faults["mqtt"]


@pytest.mark.parametrize(
    ("can", "configured"),
    [
        (CanInputConfig(enabled=True), True),
        (CanInputConfig(enabled=True, obd=False, j1939=False), False),
        (CanInputConfig(), False),
    ],
)
def test_a_bus_without_a_speed_is_no_source_of_it(can, configured):
    assert Hub(InputsConfig(can=can)).context().configured is configured


def test_nothing_is_lost_or_doubled_between_threads():
    hub, heard, ended = Hub(HEARD), [], threading.Event()

    def acknowledge(who):
        for n in range(500):
            hub.tell(Acknowledgement("mqtt", f"{who}-{n}"))
            hub.tell(Reading("mqtt", Quantity.SPEED, 50.0, time.monotonic()))
            if n % 4 == 3:
                asked.wait(5)  # so that no more than is kept comes between two questions

    asked = threading.Barrier(3)
    threads = [threading.Thread(target=acknowledge, args=(who,)) for who in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(125):
        asked.wait(5)
        heard += hub.context().acknowledgements
    for thread in threads:
        thread.join(5)
    ended.set()
    heard += hub.context().acknowledgements
    assert len(heard) == len(set(heard)) == 1000


def test_the_table_names_classes_that_are_there():
    import importlib

    for name, where in INPUTS.items():
        module, _, input_class = where.partition(":")
        assert getattr(importlib.import_module(module), input_class).name == name


def test_inputs_that_are_absent_hold_nothing_up():
    can = CanInputConfig(enabled=True, channel="can-of-nobody")
    inputs = InputsConfig.model_validate(
        {
            "mqtt": {"signals": True},
            "gnss": {"enabled": True, "gpsd_port": 1},
            "acknowledge": {"key": {"terminal": False}},
        }
    ).model_copy(update={"can": can})
    config = Config.model_validate({"sinks": {"mqtt": {"host": "127.0.0.1", "port": 1}}})
    config = config.model_copy(update={"inputs": inputs})
    begun_s = time.monotonic()
    with open_inputs(config) as hub:
        hub.context()
        assert time.monotonic() - begun_s < 2.0
        give_up_s = time.monotonic() + 10
        while set(hub.context().vehicle.faults) != {"mqtt", "can", "gnss"}:
            assert time.monotonic() < give_up_s, hub.context()
            time.sleep(0.01)
        faults = hub.context().vehicle.faults
    assert "cannot be reached" in faults["mqtt"]
    assert "CAN bus can-of-nobody cannot be opened" in faults["can"]
    assert "gpsd at 127.0.0.1:1 cannot be reached" in faults["gnss"]
    assert {thread.name for thread in threading.enumerate()}.isdisjoint({"dms-can", "dms-gnss"})


def test_an_unknown_driver_is_told_at_the_start():
    can = CanInputConfig(enabled=True, interface="carrier-pigeon")
    config = Config().model_copy(update={"inputs": InputsConfig(can=can)})
    with pytest.raises(ConfigError, match="carrier-pigeon"), open_inputs(config):
        pass


def test_several_cameras_hear_the_same_bus_which_is_opened_once():
    can = pytest.importorskip("can", reason="python-can is not installed (pip install 'dms[can]')")
    from can.interfaces.virtual import channels

    bus = CanInputConfig(enabled=True, interface="virtual", channel="shared")
    inputs = InputsConfig.model_validate({"acknowledge": {"key": {"terminal": False}}})
    config = Config().model_copy(update={"inputs": inputs.model_copy(update={"can": bus})})
    with open_hubs({"left": config, "right": config}) as hubs, can.Bus("shared", "virtual") as vehicle:
        assert len(channels["shared"]) == 2, "the vehicle and one listener"
        vehicle.send(can.Message(arbitration_id=0x7E8, data=[3, 0x41, 0x0D, 42], is_extended_id=False))
        give_up_s = time.monotonic() + 10
        while [hub.context().vehicle.speed_kmh for hub in hubs.values()] != [42.0, 42.0]:
            assert time.monotonic() < give_up_s
            time.sleep(0.005)
