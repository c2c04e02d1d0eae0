"""What the `dms engines` commands share: which net, which folder, which extra is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from dms.engines.contract import CONTRACTS
from dms.engines.limits import LEAST_IMAGES, MOST_IMAGES

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
DATA = "A pack, or a labelled folder (`dms calibrate collect` makes one)."
F = TypeVar("F", bound=Callable[..., Any])

net_argument = click.argument("net", type=click.Choice([*CONTRACTS, "all"]))
most_option = click.option(
    "--most",
    type=click.IntRange(min=LEAST_IMAGES),
    default=MOST_IMAGES,
    show_default=True,
    help="Pictures used for ranges.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def engines_option(command: F) -> F:
    """Where the engines lie."""
    return click.option(
        "--engines", "folder", type=FOLDER, help="Folder of the engines; left out, those that dms runs with."
    )(command)


def nets(net: str) -> tuple[str, ...]:
    """The nets meant by the argument."""
    return tuple(CONTRACTS) if net == "all" else (net,)


def engines_in(folder: Path | None) -> Path:
    """The folder of the engines."""
    from dms.resources import engines_folder

    return folder or engines_folder()


@contextmanager
def tools() -> Iterator[None]:
    """Says which extra brings a package that is missing.

    Raises:
        ConfigError: one is missing.
    """
    from dms.errors import ConfigError

    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(f"making engines needs {error.name}: pip install 'dms[quantize]'") from error
