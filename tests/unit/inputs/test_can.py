"""The CAN input on python-can's virtual bus, which is a bus of this process."""

import ast
import inspect
import sys
import threading
import time
from contextlib import closing, contextmanager

import pytest

from dms.config import Config
from dms.config.inputs import CanInputConfig, CanSignalConfig, InputsConfig
from dms.errors import ConfigError
from dms.inputs import can as can_input
from dms.inputs import can_frames
from dms.inputs.can import CanInput
from dms.inputs.hub import open_inputs
from dms.inputs.reading import Quantity
from tests.unit.inputs.hearing import WAIT_S, Heard

can = pytest.importorskip("can", reason="python-can is not installed (pip install 'dms[can]')")

GEAR = CanSignalConfig(id=0x3E9, start_bit=0, length_bits=8, signed=True)


def config(channel, **changes):
    bus = CanInputConfig(
        enabled=True, interface="virtual", channel=channel, signals={"gear": GEAR}, **changes
    )
    inputs = InputsConfig.model_validate({"acknowledge": {"key": {"terminal": False}}})
    return Config().model_copy(update={"inputs": inputs.model_copy(update={"can": bus})})


@contextmanager
def vehicle(channel):
    """Another node of the bus."""
    with can.Bus(channel, "virtual", ignore_config=True) as bus:
        yield bus


def frame(can_id, data, extended=False, **more):
    return can.Message(arbitration_id=can_id, data=data, is_extended_id=extended, **more)


def obd(kmh):
    return frame(0x7E8, [3, 0x41, 0x0D, kmh, 0, 0, 0, 0])


def ccvs1(kmh):
    raw = int(kmh * 256)
    return frame(0x18FEF100, [0xFF, raw & 0xFF, raw >> 8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], extended=True)


def until(condition):
    give_up_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.005)


def listeners(channel):
    from can.interfaces.virtual import channels

    return len(channels.get(channel, []))


def test_obd_j1939_and_configured_signals_are_heard():
    heard = Heard()
    with vehicle("heard") as bus, closing(CanInput(config("heard"), heard)):
        until(lambda: listeners("heard") == 2)
        for each in (obd(88), ccvs1(87.5), frame(0x3E9, [0xFF]), frame(0x100, [1, 2, 3])):
            bus.send(each)
        told = heard.wait(lambda reading: True, 3)
    assert [(each.quantity, each.value) for each in told] == [
        (Quantity.SPEED, 88.0),
        (Quantity.SPEED, 87.5),
        (Quantity.GEAR, -1.0),
    ]
    assert all(each.source == "can" and 0 <= time.monotonic() - each.at_s < WAIT_S for each in told)


def test_remote_and_error_frames_tell_nothing():
    heard = Heard()
    with vehicle("odd") as bus, closing(CanInput(config("odd"), heard)):
        until(lambda: listeners("odd") == 2)
        bus.send(frame(0x3E9, None, is_remote_frame=True, dlc=1))
        bus.send(frame(0x3E9, [5], is_error_frame=True))
        bus.send(frame(0x3E9, [4]))
        heard.wait(lambda reading: reading.value == 4.0)
    assert len(heard.all()) == 1


def test_nothing_is_ever_written_to_the_bus():
    heard = Heard()
    with vehicle("silent") as bus, closing(CanInput(config("silent"), heard)):
        until(lambda: listeners("silent") == 2)
        bus.send(obd(10))
        heard.wait(lambda reading: True)
        assert bus.recv(0.2) is None


@pytest.mark.parametrize("module", [can_input, can_frames])
def test_no_code_can_send(module):
    names = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Attribute)
    }
    assert names.isdisjoint({"send", "send_periodic", "flush_tx_buffer", "Message", "Notifier"})


@pytest.mark.parametrize(
    "error",
    [can.CanOperationError("pulled"), ValueError("pulled"), IndexError("pulled")],
    ids=lambda error: type(error).__name__,
)
def test_a_bus_that_fails_is_opened_again_though_it_cannot_be_closed(monkeypatch, error):
    monkeypatch.setattr("dms.keeper.STEADY_AFTER_S", 0.3)
    heard = Heard()
    with closing(CanInput(config("shaky"), heard)) as opened:
        until(lambda: listeners("shaky") == 1)
        from can.interfaces import virtual

        shutdown = virtual.VirtualBus.shutdown

        def recv(self, timeout=None):
            raise error

        def shutdown_of_a_dead_adapter(self):
            shutdown(self)
            raise can.CanOperationError("not there")

        with monkeypatch.context() as pulled:
            pulled.setattr(virtual.VirtualBus, "recv", recv)
            pulled.setattr(virtual.VirtualBus, "shutdown", shutdown_of_a_dead_adapter)
            until(lambda: opened.fault() is not None)
            assert "CAN bus shaky failed: pulled" in opened.fault()
            until(lambda: listeners("shaky") == 0)
        until(lambda: opened.fault() is None and listeners("shaky") == 1)
        with vehicle("shaky") as bus:
            bus.send(obd(33))
            heard.wait(lambda reading: reading.value == 33.0)


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "can", None)
    with pytest.raises(ConfigError, match=r"dms\[can\]"):
        CanInput(config("none"), Heard())


def test_closing_ends_the_thread_and_leaves_the_bus():
    opened = CanInput(config("left"), Heard())
    until(lambda: listeners("left") == 1)
    opened.close()
    opened.close()
    assert listeners("left") == 0
    assert "dms-can" not in {thread.name for thread in threading.enumerate()}
    assert opened.fault() is None


def test_absurd_speeds_on_the_bus_reach_nobody():
    with open_inputs(config("absurd")) as hub, vehicle("absurd") as bus:
        until(lambda: listeners("absurd") == 2)
        bus.send(ccvs1(80.0))
        until(lambda: hub.context().vehicle.speed_kmh == 80.0)
        bus.send(ccvs1(250.5))
        bus.send(ccvs1(20.0))
        until(lambda: "implausible" in hub.context().vehicle.faults.get("can", ""))
        vehicle_now = hub.context().vehicle
    assert vehicle_now.speed_kmh == 80.0
    assert "1 absurd, 1 implausible" in vehicle_now.faults["can"]
