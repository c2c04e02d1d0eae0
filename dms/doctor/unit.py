"""Will it start with the machine, be watched, and have the rights it needs: the systemd service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dms.config import Config
from dms.control.sensors import Sensors
from dms.doctor.check import Check, fail, ok, warn
from dms.doctor.jetson import is_jetson
from dms.doctor.machine import Machine

UNIT = "dms.service"
ASKED = (
    "LoadState",
    "UnitFileState",
    "ActiveState",
    "SubState",
    "Result",
    "NRestarts",
    "User",
    "SupplementaryGroups",
    "WatchdogUSec",
    "DeviceAllow",
)
GPU_BACKENDS = ("trt", "ort-cuda", "ort-tensorrt")
INSTALL = "docs/service.md has the five commands; on a Jetson docs/jetson.md"


def checks(config: Config, machine: Machine) -> Iterator[Check]:
    """All checks of this module."""
    jetson = is_jetson(Sensors(machine.root))
    if not (machine.root / "run/systemd/system").is_dir():
        cure = "only needed for the service; elsewhere let your own supervisor restart `dms run`"
        yield warn("systemd", "not running here", cure)
        return
    unit = _unit(machine)
    if unit.get("LoadState") != "loaded":
        detail = "dms.service is not installed: nothing starts dms with the machine"
        yield warn("service", detail, INSTALL) if jetson else ok("service", detail)
        return
    yield state(unit)
    yield watchdog(unit)
    yield rights(unit, machine, jetson and _on_gpu(config))


def is_running(machine: Machine) -> bool:
    """Whether the service runs now, and so has the camera."""
    return (machine.ask("systemctl", "is-active", UNIT) or "").strip() == "active"


def state(unit: Mapping[str, str]) -> Check:
    """Is it on, and does it run."""
    now = f"{unit.get('ActiveState', 'unknown')} ({unit.get('SubState', 'unknown')})"
    restarts = unit.get("NRestarts", "0")
    detail = f"{unit.get('UnitFileState', 'unknown')}, {now}" + (
        f", restarted {restarts} times" if restarts not in ("", "0") else ""
    )
    if unit.get("ActiveState") == "failed" or unit.get("Result", "success") != "success":
        cure = "journalctl -u dms -n 50 --no-pager"
        return fail("service", f"{detail}; it ended with {unit.get('Result', 'an unknown result')}", cure)
    if unit.get("UnitFileState") != "enabled":
        return warn("service", f"{detail}: does not start with the machine", "sudo systemctl enable dms")
    if unit.get("ActiveState") != "active":
        return warn("service", detail, "sudo systemctl start dms; journalctl -u dms -f")
    return ok("service", detail)


def watchdog(unit: Mapping[str, str]) -> Check:
    """Is a loop that hangs found out."""
    patience = unit.get("WatchdogUSec", "0")
    if patience in ("", "0", "infinity"):
        return warn("watchdog", "off: a hanging loop is never ended", "sudo systemctl revert dms")
    return ok("watchdog", f"a loop that judges no frame for {patience} is ended and started again")


def rights(unit: Mapping[str, str], machine: Machine, gpu: bool) -> Check:
    """Has its user the groups of cameras and GPU, and the unit the devices of the GPU."""
    user = unit.get("User") or "root"
    groups = {*(machine.ask("id", "-nG", user) or "").split(), *unit.get("SupplementaryGroups", "").split()}
    wanted = {"video", "render"} if gpu else {"video"}
    missing = sorted(wanted - groups)
    if missing and user != "root":
        cure = f"sudo usermod -aG {','.join(missing)} {user} && sudo systemctl restart dms"
        return warn("rights", f"user {user} is not in {', '.join(missing)}", cure)
    if gpu and "nvmap" not in unit.get("DeviceAllow", ""):
        cure = (
            "sudo install -Dm644 systemd/jetson.conf /etc/systemd/system/dms.service.d/jetson.conf\n"
            "sudo systemctl daemon-reload && sudo systemctl restart dms"
        )
        return warn("rights", "the unit does not let the service open the GPU", cure)
    return ok("rights", f"user {user}, groups {', '.join(sorted(groups)) or 'unknown'}")


def _unit(machine: Machine) -> dict[str, str]:
    """What systemd tells of the unit; several lines of one property are joined."""
    told: dict[str, str] = {}
    answer = machine.ask("systemctl", "show", UNIT, f"--property={','.join(ASKED)}") or ""
    for line in answer.splitlines():
        name, _, value = line.partition("=")
        told[name] = f"{told[name]} {value}" if name in told else value
    return told


def _on_gpu(config: Config) -> bool:
    engines = config.engines
    nets = (engines.face, engines.eyes, engines.fatigue, engines.distraction)
    return any(engine.backend in GPU_BACKENDS for engine in nets)
