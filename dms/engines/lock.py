"""One writer at a time among processes: a lock that ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_S = 0.2
MOMENTS = 10


@contextmanager
def locked(path: Path, wait_s: float, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock file `path`; it stays behind, for removing it would race with those who wait.

    Args:
        path: a file that need not exist, in a folder that does.
        wait_s: for how long another process may hold it.
        waiting: hears the number of that process, once, if there is one.

    Raises:
        TimeoutError: another process held it all that time.
        OSError: the file cannot be written.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        if not _taken(handle):
            waiting(_holder(handle))
            _wait(handle, wait_s)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _wait(handle: int, wait_s: float) -> None:
    end_s = time.monotonic() + wait_s
    while not _taken(handle):
        if time.monotonic() > end_s:
            raise TimeoutError(f"process {_holder(handle)} has held it for {wait_s:.0f} s")
        time.sleep(POLL_S)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> str:
    """The number that a process writes just after it took the lock, for which it is given a moment."""
    for _ in range(MOMENTS):
        if number := os.pread(handle, 32, 0):
            return number.decode(errors="replace")
        time.sleep(POLL_S / MOMENTS)
    return "unknown"
