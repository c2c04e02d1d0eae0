"""`dms control`: the controller proved in simulation, on this machine under load, and level by level."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from dms.cli.options import FiniteRange, configured, load, to_json

PATH = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
FAILED = 1
CLIP_S = 20.0
"""An attentive driver who then looks away: calm and urgent rates."""
LEAST_SETTLED_S = 3.0
"""At the lowest rate of `stress` these are three frames, and a share of what was missed needs two."""
EPILOG = """\b
Examples:
  dms control simulate                   every drive; exit code 1 if a check fails
  dms control stress --plot stress.png   this machine, starved, with the controller and without
  dms control levels                     what each level costs here

\b
What the controller does and why: docs/control.md; what these found: docs/control-proof.md
"""
OF_SIMULATE = """\b
Examples:
  dms control simulate --scenario summer --plots pictures
  dms control simulate --costs levels.json             with the stage times of this machine
  dms control simulate --set control.down_after_s=60   another setting of the controller
"""
OF_LEVELS = """\b
Examples:
  dms control levels --precision int8
  dms control levels --json levels.json                for `dms control simulate --costs levels.json`
"""
OF_STRESS = """\b
Examples:
  dms control stress --plot stress.png --json stress.json
  dms control stress --precision int8 --fps 60 --processes 4 --turns 1
"""
precision_option = click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8", "best"]),
    default="fp32",
    show_default=True,
    help="Of all four engines at level 0.",
)
json_option = click.option("--json", "json_path", type=PATH, help="Write all figures as JSON.")


@click.group(epilog=EPILOG)
def control() -> None:
    """Prove what the controller does under heat and load."""


@control.command(epilog=OF_SIMULATE)
@configured
@click.option("--scenario", "names", metavar="NAME", multiple=True, help="Only this one; may be repeated.")
@click.option("--seed", default=1, show_default=True, help="Of noise and scatter.")
@click.option(
    "--costs", "costs_path", type=PATH, help="Report of `dms control levels --json`, for stage times."
)
@json_option
@click.option("--plots", type=FOLDER, help="Draw each drive into this folder (made if need be), as NAME.png.")
def simulate(
    configs: Sequence[str],
    overrides: Sequence[str],
    names: Sequence[str],
    seed: int,
    costs_path: Path | None,
    json_path: Path | None,
    plots: Path | None,
) -> None:
    """Drive hours through heat and load in simulation.

    The real scheduler and controller in a model of a small computer in a hot car, beside a fixed setting
    and the rule "load above 0.7 means INT8". Exit code 1 when the controller fails one of its checks.
    """
    from dms import pictures
    from dms.files import make_folder, require_folder, write_atomically
    from dms.tools.control import plots as control_plots
    from dms.tools.control import text as control_text
    from dms.tools.control.costs import MEASURED, load_costs
    from dms.tools.control.figures import prove
    from dms.tools.control.scenarios import find

    scenarios = find(names)
    if json_path:
        require_folder(json_path)
    if plots:
        pictures.figure(1, 1)  # fails here, before the long work, where matplotlib is missing
        make_folder(plots)
    costs = load_costs(costs_path) if costs_path else MEASURED
    outcomes = prove(scenarios, costs, load(configs, overrides), seed)
    for line in (*control_text.table(outcomes), "", *control_text.verdicts(outcomes)):
        click.echo(line)
    if json_path:
        write_atomically(json_path, to_json({"seed": seed, "scenarios": control_text.as_values(outcomes)}))
    if plots:
        for outcome in outcomes:
            control_plots.draw(outcome, plots / f"{outcome.scenario.name}.png")
    sys.exit(0 if all(check.passed for outcome in outcomes for check in outcome.checks) else FAILED)


@control.command(epilog=OF_LEVELS)
@configured
@precision_option
@click.option("--seconds", type=FiniteRange(1, 60), default=20.0, show_default=True, help="Of the clip.")
@click.option("--turns", type=click.IntRange(1), default=5, show_default=True, help="Of all levels.")
@json_option
def levels(
    configs: Sequence[str],
    overrides: Sequence[str],
    precision: str,
    seconds: float,
    turns: int,
    json_path: Path | None,
) -> None:
    """Measure what each level costs on this machine.

    The real pipeline judges the clip at every level in turns; the ratio to level 0 is of processor time.
    """
    from dms.files import require_folder, write_atomically
    from dms.tools.control.clip import stretch, with_precision
    from dms.tools.control.levels import lines, measure

    if json_path:
        require_folder(json_path)
    config = with_precision(load(configs, overrides), precision)
    report = measure(config, stretch(config, seconds), turns, _told)
    for line in lines(report):
        click.echo(line)
    if json_path:
        write_atomically(json_path, to_json(asdict(report)))


@control.command(epilog=OF_STRESS)
@configured
@precision_option
@click.option("--fps", type=FiniteRange(1, 240), default=30.0, show_default=True, help="Of the camera.")
@click.option("--processes", type=click.IntRange(0, 64), help="Busy beside us. [default: two a core]")
@click.option("--turns", type=click.IntRange(1), default=3, show_default=True, help="Of both settings.")
@click.option(
    "--block", "block_s", type=FiniteRange(1), default=40.0, show_default=True, help="Seconds, 15 or more."
)
@json_option
@click.option("--plot", type=PATH, help="Draw latencies and levels as PNG.")
def stress(
    configs: Sequence[str],
    overrides: Sequence[str],
    precision: str,
    fps: float,
    processes: int | None,
    turns: int,
    block_s: float,
    json_path: Path | None,
    plot: Path | None,
) -> None:
    """Starve the real loop, with the controller and without, in turns.

    The first 20 seconds of the clip come as from a live camera, round and round, while busy processes take
    the processors. Level 0 for good against the controller, each block from a cold start.
    """
    from dms import pictures
    from dms.files import require_folder, write_atomically
    from dms.tools.control import stress as control_stress
    from dms.tools.control.clip import at_rate, stretch, with_precision

    least_s = control_stress.SETTLED_S + LEAST_SETTLED_S
    if block_s < least_s:
        settled = f"what is settled is counted from second {control_stress.SETTLED_S:g} of a block on"
        raise click.BadParameter(f"{block_s:g} is less than {least_s:g}: {settled}.", param_hint="--block")
    for path in filter(None, (json_path, plot)):
        require_folder(path)
    if plot:
        pictures.figure(1, 1)  # fails here, before the long work, where matplotlib is missing
    config = at_rate(with_precision(load(configs, overrides), precision), fps)
    count = control_stress.PER_CORE * (os.cpu_count() or 1) if processes is None else processes
    images = [frame.image for frame in stretch(config, CLIP_S)]
    blocks = control_stress.run(
        config, images, processes=count, turns=turns, block_s=block_s, told=click.echo
    )
    for line in control_stress.summary(blocks):
        click.echo(line)
    if json_path:
        write_atomically(json_path, to_json([control_stress.as_values(block) for block in blocks]))
    if plot:
        from dms.tools.control.stress_plot import draw

        title = (
            f"{precision} at {fps:g} frames a second beside {count} busy processes, {os.cpu_count()} cores"
        )
        draw(blocks, config.schedule.budget_s or 1 / fps, title, plot)


def _told(line: str) -> None:
    click.echo(line, err=True)
