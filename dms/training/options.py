"""Options that the commands of `python -m dms.training` share."""

from __future__ import annotations

from pathlib import Path

import click

from dms.engines.contract import CONTRACTS

FOLDER = click.Path(path_type=Path, file_okay=False)
TEACHER = click.Path(path_type=Path, dir_okay=False)
DATA = click.option("--data", type=FOLDER, envvar="DMS_DATA", required=True, help="The data pack's folder.")
PACK = click.option(
    "--pack",
    "folder",
    type=FOLDER,
    required=True,
    help="What `pack` wrote, or a labelled folder of your own.",
)


def recipes() -> Path:
    """Where the recipes that ship lie, whatever the working directory."""
    from dms.resources import configs_folder

    return configs_folder() / "training"


CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=recipes,
    show_default="the recipes that ship",
    help="A recipe, or a folder with <net>.yaml in it.",
)
OUT = click.option("--out", type=FOLDER, required=True, help="Folder to write to.")
NET = click.argument("net", type=click.Choice([*CONTRACTS]))
NET_OR_ALL = click.argument("net", type=click.Choice([*CONTRACTS, "all"]))
POSITIVE = click.IntRange(min=1)
STEPS = click.option("--steps", type=POSITIVE, help="Instead of the recipe's.")
BATCH = click.option("--batch", type=POSITIVE, help="Instead of the recipe's.")
TEACHERS = click.option(
    "--teacher", "teachers", type=FOLDER, multiple=True, help="Folder of a trained net to learn from."
)
RESUME = click.option("--resume", is_flag=True, help="Go on from the last checkpoint; keep what is finished.")
TRAINED = click.option("--from", "trained", type=FOLDER, required=True, help="What `fit` wrote for one net.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
