"""Options and small services that all commands share."""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from dms.config import Config

F = TypeVar("F", bound=Callable[..., Any])


class FiniteRange(click.FloatRange):
    """A number in a range; click's own type lets `nan` through every range, and `inf` where it has no end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number that `value` is."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


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


def load_run(configs: Sequence[str], overrides: Sequence[str], source: str | None) -> Config:
    """The configuration of a run, where `cameras` stand in place of `source`.

    Raises:
        ConfigError: beside `cameras`, the command line gives `source`, which would have no effect.
    """
    from dms.errors import ConfigError

    loaded = load(configs, overrides, source)
    wrong = [f"--source {source}"] if source is not None else []
    wrong += [f"--set {text}" for text in overrides if re.match(r"\s*source\s*[.=]", text)]
    if loaded.cameras and wrong:
        raise ConfigError(
            f"{wrong[0]}: the configuration has `cameras` ({', '.join(loaded.cameras)}), which stand in "
            "place of `source`: leave one of the two out, or write cameras.<name>.<key>"
        )
    return loaded


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
