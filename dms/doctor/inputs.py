"""Who tells of vehicle and driver: is the broker there, the bus and its driver, gpsd."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from dms.config import Config
from dms.config.inputs import CanInputConfig, GnssInputConfig
from dms.doctor.check import Check, fail, ok, warn

TIMEOUT_S = 3.0
NO_SPEED = (
    "no source is set up (inputs): the vehicle counts as fast, also when it stands; no lockout, no standstill"
)


def checks(config: Config) -> Iterator[Check]:
    """All checks of this module."""
    yield speed(config)
    yield mqtt(config)
    yield can(config.inputs.can)
    yield gnss(config.inputs.gnss)


def speed(config: Config) -> Check:
    """Is any source of the vehicle's speed set up."""
    if sources := config.inputs.tell_speed:
        return ok("speed", f"from {', '.join(sources)}, the first that is fresh")
    return ok("speed", NO_SPEED)


def mqtt(config: Config) -> Check:
    """Does the broker accept connections, where something is to be heard from it."""
    inputs, broker = config.inputs.mqtt, config.sinks.mqtt
    where = f"{broker.host}:{broker.port}"
    if not (inputs.signals or inputs.acknowledge):
        return ok("input mqtt", "off (inputs.mqtt)")
    try:
        socket.create_connection((broker.host, broker.port), TIMEOUT_S).close()
    except OSError as e:
        return fail("input mqtt", f"{where}: {e}", "start the broker, or correct sinks.mqtt.host and port")
    detail = f"{where} accepts connections"
    if inputs.signals and not inputs.require_ts:
        cure = "let senders add a time and set inputs.mqtt.require_ts; allow only them in the access list"
        return warn("input mqtt", f"{detail}; a replay of messages without a time cannot be told", cure)
    return ok("input mqtt", detail)


def can(config: CanInputConfig) -> Check:
    """Is python-can installed, the bus up, and the adapter unable to write to it."""
    if not config.enabled:
        return ok("input can", "off (inputs.can.enabled)")
    if not find_spec("can"):
        return fail("input can", "python-can is not installed", "pip install 'dms[can]'")
    if config.interface != "socketcan":
        return ok("input can", f"{config.interface} {config.channel} is tried at the start")
    name, up = config.channel, f"sudo ip link set {config.channel} up type can bitrate 500000 listen-only on"
    link = _link(name)
    if link is None:
        return fail("input can", f"there is no network interface {name}", f"plug the adapter in, then {up}")
    if "UP" not in link.get("flags", []):
        return fail("input can", f"{name} is down", up)
    if "LISTEN-ONLY" not in link.get("linkinfo", {}).get("info_data", {}).get("ctrlmode", []):
        detail = f"{name} is up, but its controller confirms frames of others"
        return warn("input can", detail, f"sudo ip link set {name} down; {up}")
    return ok("input can", f"{name} is up, listen-only")


def gnss(config: GnssInputConfig) -> Check:
    """Does gpsd greet."""
    where = f"{config.gpsd_host}:{config.gpsd_port}"
    if not config.enabled:
        return ok("input gnss", "off (inputs.gnss.enabled)")
    cure = "sudo apt install gpsd; name the receiver in /etc/default/gpsd; look with cgps"
    try:
        with socket.create_connection((config.gpsd_host, config.gpsd_port), TIMEOUT_S) as connection:
            greeting = connection.recv(1024)
    except OSError as e:
        return fail("input gnss", f"{where}: {e}", cure)
    if b'"VERSION"' not in greeting:
        return fail("input gnss", f"{where} is not gpsd", "correct inputs.gnss.gpsd_host and gpsd_port")
    return ok("input gnss", f"gpsd answers at {where}")


def _link(name: str) -> dict[str, Any] | None:
    """What the kernel tells of a network interface; None where there is none."""
    ip = shutil.which("ip") or "/usr/sbin/ip"
    try:
        told = subprocess.run(
            [ip, "-details", "-json", "link", "show", "dev", name],
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    links: list[dict[str, Any]] = json.loads(told.stdout)
    return links[0] if links else None
