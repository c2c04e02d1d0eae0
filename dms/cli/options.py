"""Options and small services that all commands share."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from dms.config import Config

F = TypeVar("F", bound=Callable[..., Any])


def configured(command: F) -> F:
    """The options every command with a configuration has."""
    command = click.option(
        "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one key, e.g. source.fps=15."
    )(command)
    return click.option(
        "--config",
        "configs",
        multiple=True,
        metavar="FILE",
        help="YAML overlay, or the name of a shipped one (demo, orin). May be repeated; later ones win.",
    )(command)


source_option = click.option(
    "--source",
    metavar="URI",
    help="Camera index or device, file, folder, URL, sim:SCRIPT. Wins over the files.",
)


def given(ctx: click.Context, names: Sequence[str]) -> list[str]:
    """The options among `names` that stand on the command line, as they are written there."""
    return [
        param.opts[0]
        for param in ctx.command.params
        if param.name in names and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE
    ]


def load(configs: Sequence[str], overrides: Sequence[str], source: str | None = None) -> Config:
    """The configuration of overlays, `--set` and `--source`, checked."""
    from dms.config.file import load_config
    from dms.resources import config_path

    loaded = load_config([config_path(given) for given in configs], overrides)
    if source is None:
        return loaded
    return loaded.model_copy(update={"source": loaded.source.model_copy(update={"uri": source})})


def start_logging(loaded: Config) -> None:
    """Log to stderr at the configured level."""
    logging.basicConfig(
        level=loaded.sinks.log.level.upper(),
        format="%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s",
        stream=sys.stderr,
    )


def to_json(value: object) -> str:
    """Indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)
