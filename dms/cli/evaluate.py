"""`dms evaluate`: how good the engines are, with intervals, and how well whole recordings are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dms.cli.evaluation_found import Drawn, Found
from dms.cli.options import configured, load, to_json
from dms.engines.contract import CONTRACTS
from dms.terminal import progress, recording_length_s

if TYPE_CHECKING:
    from dms.config import Config
    from dms.tools.events import ClipScore

NETS = tuple(CONTRACTS)
EPILOG = """\b
Examples:
  dms evaluate --data my_pictures                  a folder of yours with labels.csv (docs/datasets.md)
  dms evaluate --data pack --engine eyes --plot eyes.png
  dms evaluate --clips drives/ --plot timeline.png
  dms evaluate --data pack --clips drives/ --robustness --publish      all engines, speeds too

\b
The intervals hold 95 %: people, not pictures, are drawn with replacement 1,000 times. Clips need their
truth beside them: `drive.events.yaml` beside drive.mp4, a list of
  - {kind: eyes_closed, start_s: 4.4, end_s: 8.9}
or what `dms simulate` writes. Kinds: eyes_closed, look_away, phone, yawn, absent, blocked, eyes_hidden.
"""
PATH = click.Path(path_type=Path)


@click.command(epilog=EPILOG)
@click.option(
    "--data",
    type=PATH,
    envvar="DMS_PACK",
    help="Labelled pictures: a folder of yours, or a pack (or DMS_PACK).",
)
@click.option("--clips", type=PATH, multiple=True, help="Video file or folder of them, for scores of events.")
@click.option(
    "--engine", "nets", type=click.Choice(NETS), multiple=True, help="Only this one; may be repeated."
)
@click.option(
    "--precision", "precisions", multiple=True, metavar="NAME", help="Only this artefact, e.g. int8."
)
@click.option("--backend", default="ort", show_default=True, metavar="NAME", help="Runtime of the metrics.")
@click.option("--engines", "folder", type=PATH, help="Folder of the engines; otherwise the configured one.")
@click.option("--robustness", is_flag=True, help="Also under light, blur, glasses, masks …, and by group.")
@click.option("--no-speed", is_flag=True, help="Leave the milliseconds out.")
@click.option(
    "--plot", type=PATH, help="PNG, or folder for all: reliability of sigma, timeline of the clips."
)
@click.option(
    "--publish", is_flag=True, help="Write metrics.json, manifests, cards and docs/*.md of this checkout."
)
@click.option(
    "--docs", type=PATH, default=Path("docs"), show_default=True, help="Where --publish puts pages."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@configured
def evaluate(
    data: Path | None,
    clips: Sequence[Path],
    nets: Sequence[str],
    precisions: Sequence[str],
    backend: str,
    folder: Path | None,
    robustness: bool,
    no_speed: bool,
    plot: Path | None,
    publish: bool,
    docs: Path,
    as_json: bool,
    configs: Sequence[str],
    overrides: Sequence[str],
) -> None:
    """Measure engines on pictures, the system on recordings.

    Prints every metric with its interval, and targets where the data is what the published figures rest on.
    """
    if data is None and not clips:
        raise click.UsageError("give --data (labelled pictures), --clips (recordings), or both")
    config = _config(configs, overrides, folder)
    if publish:
        _check_publish(data, nets, precisions, no_speed, docs)
    drawn = Drawn.planned(docs if publish else plot, bool(data) and "eyes" in (nets or NETS), bool(clips))
    found = Found(backend=backend)
    if data is not None:
        if publish:
            found.judged = True
        _measure(
            found, data, config, nets, precisions, robustness, not no_speed, drawn.reliability is not None
        )
    if clips:
        found.clips = _score(clips, config)
    click.echo(to_json(found.to_dict()) if as_json else found.text())
    drawn.draw(found, config)
    if publish:
        _publish(found, _folder(config), docs)


def _check_publish(
    data: Path | None, nets: Sequence[str], precisions: Sequence[str], no_speed: bool, docs: Path
) -> None:
    """Published figures replace the old ones whole, and claim people held out: refuse what cannot."""
    from dms.evaluation.folder import is_labelled

    if not docs.is_dir():
        raise click.UsageError(f"--publish writes pages to {docs}, which is no folder; run it in a checkout")
    if data is None or is_labelled(data):
        raise click.UsageError(
            "--publish tells how the engines do on people held out of their training: give --data the pack "
            "they were trained on, not a labelled folder"
        )
    if nets or precisions or no_speed:
        raise click.UsageError(
            "--publish replaces all figures together: leave out --engine, --precision and --no-speed"
        )


def _config(configs: Sequence[str], overrides: Sequence[str], folder: Path | None) -> Config:
    more = [] if folder is None else [f"engines.folder={folder}"]
    return load(configs, [*overrides, *more])


def _folder(config: Config) -> Path:
    from dms.resources import engines_folder

    return Path(config.engines.folder) if config.engines.folder else engines_folder()


def _measure(
    found: Found,
    data: Path,
    config: Config,
    nets: Sequence[str],
    precisions: Sequence[str],
    robustness: bool,
    timed: bool,
    calibrate: bool,
) -> None:
    """Everything that needs labelled pictures."""
    from dms.backends import BACKENDS
    from dms.cli.engine_data import describe
    from dms.evaluation import catalogue, measure, report, speed, uncertainty
    from dms.evaluation import robustness as hard
    from dms.evaluation.labelled import open_labelled
    from dms.evaluation.metrics import is_own

    backend = found.backend
    if backend not in BACKENDS:
        raise click.BadParameter(
            f"no runtime {backend!r}; there are {', '.join(BACKENDS)}", param_hint="--backend"
        )
    engines = _folder(config)
    pack = open_labelled(data)
    with _steps() as told:
        found.report = measure.evaluate(pack, engines, nets or None, precisions or None, backend, told)
        found.data = describe(pack, data)
        found.own = is_own(pack)
        found.judged |= found.data.sha256 == report.released_data(engines)
        if timed:
            told("speed")
            measure.add_speeds(found.report, engines, sorted({backend, *speed.runtimes()}))
        judged = {net: catalogue.judged_by(by, backend) for net, by in found.report.items()}
        with _opened(engines, judged, backend) as infers:
            if calibrate and "eyes" in infers:
                told("uncertainty")
                found.calibrations = uncertainty.measure(pack, infers["eyes"])
            if robustness:
                found.robustness = hard.measure(pack, infers, told)


@contextmanager
def _opened(engines: Path, precisions: Mapping[str, str], backend: str) -> Iterator[dict[str, Any]]:
    """The engines in their given precisions, ready to be asked."""
    from dms.backends import open_backend
    from dms.engines.manifest import load_manifest
    from dms.engines.running import over_batches

    with ExitStack() as stack:
        yield {
            net: over_batches(
                stack.enter_context(
                    closing(open_backend(backend, load_manifest(engines / net).verified_path(precision)))
                )
            )
            for net, precision in precisions.items()
        }


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """Tells what is being done, on one line of the terminal; on many where nobody watches."""
    import sys

    live = sys.stderr.isatty()

    def told(step: str) -> None:
        click.echo(f"\r\033[Kmeasuring {step} …" if live else f"measuring {step}", err=True, nl=not live)

    try:
        yield told
    finally:
        click.echo("\r\033[K" if live else "", err=True, nl=False)


def _score(paths: Sequence[Path], config: Config) -> list[ClipScore]:
    from dms.tools import event_truth, events

    clips = event_truth.find_clips(paths)
    for clip in clips:
        event_truth.truth_of(clip)  # a missing truth is told before minutes of work
    lengths = [recording_length_s(str(clip)) or 0.0 for clip in clips]
    scores = []
    with progress("judging", sum(lengths)) as advance:
        for k, clip in enumerate(clips):
            scores.append(events.score_clip(clip, config, _after(sum(lengths[:k]), advance)))
    return scores


def _after(before_s: float, advance: Callable[[float], None]) -> Callable[[float], None]:
    return lambda done_s: advance(before_s + done_s)


def _publish(found: Found, engines: Path, docs: Path) -> None:
    from dms.evaluation import report, robustness_page, uncertainty
    from dms.files import write_atomically
    from dms.tools import event_report

    more: list[str] = []
    if found.calibrations:
        more += uncertainty.markdown(found.calibrations, "reliability.png")
    if found.clips:
        more += [*event_report.markdown(found.clips), "![truth over alerts](timeline.png)"]
    groups = found.robustness.groups if found.robustness else {}
    cards = {net: robustness_page.card_lines(net, by_metric) for net, by_metric in groups.items()}
    report.publish(found.report, found.how, engines, docs / "engines.md", more, cards)
    if found.robustness:
        page = robustness_page.markdown(found.robustness, found.precision, report.data_line(found.how.data))
        write_atomically(docs / "robustness.md", page)
