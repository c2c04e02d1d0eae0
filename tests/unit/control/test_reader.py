"""The thread that reads: newest, hanging, failing and closed."""

import logging
import threading
import time

import pytest

from dms.control.reader import SensorReader
from dms.control.sensors import Sensors
from dms.records import DeviceReading
from tests.unit.control import trees

PATIENCE_S = 10.0


class Scripted:
    """Sensors whose reads are let through one by one; an answer that is an error is raised."""

    def __init__(self, *answers):
        self._answers = iter(answers)
        self._let = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)

    def let(self):
        """Let the read under way return, and wait until the next one has begun."""
        self._let.release()
        assert self.asked.acquire(timeout=PATIENCE_S)

    def finish(self):
        """Let all reads return."""
        self._let.release(1000)

    def read(self, now_s):
        self.asked.release()
        self._let.acquire()
        answer = next(self._answers, None)
        if isinstance(answer, Exception):
            raise answer
        return answer or DeviceReading(read_s=now_s)


class Counted(Sensors):
    """The real sensors, which tell of each read."""

    def __init__(self, root):
        super().__init__(root)
        self.asked = threading.Semaphore(0)

    def read(self, now_s):
        self.asked.release()
        return super().read(now_s)


@pytest.fixture
def begin():
    """Starts readers of scripted sensors, with the first read under way."""
    begun = []

    def start(*answers):
        sensors = Scripted(*answers)
        reader = SensorReader(sensors, every_s=0.001)
        begun.append((sensors, reader))
        assert sensors.asked.acquire(timeout=PATIENCE_S)
        return sensors, reader

    yield start
    for sensors, reader in begun:
        sensors.finish()
        reader.close()


def cool(celsius):
    return DeviceReading(read_s=1.0, temperatures_c={"cpu": celsius})


def test_before_the_first_read_nothing_is_known_then_the_newest_is(begin):
    sensors, reader = begin(cool(40.0), cool(41.0))
    assert reader.newest() is None
    sensors.let()
    assert reader.newest() == cool(40.0)
    sensors.let()
    assert reader.newest() == cool(41.0)


def test_a_read_that_hangs_leaves_the_last_one_and_holds_nobody_up(begin, caplog):
    sensors, reader = begin(cool(40.0))
    sensors.let()
    assert reader.newest() == cool(40.0)
    with caplog.at_level(logging.WARNING, "dms.control.reader"):
        reader.close()
    assert "still hangs" in caplog.text


def test_a_read_that_fails_leaves_all_unknown_is_told_once_and_tried_again(begin, caplog):
    sensors, reader = begin(
        cool(40.0), RuntimeError("no such luck"), RuntimeError("no such luck"), cool(42.0)
    )
    sensors.let()
    with caplog.at_level(logging.ERROR, "dms.control.reader"):
        sensors.let()
        failed = reader.newest()
        assert failed.hottest_c is None
        assert failed.throttled_by is None
        assert failed.read_s == pytest.approx(time.monotonic(), abs=PATIENCE_S)
        sensors.let()
        assert [record.getMessage() for record in caplog.records] == [
            "sensors cannot be read, all of them are unknown: RuntimeError: no such luck"
        ]
        assert caplog.records[0].exc_info is not None
    sensors.let()
    assert reader.newest() == cool(42.0)


def test_a_failure_that_comes_back_is_told_again(begin, caplog):
    sensors, reader = begin(ValueError("a"), cool(40.0), ValueError("a"))
    with caplog.at_level(logging.ERROR, "dms.control.reader"):
        for _ in range(3):
            sensors.let()
    assert len(caplog.records) == 2
    assert reader.newest().hottest_c is None


def test_the_real_sensors_are_read_in_a_thread_of_their_name_that_ends(tmp_path):
    sensors = Counted(trees.orin_nano_jetpack_6(tmp_path))
    reader = SensorReader(sensors, every_s=0.001)
    thread = next(thread for thread in threading.enumerate() if thread.name == "sensors")
    assert thread.daemon
    assert sensors.asked.acquire(timeout=PATIENCE_S)
    assert sensors.asked.acquire(timeout=PATIENCE_S)  # the first has been kept
    reader.close()
    assert not thread.is_alive()
    assert reader.newest().hottest_c == 51.0
