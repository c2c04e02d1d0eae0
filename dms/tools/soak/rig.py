"""What can be disturbed around the loop: engines, the broker, the disk."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from dms.backends import Arrays, Backend
from dms.backends.checked import CheckedBackend
from dms.demo_broker import DemoBroker
from dms.engines.opening import Opened
from dms.errors import SinkError
from dms.tools.soak.sensors import SensorTree
from dms.tools.soak.source import Laps

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
PAGE, PAGE_S = 4096, 0.05
"""Bytes that the slow disk takes at once, and how long over them: an SD card that collects garbage."""


class FaultyBackend:
    """A backend that answers as `answer` does with the real one."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self.inputs = inner.inputs
        self.outputs = inner.outputs
        self.answer: Callable[[Backend, Arrays], Arrays] | None = None
        """None: as the real one does."""

    def infer(self, feeds: Arrays) -> Arrays:
        """See `Backend.infer`."""
        return self.answer(self._inner, feeds) if self.answer else self._inner.infer(feeds)

    def close(self) -> None:
        """Close the real one."""
        self._inner.close()


def disturbable(engines: Mapping[str, Opened], faulty: dict[str, list[FaultyBackend]]) -> dict[str, Opened]:
    """The engines with a `FaultyBackend` before each, which is noted in `faulty` by the engine's name.

    Their answers are checked behind it, as those of the engine itself. On a GPU frames are then cut by the
    processor.
    """
    wrapped = {}
    for name, engine in engines.items():
        backend = FaultyBackend(engine.backend)
        faulty.setdefault(name, []).append(backend)
        wrapped[name] = replace(engine, backend=CheckedBackend(name, backend), device=None)
    return wrapped


class SoakBroker(Protocol):
    """A broker on loopback that the soak owns."""

    port: int
    can_freeze: bool

    def start(self) -> None:
        """Listen."""
        ...

    def stop(self) -> None:
        """End, and forget everything. May be called twice."""
        ...

    def freeze(self) -> None:
        """Go on holding connections, and answer nothing."""
        ...

    def thaw(self) -> None:
        """Answer again."""
        ...


class Mosquitto:
    """The installed mosquitto as a process of its own."""

    can_freeze = True

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        # Started by root it would become a user who may not read this folder.
        self._config.write_text(f"user root\nallow_anonymous true\nlistener {self.port} 127.0.0.1\n")
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """See `SoakBroker`."""
        self._process = subprocess.Popen(
            [self._program, "-c", self._config],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the soak: the broker must hear its last words
        )
        give_up_s = time.monotonic() + START_TIMEOUT_S
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > give_up_s:
                self.stop()
                raise SinkError(f"{self._program} does not listen on port {self.port}; start it by hand")
            time.sleep(0.02)

    def stop(self) -> None:
        """See `SoakBroker`."""
        if self._process is not None:
            self._process.kill()  # works on one that is frozen, too
            self._process.wait(STOP_TIMEOUT_S)
            self._process = None

    def freeze(self) -> None:
        """See `SoakBroker`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """See `SoakBroker`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)


class Amqtt:
    """The broker for demonstrations, inside this process."""

    can_freeze = False

    def __init__(self) -> None:
        self.port = free_port()
        self._broker: DemoBroker | None = None

    def start(self) -> None:
        """See `SoakBroker`."""
        self._broker = DemoBroker("127.0.0.1", self.port)

    def stop(self) -> None:
        """See `SoakBroker`."""
        if self._broker is not None:
            self._broker.close()
            self._broker = None

    def freeze(self) -> None:
        """Not to be had: `can_freeze` is False."""

    def thaw(self) -> None:
        """Not to be had."""


@contextmanager
def open_broker(folder: Path) -> Iterator[SoakBroker]:
    """A broker that listens: mosquitto if it is installed, else the one for demonstrations.

    Raises:
        SinkError: neither can be started.
    """
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    broker: SoakBroker = Mosquitto(program, folder) if program else Amqtt()
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Every write to `path`, which this process holds open, fails for want of room."""
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with _exchanged(path, full):
            yield
    finally:
        os.close(full)


@contextmanager
def slow_disk(path: Path) -> Iterator[None]:
    """Every write to `path`, which this process holds open, waits for a disk that takes its time."""
    taken, given = os.pipe()
    fcntl.fcntl(given, fcntl.F_SETPIPE_SZ, PAGE)
    disk = threading.Thread(target=_take_slowly, args=(taken,), name="soak-disk", daemon=True)
    disk.start()
    try:
        with _exchanged(path, given):
            yield
    finally:
        os.close(given)
        disk.join()
        os.close(taken)


@dataclass(slots=True)
class Rig:
    """All that can be disturbed. `each` is called at every frame."""

    source: Laps
    engines: Mapping[str, list[FaultyBackend]]
    sensors: SensorTree
    broker: SoakBroker
    lines: Path
    each: Callable[[], None] = lambda: None


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


@contextmanager
def _exchanged(path: Path, other: int) -> Iterator[None]:
    """What is written to `path` goes to the handle `other`: no other file of the process is touched."""
    handle = _handle_of(path)
    kept = os.dup(handle)
    os.dup2(other, handle, inheritable=False)
    try:
        yield
    finally:
        os.dup2(kept, handle, inheritable=False)
        os.close(kept)


def _handle_of(path: Path) -> int:
    own = Path("/proc/self/fd")
    for name in os.listdir(own):
        try:
            if os.readlink(own / name) == str(path.resolve()):
                return int(name)
        except OSError:
            continue  # the handle of this very listing
    raise SinkError(f"{path} is not open in this process")


def _take_slowly(handle: int) -> None:
    while os.read(handle, PAGE):
        time.sleep(PAGE_S)
