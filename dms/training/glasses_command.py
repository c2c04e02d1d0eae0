"""`python -m dms.training glasses`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dms.resources import assets_folder
from dms.training.options import PACK


@click.command()
@PACK
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=lambda: assets_folder() / "glasses.json",
    show_default="the shipped one",
    help="Model to write (JSON).",
)
@click.option("--seed", type=int, default=7, show_default=True)
def glasses(folder: Path, out: Path, seed: int) -> None:
    """Fit the small model that tells glasses; tell how it fares with people it was not fitted on."""
    from dms.training import glasses as fitting

    model = fitting.fit(folder, out, seed)
    click.echo(
        json.dumps(
            {name: value for name, value in model.items() if name not in ("weights", "bias")}, indent=2
        )
    )
