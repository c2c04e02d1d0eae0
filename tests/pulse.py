"""A PulseAudio server of our own: a sink that plays nowhere, and what was played to it."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

RATE_HZ = 48_000


class Pulse:
    """Started anew at will; `heard` are the samples of the sink's monitor since the start."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="dms-pulse-")  # short: a socket's path may have 107 characters
        self.socket = Path(self.folder, "native")
        self.environment = {
            "HOME": self.folder,
            "XDG_RUNTIME_DIR": self.folder,
            "PULSE_RUNTIME_PATH": f"{self.folder}/pulse",
            "PULSE_SERVER": f"unix:{self.socket}",
        }
        self.start()

    def start(self):
        self.socket.unlink(missing_ok=True)
        self._heard = []
        self._server = self._run(
            "pulseaudio -n --daemonize=no --use-pid-file=no --exit-idle-time=-1 --realtime=no "
            "--high-priority=no --log-level=error",
            "-L",
            f"module-native-protocol-unix socket={self.socket} auth-anonymous=1",
            "-L",
            f"module-null-sink sink_name=cabin rate={RATE_HZ} channels=1",
        )
        until(self.socket.exists)
        self._recorder = self._run(
            f"parec -d cabin.monitor --raw --rate={RATE_HZ} --channels=1 --format=s16le --latency-msec=10",
            stdout=subprocess.PIPE,
        )
        threading.Thread(target=self._listen, args=(self._recorder,), daemon=True).start()
        until(lambda: self._heard)

    def stop(self):
        for process in (self._server, self._recorder):
            process.kill()
            process.wait()

    def hang(self):
        self._server.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._server.send_signal(signal.SIGCONT)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def heard(self):
        data = b"".join(self._heard)
        return np.frombuffer(data[: len(data) // 2 * 2], "<i2") / 32768

    def _listen(self, recorder):
        while data := os.read(recorder.stdout.fileno(), 65536):
            self._heard.append(data)
        recorder.stdout.close()

    def _run(self, command, *arguments, **options):
        return subprocess.Popen(
            [*command.split(), *arguments],
            env={**os.environ, **self.environment},
            stderr=subprocess.DEVNULL,
            **options,
        )


def until(condition, within_s=20.0):
    ends_s = time.monotonic() + within_s
    while not (outcome := condition()):
        assert time.monotonic() < ends_s, "it did not come to that"
        time.sleep(0.01)
    return outcome


@pytest.fixture
def pulse(monkeypatch):
    pytest.importorskip("miniaudio", reason="miniaudio is not installed: pip install 'dms[sound]'")
    for program in ("pulseaudio", "parec"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: apt-get install pulseaudio pulseaudio-utils")
    server = Pulse()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield server
    server.close()
