"""A whole process that judges a file at its pace, watched from outside: the cost of one real stream."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import psutil

from dms.control.sensors import Sensors
from dms.errors import EngineError
from dms.tools.bench.row import PACED, busy_s
from dms.tools.bench.watch import DeviceWatch
from dms.tools.bench_pipeline.records import Stream

START_LIMIT_S = 300.0
"""An engine that is built at the first start takes minutes on a small device."""
SETTLE_S = 1.0
"""After its first frame a process is left alone for so long before it is measured."""
LEAST_S = 1.0
END_S = 10.0
"""A process that was told to end is given so long."""
POLL_S = 0.1
LAST_WORDS = 2000
LEVEL = re.compile(r"\blevel (\d)")
"""How the status line speaks of a level of the controller."""


def our_command(uri: str, configured: Sequence[str]) -> list[str]:
    """`dms run` on a file at its pace, with the options given."""
    pace = ("--set", "source.realtime=true")
    return [sys.executable, "-m", "dms", "run", "--source", uri, *configured, *pace]


def peer_command(uri: str, model: Path) -> list[str]:
    """The peer on a file: decoded by OpenCV, at its pace."""
    return [sys.executable, "-m", "dms.tools.bench_pipeline.peers_stream", uri, str(model)]


class _Ears:
    """Hears what a process tells the service manager."""

    def __init__(self, told: socket.socket) -> None:
        told.settimeout(POLL_S)
        self._told = told
        self.ready = False
        self.frames = 0
        self.level: int | None = None
        """The highest level of the controller that it spoke of."""

    def hear(self) -> None:
        """Wait a moment for one message."""
        try:
            message = self._told.recv(4096)
        except TimeoutError:
            return
        self.ready |= message == b"READY=1"
        self.frames += message == b"WATCHDOG=1"
        if message.startswith(b"STATUS=") and (found := LEVEL.search(message.decode(errors="replace"))):
            self.level = max(self.level or 0, int(found[1]))


def watch_stream(command: Sequence[str], seconds: float, sensors: Sensors) -> Stream:
    """Run a command that tells, as to systemd, when it is ready and each frame it judged; then end it.

    Raises:
        EngineError: it ended before it was measured, or never judged a frame.
    """
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(f"{folder}/notify")
        with Path(folder, "words").open("w+b") as words:
            begun_s = time.perf_counter()
            process = subprocess.Popen(
                command,
                env={**os.environ, "NOTIFY_SOCKET": f"{folder}/notify"},
                stdout=subprocess.DEVNULL,
                stderr=words,
            )
            try:
                return _measured(process, _Ears(told), begun_s, seconds, sensors)
            except (psutil.Error, TimeoutError) as error:
                raise EngineError(f"{' '.join(command[1:4])} ended early: {_last(words)}") from error
            finally:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _measured(
    process: subprocess.Popen[bytes], ears: _Ears, begun_s: float, seconds: float, sensors: Sensors
) -> Stream:
    """What a process costs for so many seconds, once it is ready and has settled.

    Raises:
        TimeoutError: it ended, or judged nothing.
    """
    _hear_until(lambda: ears.ready or process.poll() is not None, ears, START_LIMIT_S)
    start_s = time.perf_counter() - begun_s
    _hear_until(lambda: not ears.ready, ears, SETTLE_S)
    child, watch = psutil.Process(process.pid), DeviceWatch(sensors)
    watch.told(PACED)
    frames, begun_s, begun_own_s, begun_all_s = ears.frames, time.perf_counter(), _cpu_s(child), busy_s()
    for _ in range(max(1, round(seconds))):
        watch.look()
        _hear_until(lambda: process.poll() is not None, ears, seconds / max(1, round(seconds)))
    spent_s, own_s = time.perf_counter() - begun_s, _cpu_s(child) - begun_own_s
    fps = (ears.frames - frames) / spent_s
    if process.poll() is not None or not fps:
        raise TimeoutError
    return Stream(
        seconds=round(spent_s, 2),
        start_s=round(start_s, 3),
        fps=round(fps, 2),
        cpu_percent=round(100 * own_s / spent_s, 2),
        others_percent=round(100 * max(0.0, busy_s() - begun_all_s - own_s) / spent_s, 1),
        rss_mb=_status_mb(process.pid, "VmRSS"),
        peak_mb=_status_mb(process.pid, "VmHWM"),
        pss_mb=_pss_mb(process.pid),
        threads=child.num_threads(),
        level=ears.level,
        device=watch.device(fps),
    )


def _hear_until(done: Callable[[], bool], ears: _Ears, limit_s: float) -> None:
    end_s = time.perf_counter() + limit_s
    while not done() and time.perf_counter() < end_s:
        ears.hear()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _status_mb(pid: int, field: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return _megabytes(next(line for line in lines if line.startswith(f"{field}:")))


def _pss_mb(pid: int) -> float | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((_megabytes(line) for line in lines if line.startswith("Pss:")), None)


def _megabytes(line: str) -> float:
    return round(int(line.split()[1]) * 1024 / 1e6, 1)


def _last(words: BinaryIO) -> str:
    words.seek(0)
    text = words.read().decode(errors="replace").strip()[-LAST_WORDS:]
    return text or "it said nothing; give a longer clip"
