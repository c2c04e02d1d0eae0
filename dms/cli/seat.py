"""`dms seat`: what is kept of a driver from drive to drive."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dms.cli.options import configured, load


@click.group()
def seat() -> None:
    """Show or delete what is kept of a driver for his next drive.

    Nothing is kept unless `seat.consent` is true: figures of how far his eyes open, without identity.
    """


@seat.command()
@configured
def show(configs: Sequence[str], overrides: Sequence[str]) -> None:
    """Print the kept file, and where it lies."""
    from dms.seat import Seat

    path = Seat(load(configs, overrides).seat).path
    click.echo(
        f"{path}\n{path.read_text(encoding='utf-8')}" if path.is_file() else f"{path}: nothing is kept"
    )


@seat.command()
@configured
def forget(configs: Sequence[str], overrides: Sequence[str]) -> None:
    """Delete what is kept of this seat's driver."""
    from dms.seat import Seat

    kept = Seat(load(configs, overrides).seat)
    click.echo(f"{kept.path}: {'deleted' if kept.forget() else 'nothing was kept'}")
