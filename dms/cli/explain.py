"""`dms explain`, `dms bundle`, `dms replay`: why an alert was raised, handing it on, judging it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dms.cli.options import configured, load, to_json

if TYPE_CHECKING:
    from dms.recording.bundle import Bundle
    from dms.recording.documents import Listed

origin_option = click.option(
    "--from",
    "origin",
    type=click.Path(path_type=Path),
    help="Folder of bundles, a bundle, or JSON lines of `run` or `analyze`; by default what is configured.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")

EXPLAIN_EPILOG = """\b
Examples:
  dms explain --from frames.jsonl                                the alerts there are
  dms explain 1a1b137a-2 --from frames.jsonl --plot why.png      why this one was raised
"""
BUNDLE_EPILOG = """\b
Examples:
  dms bundle --last --from /var/lib/dms/blackbox --out bug.dms
  dms bundle 1a1b137a-2 --out bug.dms --no-landmarks             of the configured black box
"""
REPLAY_EPILOG = """\b
Examples:
  dms analyze drive.mp4 --record drive.dms && dms replay drive.dms
  dms replay bug.dms --json
"""


@click.command(epilog=EXPLAIN_EPILOG)
@click.argument("alert_id", required=False)
@origin_option
@click.option("--plot", type=click.Path(path_type=Path), help="Timeline to draw, as PNG (extra plot).")
@json_option
@configured
def explain(
    alert_id: str | None,
    origin: Path | None,
    plot: Path | None,
    as_json: bool,
    configs: Sequence[str],
    overrides: Sequence[str],
) -> None:
    """Tell why an alert was raised.

    Without ALERT_ID: which alerts there are.
    """
    where = origin or _configured(configs, overrides)
    from dms.recording import documents, explanation, story

    if alert_id is None:
        found = documents.alerts_in(where)
        click.echo(to_json([_as_dict(item) for item in found]) if as_json else _table(found, where))
        return
    told = explanation.explain(documents.excerpt(where, alert_id))
    click.echo(to_json(explanation.to_dict(told)) if as_json else story.to_text(told))
    if plot is not None:
        from dms.recording.plot import draw

        draw(told, plot)


@click.command(epilog=BUNDLE_EPILOG)
@click.argument("alert_id", required=False)
@click.option("--last", is_flag=True, help="The bundle written last.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Bundle to write.")
@click.option("--no-landmarks", is_flag=True, help="Leave out the points of the face.")
@origin_option
@configured
def bundle(
    alert_id: str | None,
    last: bool,
    out: Path,
    no_landmarks: bool,
    origin: Path | None,
    configs: Sequence[str],
    overrides: Sequence[str],
) -> None:
    """Cut one alert out for a bug report.

    What is handed on is shown: signals and landmarks, no picture.
    """
    if (alert_id is None) == (not last):
        raise click.UsageError("Give either ALERT_ID or --last.")
    where = origin or _configured(configs, overrides)
    from dms.recording.bundle import open_bundle
    from dms.recording.cut import copy, find
    from dms.recording.replay import replay as judge_again

    copy(*find(where, alert_id), out, landmarks=not no_landmarks)
    with open_bundle(out) as written:
        click.echo(_contents(written))
        difference = judge_again(written).difference
    click.echo("judged again: " + ("identical" if difference is None else str(difference)))


@click.command(epilog=REPLAY_EPILOG)
@click.argument("path", metavar="BUNDLE", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def replay(ctx: click.Context, path: Path, as_json: bool) -> None:
    """Judge a bundle again and compare bit for bit.

    Exit code 1 where something differs.
    """
    from dataclasses import asdict

    from dms import __version__
    from dms.recording.bundle import open_bundle
    from dms.recording.replay import replay as judge_again

    with open_bundle(path) as opened:
        made_by = opened.manifest.get("software")
        result = judge_again(opened)
    if as_json:
        click.echo(to_json({"made_by": made_by, "replayed_by": f"dms {__version__}", **asdict(result)}))
    elif result.difference is None:
        click.echo(f"identical: {result.frames} frames, {result.alerts} phases of alerts")
    else:
        click.echo(f"different after {result.frames} equal frames: {result.difference}")
        click.echo(f"made by {made_by}, judged again by dms {__version__}")
    ctx.exit(0 if result.difference is None else 1)


def _configured(configs: Sequence[str], overrides: Sequence[str]) -> Path:
    """The folder of the black box, or the file of JSON lines, whichever is configured."""
    sinks = load(configs, overrides).sinks
    where = sinks.blackbox.folder or sinks.jsonl.path
    if where is None:
        raise click.UsageError(
            "Give --from: neither a black box (sinks.blackbox.folder) nor JSON lines are configured."
        )
    return Path(where)


def _as_dict(item: Listed) -> dict[str, object]:
    return {
        "id": item.id,
        "type": item.type,
        "severity": item.severity,
        "t_onset": item.onset_s,
        "duration_s": item.duration_s,
        "cause": item.cause,
        "file": item.path.name,
    }


def _table(found: Sequence[Listed], where: Path) -> str:
    if not found:
        return f"no alerts in {where}"
    return "\n".join(
        f"{item.id:<14} {item.onset_s:10.1f} s  {_length(item):>9}  "
        f"{item.severity:<9} {item.type:<24} {item.cause or '(beginning not recorded)'}"
        for item in found
    )


def _length(item: Listed) -> str:
    return "open" if item.duration_s is None else f"{item.duration_s:.1f} s"


def _contents(written: Bundle) -> str:
    """What a bundle holds, for whoever is about to hand it on."""
    told = written.manifest
    landmarks = "with the landmarks of the face" if told.get("landmarks") else "without landmarks"
    return "\n".join(
        [
            f"{written.path}: {written.path.stat().st_size / 1e6:.2f} MB",
            f"  {told.get('lines')} lines of signals {landmarks}; no picture, no name",
            f"  alerts: {', '.join(told.get('alerts') or []) or 'none'}",
            f"  made by {told.get('software')}, Python {told.get('python')}, {told.get('platform')}",
            f"  profiles: {', '.join(p['name'] + ' ' + p['hash'] for p in told.get('profiles') or [])}",
            f"  configuration: the sections {', '.join(told.get('config') or {})}",
        ]
    )
