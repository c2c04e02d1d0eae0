"""Will a run with this configuration work: engines, source, cameras, broker, outputs."""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from dms.config import Config
from dms.doctor.check import Check, Grade
from dms.errors import DmsError

ENGINES = ("face", "eyes", "fatigue", "distraction")
BROKER_TIMEOUT_S = 3.0
TIMED_RUNS = 5
LITTLE_DISK_BYTES = 1 << 30
NO_DISK_BYTES = 50 << 20


def engines(config: Config) -> Iterator[Check]:
    """Each engine: is the file the one its manifest names, does it load, does it run, how fast."""
    for name in ENGINES:
        try:
            detail = _try_engine(config, name)
        except (DmsError, ImportError) as e:
            cure = "restore the engine file, or install the package again"
            yield Check(f"engine {name}", Grade.FAIL, str(e), cure)
        else:
            yield Check(f"engine {name}", Grade.OK, detail)


def _try_engine(config: Config, name: str) -> str:
    from dms.engines.opening import open_engine

    engine = open_engine(name, config.engines)
    backend = engine.backend
    feeds = {
        spec.name: np.zeros([size or 1 for size in spec.shape], spec.dtype)
        for spec in backend.inputs.values()
    }
    backend.infer(feeds)
    times_s = []
    for _ in range(TIMED_RUNS):
        begun_s = time.perf_counter()
        backend.infer(feeds)
        times_s.append(time.perf_counter() - begun_s)
    backend.close()
    took_ms = statistics.median(times_s) * 1e3
    return f"{engine.artefact} on {engine.runtime}, hash verified, {took_ms:.2f} ms a run"


def source(config: Config) -> Check:
    """Does the configured source open and give a frame."""
    try:
        from dms.sources import open_source

        opened = open_source(config.source)
    except (DmsError, ImportError) as e:
        return _no_source(config, e)
    try:
        frame = opened.newest(config.source.open_timeout_s)
    except DmsError as e:
        return _no_source(config, e)
    finally:
        opened.close()
    height, width = frame.image.shape
    return Check("source", Grade.OK, f"{config.source.uri}: a frame of {width}x{height} pixels came")


def _no_source(config: Config, error: Exception) -> Check:
    cure = "name one that exists: --source /dev/video0, --source clip.mp4, or source.uri in a file"
    return Check("source", Grade.FAIL, f"{config.source.uri}: {error}", cure)


def cameras(dev: Path = Path("/dev")) -> Check:
    """Which V4L2 devices there are, and whether this user may use them."""
    devices = sorted(dev.glob("video*"))
    if not devices:
        return Check(
            "cameras", Grade.WARN, f"none at {dev}/video*", "plug one in; files and streams need none"
        )
    closed = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if closed:
        cure = 'join the video group and log in again: sudo usermod -aG video "$USER"'
        return Check("cameras", Grade.WARN, f"no permission for {', '.join(closed)}", cure)
    return Check("cameras", Grade.OK, ", ".join(map(str, devices)))


def broker(config: Config) -> Check:
    """Does anything listen where the MQTT broker should be."""
    mqtt = config.sinks.mqtt
    where = f"{mqtt.host}:{mqtt.port}"
    if not mqtt.enabled:
        return Check("broker", Grade.OK, "MQTT is off (sinks.mqtt.enabled)")
    try:
        socket.create_connection((mqtt.host, mqtt.port), BROKER_TIMEOUT_S).close()
    except OSError as e:
        return _no_broker(config, f"{where}: {e}")
    return Check("broker", Grade.OK, f"{where} accepts connections")


def _no_broker(config: Config, detail: str) -> Check:
    if not config.sinks.mqtt.demo_broker:
        cure = "start it (apt install mosquitto) or correct sinks.mqtt.host and port"
        return Check("broker", Grade.FAIL, detail, cure)
    if find_spec("amqtt"):
        return Check("broker", Grade.OK, f"{detail}; `dms run` will start one for the demonstration")
    cure = "pip install '.[demo]' in the source folder, or start a broker of your own"
    return Check("broker", Grade.FAIL, detail, cure)


def outputs(config: Config) -> Check:
    """Can the JSON lines file be written, and is there room for it."""
    path = Path(config.sinks.jsonl.path or "frames.jsonl").resolve()
    if config.sinks.jsonl.path and not _writable(path):
        cure = f"choose another place with sinks.jsonl.path, or make this one: mkdir -p {path.parent}"
        return Check("outputs", Grade.FAIL, f"{path} cannot be written", cure)
    folder = next(parent for parent in path.parents if parent.is_dir())
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free at {folder}"
    if free < NO_DISK_BYTES:
        return Check("outputs", Grade.FAIL, detail, "make room on the disk")
    if free < LITTLE_DISK_BYTES:
        return Check("outputs", Grade.WARN, detail, "make room: an hour of JSON lines takes about 100 MB")
    return Check("outputs", Grade.OK, detail)


def _writable(path: Path) -> bool:
    return os.access(path if path.exists() else path.parent, os.W_OK) and not path.is_dir()


def checks(config: Config) -> Sequence[Check]:
    """All checks of this module."""
    return (*engines(config), source(config), cameras(), broker(config), outputs(config))
