"""Shows how the timelines have changed: `python -m tests.golden [--accept] [--record FOLDER_OF_CLIPS]`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tests.golden.timelines import CLIPS, accept, difference, record, timeline


@click.command()
@click.option("--accept", "accepting", is_flag=True, help="Expect what comes out now.")
@click.option(
    "--record", "clips", type=click.Path(path_type=Path), help="Let the engines see the clips anew."
)
def main(accepting: bool, clips: Path | None) -> None:
    """Judge the recordings, show what has changed; with --accept, keep it as what is expected."""
    changed = False
    for name in CLIPS:
        if clips:
            record(name, clips)
        now = timeline(name)
        change = difference(name, now)
        changed = changed or bool(change)
        click.echo(f"{name}: {'changed' if change else 'as accepted'}")
        if change:
            click.echo(change)
        if accepting:
            accept(name, now)
    sys.exit(changed and not accepting)


if __name__ == "__main__":
    main()
