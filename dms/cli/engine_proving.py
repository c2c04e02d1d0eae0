"""`dms engines verify`: every file on every runtime, against FP32."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dms.backends import BACKENDS, installed
from dms.cli.engine_data import describe, engine_inputs, make_task, open_data, shipped_data, steps
from dms.cli.engine_options import DATA, FOLDER, engines_in, engines_option, json_option, net_argument, nets
from dms.cli.options import FiniteRange, to_json
from dms.engines.limits import LIMIT_POINTS
from dms.errors import EngineUnavailable

if TYPE_CHECKING:
    from dms.engines.manifest import DataNote
    from dms.engines.verify import Prover, Speeds, Verified

PROOF_INPUTS = 128
"""Pictures on which outputs are compared number by number; the metric is taken on all that are held out."""


@dataclass
class _Result:
    """What was proved by net and runtime, times by net, and why runtimes proved nothing."""

    data: DataNote
    proved: dict[str, dict[str, Verified]] = field(default_factory=dict)
    speeds_ms: dict[str, Speeds] = field(default_factory=dict)
    absent: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return all(found.passed for by_runtime in self.proved.values() for found in by_runtime.values())

    def texts(self, net: str) -> list[str]:
        """The proofs and times of a net for a terminal."""
        from dms.engines import verify as proving

        told = [proving.text(net, name, proved) for name, proved in self.proved[net].items()]
        return told + ([proving.speeds_text(self.speeds_ms[net])] if net in self.speeds_ms else [])

    def to_dict(self) -> dict[str, Any]:
        from dms.engines.verify import speeds_to_dict, to_dict

        engines = {
            net: {"runtimes": {name: to_dict(found) for name, found in by.items()}}
            | ({"ms": speeds_to_dict(self.speeds_ms[net])} if net in self.speeds_ms else {})
            for net, by in self.proved.items()
        }
        return {"data": self.data.model_dump(), "engines": engines, "absent": self.absent}


@click.command()
@net_argument
@click.option("--data", type=FOLDER, help=DATA + " Left out: the small simulated set `calib_data`.")
@click.option(
    "--backend",
    "backends",
    type=click.Choice(list(BACKENDS)),
    multiple=True,
    default=["ort"],
    show_default=True,
    help="Runtime to prove on. May be repeated.",
)
@click.option("--all", "everywhere", is_flag=True, help="Prove on every runtime installed here.")
@click.option(
    "--limit",
    type=FiniteRange(min=0),
    default=LIMIT_POINTS,
    show_default=True,
    help="Points a file may lose.",
)
@click.option("--measure", is_flag=True, help="Also time every file on every runtime installed here.")
@click.option("--record", is_flag=True, help="Write proofs and times into the manifests: for a release.")
@json_option
@engines_option
@click.pass_context
def verify(
    ctx: click.Context,
    net: str,
    data: Path | None,
    backends: Sequence[str],
    everywhere: bool,
    limit: float,
    measure: bool,
    record: bool,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Prove every file against FP32: errors of its outputs, and the task's metric before and after.

    Checks hashes, inputs and outputs on the way; changes no file without --record. Ends with exit code 5 when
    a file loses more than the limit, or a runtime refuses a file that it is given. With several runtimes it
    closes with a table of how far they agree; with --all, a runtime that can run nothing here is passed over,
    and told.
    """
    from dms.engines import verify as proving

    source = data or shipped_data()
    pack = open_data(source)
    found = _Result(describe(pack, source))
    say = (lambda text: None) if as_json else click.echo
    say(f"proved on {found.data}")
    chosen = [b for b in BACKENDS if installed(b)] if everywhere else list(dict.fromkeys(backends))
    for name in nets(net):
        place = engines_in(folder) / name
        inputs, task = engine_inputs(name, pack, source, PROOF_INPUTS), make_task(name, pack)
        _prove(name, proving.Prover(place, inputs, task, found.data, limit), chosen, everywhere, found)
        if measure:
            found.speeds_ms[name] = _speeds(name, place)
        for told in found.texts(name):
            say(told)
        if record:
            proving.record(place, found.proved[name], found.speeds_ms.get(name))
    _tell(found, as_json, len(chosen) > 1)
    if not found.passed:
        ctx.exit(5)


def _prove(net: str, prover: Prover, chosen: Iterable[str], everywhere: bool, result: _Result) -> None:
    """Prove a net on the runtimes chosen; one that is not fit is an error only where it was named."""
    proved = result.proved.setdefault(net, {})
    for backend in chosen:
        try:
            with steps(f"{net} on {BACKENDS[backend].title}") as told:
                proved[backend] = prover.prove(backend, told)
        except EngineUnavailable as why:
            if not everywhere:
                raise
            result.absent.setdefault(net, {})[backend] = str(why)


def _speeds(net: str, place: Path) -> Speeds:
    """Milliseconds of one picture by (runtime, precision)."""
    from dms.engines.manifest import load_manifest
    from dms.evaluation.speed import runtimes, speed_ms

    with steps(f"{net}: speed") as told:
        told("all files in turn")
        return speed_ms(net, place, load_manifest(place).files, runtimes())


def _tell(found: _Result, as_json: bool, several: bool) -> None:
    """What closes the command: all of it as JSON, or how far several runtimes agree."""
    if as_json:
        click.echo(to_json(found.to_dict()))
    elif several:
        _tell_agreement(found)


def _tell_agreement(found: _Result) -> None:
    from dms.engines.agreement import EXPLAINED, runtimes_of, table
    from dms.evaluation.report import aligned

    header, *body = table(found.proved, runtimes_of(found.proved))
    click.echo("\n".join(["", "agreement", *aligned(header, body), "", EXPLAINED]))
    for net, by_runtime in found.absent.items():
        for name, why in by_runtime.items():
            click.echo(f"{net} was not proved on {BACKENDS[name].title}: {why}")
