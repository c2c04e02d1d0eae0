"""Who holds a lock is told, also to those who come just after it was taken."""

import fcntl

import pytest

from dms.engines import lock


@pytest.fixture
def taken(tmp_path):
    """A lock file that somebody holds who has not written yet who it is."""
    path = tmp_path / "build.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


def waiting_for(path):
    said = []
    with pytest.raises(TimeoutError), lock.locked(path, 0, said.append):
        pass
    return said


def test_a_holder_that_is_about_to_write_its_number_is_named(taken, monkeypatch):
    monkeypatch.setattr(lock.time, "sleep", lambda seconds: taken.write_text("123"))
    assert waiting_for(taken) == ["123"]


def test_a_holder_that_never_writes_its_number_is_not_waited_for(taken, monkeypatch):
    slept_s = []
    monkeypatch.setattr(lock, "POLL_S", 0.01)
    monkeypatch.setattr(lock.time, "sleep", slept_s.append)
    assert waiting_for(taken) == ["unknown"]
    assert sum(slept_s) < 0.1
