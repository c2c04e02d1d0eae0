"""Where the files that ship with the package lie, in an installed wheel and in a checkout alike.

A wheel carries `engines/` and `configs/` as `dms/share/…`; a checkout (and an editable install) has them
beside the package.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dms.errors import ConfigError, InputError

_PACKAGE = Path(__file__).resolve().parent


def engines_folder(package: Path = _PACKAGE) -> Path:
    """The folder with one sub-folder an engine.

    Raises:
        InputError: the installation is incomplete.
    """
    return _shared("engines", package)


def configs_folder(package: Path = _PACKAGE) -> Path:
    """The folder with `default.yaml`, `demo.yaml`, `orin.yaml`.

    Raises:
        InputError: the installation is incomplete.
    """
    return _shared("configs", package)


def default_config_path(package: Path = _PACKAGE) -> Path:
    """`default.yaml`: every key with its default, a comment and its unit."""
    return configs_folder(package) / "default.yaml"


def config_path(given: str, package: Path = _PACKAGE) -> Path:
    """The file meant by `--config`: a path, or the name of a shipped one (`demo`, `orin`).

    Raises:
        ConfigError: there is no such file.
    """
    path = Path(given)
    if path.is_file():
        return path
    shipped = {p.stem: p for p in sorted(configs_folder(package).glob("*.yaml"))}
    if given in shipped:
        return shipped[given]
    reason = "is a folder, not a file" if path.is_dir() else "does not exist"
    raise ConfigError(f"{given}: {reason}; give the path of a YAML file or one of: {', '.join(shipped)}")


def assets_folder(package: Path = _PACKAGE) -> Path:
    """The folder with the demonstration clip, its script and its truth."""
    return package / "assets"


def demo_clip(package: Path = _PACKAGE) -> Path:
    """The shipped demonstration clip.

    Raises:
        InputError: the installation is incomplete.
    """
    path = assets_folder(package) / "demo.mp4"
    if not path.is_file():
        raise InputError(f"{path}: the demonstration clip is missing; install the package again")
    return path


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where things built on this device are kept: systemd's folder for the service, else the user's own."""
    service = environment.get("CACHE_DIRECTORY")
    if service:
        return Path(service.split(":")[0])
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dms"


def _shared(name: str, package: Path) -> Path:
    for folder in (package / "share" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise InputError(
        f"the folder {name}/ of the package is missing beside {package}; install the package again"
    )
