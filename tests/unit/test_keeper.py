"""A keeper and what it keeps; what devices make of it is shown where they are."""

import time

import pytest

from dms.errors import InputError
from dms.keeper import Keeper
from tests.pulse import until


class Broken:
    """A device whose code is wrong."""

    def work(self):
        raise ZeroDivisionError("a mistake")

    def close(self):
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_by_a_mistake_is_told_as_such_and_as_nothing_else():
    keeper = Keeper("broken", lambda wake: Broken())
    assert "has ended" in until(keeper.fault)
    keeper.close()
    assert keeper.fault() is None


class Flimsy:
    """Opens well, works for a while, and fails for as long as it is bad."""

    def __init__(self, works_s=0.0):
        self.works_s = works_s
        self.opened_s = []
        self.bad = True

    def open(self, wake):
        self.opened_s.append(time.monotonic())
        return self

    def work(self):
        time.sleep(0.01)
        if self.bad and time.monotonic() - self.opened_s[-1] >= self.works_s:
            raise InputError("it ended")

    def close(self):
        pass


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("dms.keeper.FIRST_RETRY_S", 0.05)
    monkeypatch.setattr("dms.keeper.LONGEST_RETRY_S", 0.4)
    monkeypatch.setattr("dms.keeper.STEADY_AFTER_S", 0.3)


def test_a_device_that_opens_and_fails_is_tried_less_and_less_often_and_its_fault_stands(quick, caplog):
    device = Flimsy(works_s=0.02)
    keeper = Keeper("flimsy", device.open)
    until(keeper.fault)
    until(lambda: keeper.fault() is None or len(device.opened_s) >= 7)
    assert keeper.fault() == "it ended", "it never worked for long"
    waits_s = [after - before for before, after in zip(device.opened_s, device.opened_s[1:], strict=False)]
    for wait_s, least_s in zip(waits_s, (0.05, 0.1, 0.2, 0.4, 0.4, 0.4), strict=True):
        assert wait_s >= least_s
    assert len([record for record in caplog.records if record.name == "dms.keeper"]) == 1
    keeper.close()


def test_a_device_is_trusted_again_when_it_has_worked_for_a_while(quick):
    device = Flimsy()
    keeper = Keeper("flimsy", device.open)
    until(lambda: len(device.opened_s) >= 4)
    device.bad = False
    until(lambda: keeper.fault() is None)
    assert time.monotonic() - device.opened_s[-1] >= 0.3
    count, device.bad = len(device.opened_s), True
    failed_s = time.monotonic()
    until(lambda: len(device.opened_s) > count)
    assert device.opened_s[count] - failed_s < 0.4, "from the first wait on again"
    keeper.close()


def test_a_good_device_is_well_as_soon_as_it_is_open():
    device = Flimsy()
    device.bad = False
    keeper = Keeper("good", device.open)
    assert (keeper.fault(), len(device.opened_s)) == (None, 1)
    keeper.close()


def test_a_device_that_is_missing_for_days_is_still_looked_for(monkeypatch):
    """A wait that doubles without end is no number any more after 1024 tries, 8.5 hours."""
    monkeypatch.setattr("dms.keeper.FIRST_RETRY_S", 0.0, raising=False)
    monkeypatch.setattr("dms.keeper.LONGEST_RETRY_S", 0.0)
    tries = []

    def open_device(wake):
        tries.append(1)
        raise InputError("not there")

    keeper = Keeper("missing", open_device)
    until(lambda: len(tries) > 1100 or "has ended" in (keeper.fault() or ""))
    assert keeper.fault() == "not there"
    keeper.close()
