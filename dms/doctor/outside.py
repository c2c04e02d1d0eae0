"""What lies outside the process: source or cameras, broker, the endpoint for Prometheus."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from dms.config import Config, SourceConfig
from dms.doctor.check import Check, fail, ok, warn
from dms.doctor.machine import Machine
from dms.doctor.unit import is_running
from dms.errors import DmsError, SinkError

if TYPE_CHECKING:
    from dms.sources import FrameSource

BROKER_TIMEOUT_S = 3.0
RATE_WINDOW_S = 1.5
"""How long a camera is watched for its rate; 45 frames at 30 Hz."""
SLOW_SHARE = 0.8
"""Less than this share of the rate asked for is worth knowing: often the exposure is too long."""


def checks(config: Config, machine: Machine) -> Iterator[Check]:
    """All checks of this module."""
    running = is_running(machine)
    yield from sources(config, running)
    wanted = any(_is_camera(each.uri) for each in _watched(config).values())
    yield cameras(machine.root / "dev", wanted)
    yield broker(config)
    yield prometheus(config, running)


def sources(config: Config, running: bool) -> Iterator[Check]:
    """What is watched, all at once as a run does; devices are left alone while the service is `running`."""
    if config.cameras and config.source != SourceConfig():
        detail = f"{config.source.uri} is not used: `cameras` stand in its place"
        yield warn("source", detail, "leave `source` out of the configuration, or `cameras`")
    watched = _watched(config)
    with ThreadPoolExecutor(len(watched)) as pool:
        yield from pool.map(lambda name: _source(name, watched[name], running), watched)


def _watched(config: Config) -> dict[str, SourceConfig]:
    """Each source of a run, under the name of its finding."""
    return {f"camera {name}": each for name, each in config.cameras.items()} or {"source": config.source}


def _source(name: str, config: SourceConfig, running: bool) -> Check:
    if running and _is_camera(config.uri):
        return ok(name, f"{config.uri} is in use by the running service and was not tried")
    return source(name, config)


def source(name: str, config: SourceConfig) -> Check:
    """Does a source open and give a frame; a camera: as many a second as it was asked for."""
    try:
        from dms.sources import open_source  # needs OpenCV, whose absence is a finding

        opened = open_source(config)
    except (DmsError, ImportError) as e:
        return _no_source(name, config, e)
    try:
        height, width = opened.newest(config.open_timeout_s).image.shape
        fps = rate_hz(opened) if opened.live else None
    except DmsError as e:
        return _no_source(name, config, e)
    finally:
        opened.close()
    detail = f"{config.uri}: a frame of {width}x{height} pixels came"
    if fps is None:
        return ok(name, detail)
    detail += f", {fps:.0f} a second, {config.fps:g} were asked for"
    if fps >= SLOW_SHARE * config.fps:
        return ok(name, detail)
    cure = "more light or a shorter exposure; see what the camera can: v4l2-ctl --list-formats-ext"
    return warn(name, detail, cure)


def rate_hz(opened: FrameSource) -> float:
    """Frames a second that a live source captures, by their own times; those nobody took count too.

    Raises:
        SourceLost: it stopped giving frames.
    """
    begun_s = last_s = opened.newest(RATE_WINDOW_S).captured_s
    frames = -opened.dropped
    while last_s - begun_s < RATE_WINDOW_S:
        last_s = opened.newest(RATE_WINDOW_S).captured_s
        frames += 1
    return (frames + opened.dropped) / (last_s - begun_s)


def _no_source(name: str, config: SourceConfig, error: Exception) -> Check:
    cure = "name one that exists: --source /dev/video0, --source clip.mp4, or source.uri in a file"
    if name != "source":
        cure = f"name one that exists: cameras.{name.removeprefix('camera ')}.uri in a file"
    return fail(name, f"{config.uri}: {error}", cure)


def cameras(dev: Path, wanted: bool) -> Check:
    """Which V4L2 devices there are, and whether this user may use them."""
    devices = sorted(dev.glob("video*"))
    if not devices and not wanted:
        return ok("cameras", f"none at {dev}/video*; none is configured")
    if not devices:
        return warn("cameras", f"none at {dev}/video*", "plug one in: v4l2-ctl --list-devices; dmesg | tail")
    closed = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if closed:
        cure = 'join the video group and log in again: sudo usermod -aG video "$USER"'
        return warn("cameras", f"no permission for {', '.join(closed)}", cure)
    return ok("cameras", ", ".join(map(str, devices)))


def _is_camera(uri: str) -> bool:
    return uri.isdecimal() or uri.startswith("/dev/")


def broker(config: Config) -> Check:
    """Does anything listen where the MQTT broker should be."""
    mqtt = config.sinks.mqtt
    where = f"{mqtt.host}:{mqtt.port}"
    if not mqtt.enabled:
        return ok("broker", "MQTT is off (sinks.mqtt.enabled)")
    try:
        socket.create_connection((mqtt.host, mqtt.port), BROKER_TIMEOUT_S).close()
    except OSError as e:
        return _no_broker(config, f"{where}: {e}")
    return ok("broker", f"{where} accepts connections")


def _no_broker(config: Config, detail: str) -> Check:
    if not config.sinks.mqtt.demo_broker:
        cure = "sudo apt install mosquitto, or correct sinks.mqtt.host and port"
        return fail("broker", detail, cure)
    if find_spec("amqtt"):
        return ok("broker", f"{detail}; `dms run` will start one for the demonstration")
    cure = "pip install '.[demo]' in the source folder, or start a broker of your own"
    return fail("broker", detail, cure)


def prometheus(config: Config, running: bool) -> Check:
    """Can figures be shown to Prometheus: its client, and the port unless the service is `running` on it."""
    wanted = config.sinks.prometheus
    if not wanted.enabled:
        return ok("prometheus", "off (sinks.prometheus.enabled)")
    if not find_spec("prometheus_client"):
        cure = "pip install 'dms[metrics]', or set sinks.prometheus.enabled to false"
        return fail("prometheus", "the package prometheus-client is not installed", cure)
    url = f"http://{wanted.host}:{wanted.port}/metrics"
    if running:
        return ok("prometheus", f"{url}: the service is running, the port was not tried")
    from dms.sinks.prometheus import PrometheusServer

    try:
        PrometheusServer(wanted).close()
    except SinkError as e:
        return fail("prometheus", str(e), "sinks.prometheus.port; who has it now: sudo ss -ltnp")
    return ok("prometheus", f"{url} can be served")
