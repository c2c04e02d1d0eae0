"""Plays every named story at every rate, prints the list: `python -m tests.scenarios > docs/stories.md`."""

import sys

import click

from tests.scenarios.stories import CHAPTERS, of
from tests.scenarios.telling import RATES, NamedStory

_HEAD = """\
# The stories

Every story is played in simulated time at four frame rates, against the whole judgement: what the engines
would say of the driver goes in, alerts come out. A story passes at a rate when exactly the alerts of the
third column come, at the second given there, one frame sooner or later. "Told" counts every alert that is
raised, worsens or told again; "stands until" means that it does not end before. Times count from the moment
the story is about. Where nothing else is said the car drives at 90 km/h under the profile `euroncap_2026`.

Printed by `python -m tests.scenarios`. The same stories are tests:
`python -m pytest tests/scenarios/test_stories.py`.
"""


def main() -> int:
    """Print the list; fail if a story does."""
    click.echo(_HEAD)
    passed = failed = 0
    for title, chapter in CHAPTERS.items():
        click.echo(f"## {title}\n")
        click.echo(_row("story", "the driver", "what must come of it", *(f"{fps:g} fps" for fps in RATES)))
        click.echo(_row(*["---"] * (3 + len(RATES))))
        for name, told in of(chapter).items():
            marks = [_mark(name, told, fps) for fps in RATES]
            passed += marks.count("pass")
            failed += len(marks) - marks.count("pass")
            click.echo(_row(name, told.title, told.expected(), *marks))
        click.echo("")
    count = sum(len(of(chapter)) for chapter in CHAPTERS.values())
    click.echo(f"{count} stories at {len(RATES)} rates: {passed} passed, {failed} failed.")
    return 1 if failed else 0


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _mark(name: str, told: NamedStory, fps: float) -> str:
    wrong = told.wrong_at(fps)
    for line in wrong:
        click.echo(f"{name} at {fps:g} fps: {line}", err=True)
    return "FAIL" if wrong else "pass"


if __name__ == "__main__":
    sys.exit(main())
