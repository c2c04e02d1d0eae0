"""`dms seat`: what is kept of a driver from drive to drive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from dms.cli.options import configured, load
from dms.errors import InputError

EPILOG = """\b
Examples:
  dms seat show --config my.yaml       what the next drive would start from
  dms seat forget --config my.yaml     another driver's seat now
"""


@click.group(epilog=EPILOG)
def seat() -> None:
    """Show or delete what is kept of a driver for his next drive.

    Nothing is kept unless `seat.consent` is true: figures of how far his eyes open, without identity.
    """


@seat.command()
@configured
def show(configs: Sequence[str], overrides: Sequence[str]) -> None:
    """Print the kept file, and where it lies.

    Only what was fully learned is kept: a drive of less than `assess.baseline.learn_s` with the eyes open and
    seen leaves nothing.
    """
    from dms.seat import Seat

    loaded = load(configs, overrides)
    kept = Seat(loaded.seat)
    path, fault = kept.path, None
    if path.is_file():
        fault = kept.fault()
        click.echo(f"{path}\n{_text(path)}")
    else:
        click.echo(
            f"{path}: nothing is kept; a drive is once its eyes are fully learned, "
            f"{loaded.assess.baseline.learn_s:g} s of open eyes"
        )
    if not loaded.seat.consent:
        click.echo("seat.consent is off: nothing is read and nothing will be written")
    if fault:
        raise InputError(f"{path}: {fault}; `dms seat forget` deletes it")


@seat.command()
@configured
def forget(configs: Sequence[str], overrides: Sequence[str]) -> None:
    """Delete what is kept of this seat's driver."""
    from dms.seat import Seat

    kept = Seat(load(configs, overrides).seat)
    click.echo(f"{kept.path}: {'deleted' if kept.forget() else 'nothing was kept'}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
