"""Cabin files: one YAML file a cabin, shipped or of the user's own."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from dms.config.cabin import Cabin
from dms.config.nearest import nearest
from dms.config.yaml_text import read_yaml
from dms.errors import ConfigError


def read_cabin(geometry: str, shipped: Path) -> Cabin:
    """Read a cabin: one of the folder `shipped` by its name, or a YAML file by its path.

    Raises:
        ConfigError: there is no such cabin, or something in it is wrong; says which zone and what to do.
    """
    path = _path(geometry, shipped)
    try:
        content, _ = read_yaml(path.read_bytes(), str(path))
    except OSError as e:
        raise ConfigError(f"cabin.geometry: {path} cannot be read: {e.strerror}") from e
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds no cabin; expected the keys {', '.join(Cabin.model_fields)}")
    try:
        return Cabin.model_validate(content)
    except ValidationError as e:
        raise ConfigError(_explain(e, path)) from e


def cabin_text(cabin: Cabin) -> str:
    """A cabin as the text of its file."""
    head = (
        "# Gaze zones: degrees from straight ahead as the driver sees them, yaw + to his right, pitch + up.\n"
        "# Given for the wheel side named here; for the other they are mirrored.\n\n"
    )
    content = cabin.model_dump(mode="json")
    return head + str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None))


def _path(geometry: str, shipped: Path) -> Path:
    names = sorted(path.stem for path in shipped.glob("*.yaml"))
    if geometry in names:
        return shipped / f"{geometry}.yaml"
    path = Path(geometry)
    if path.is_file():
        return path
    raise ConfigError(
        f"cabin.geometry: there is no cabin and no YAML file {geometry!r}; {nearest(geometry, names)}"
    )


def _explain(error: ValidationError, path: Path) -> str:
    """One line a fault: file, zone and key, what is wrong."""
    lines = []
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"])
        lines.append(": ".join(filter(None, (str(path), where, fault["msg"].removeprefix("Value error, ")))))
    return "\n".join(lines)
