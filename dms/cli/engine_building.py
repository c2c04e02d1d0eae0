"""`dms engines build`: what is compiled on this device, and the gate that chooses a precision on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dms.backends import BACKENDS
from dms.cli.engine_data import describe, make_task, open_data, shipped_data
from dms.cli.engine_options import DATA, FOLDER, json_option, nets
from dms.cli.options import configured, load, to_json
from dms.engines.contract import CONTRACTS
from dms.engines.limits import ASKED
from dms.errors import EngineUnavailable

if TYPE_CHECKING:
    from dms.config import EngineConfig, EnginesConfig
    from dms.engines.candidates import Judge
    from dms.engines.gate import Verdict


@click.command()
@click.argument("net", type=click.Choice([*CONTRACTS, "all"]), default="all")
@click.option("--backend", type=click.Choice(list(BACKENDS)), help="Runtime; left out, the configured one.")
@click.option("--precision", type=click.Choice(ASKED), help="Left out, the configured one.")
@click.option("--gate", is_flag=True, help="Build both precisions, judge and time them, keep the verdict.")
@click.option("--data", type=FOLDER, help=DATA + " For --gate; left out: the simulated set `calib_data`.")
@click.option("--cache", type=FOLDER, help="Where builds and verdicts are kept; wins over engines.cache.")
@click.option(
    "--aot",
    metavar="SM86,…",
    help="Compute capabilities of GPUs that are not here: build for them with TensorRT-RTX, keep nothing.",
)
@json_option
@configured
@click.pass_context
def build(
    ctx: click.Context,
    net: str,
    backend: str | None,
    precision: str | None,
    gate: bool,
    data: Path | None,
    cache: Path | None,
    aot: str | None,
    as_json: bool,
    configs: Sequence[str],
    overrides: Sequence[str],
) -> None:
    """Build engines for this device ahead of the first run; choose their precision with --gate.

    The gate takes INT8 only where it is faster here and does its task: what `precision: best` then runs.
    Ends with exit code 5 when a net has no file that passes.
    """
    if gate and precision:
        raise click.UsageError("--gate builds both precisions: leave --precision out")
    if data and not gate:
        raise click.UsageError("--data is what --gate judges on: add --gate")
    config = _configured(load(configs, overrides).engines, backend, precision, cache)
    if aot:
        ctx.exit(_built_ahead(config, nets(net), aot.upper().split(","), as_json))
    found = _gated(config, nets(net), data, as_json) if gate else _built(config, nets(net), as_json)
    if as_json:
        click.echo(to_json(found))
    if gate and any(verdict["chosen"] is None for verdict in found):
        ctx.exit(5)


def _configured(
    config: EnginesConfig, backend: str | None, precision: str | None, cache: Path | None
) -> EnginesConfig:
    """The configuration with what the command line says of every engine."""
    given = {"backend": backend, "precision": precision}
    wins = {key: value for key, value in given.items() if value}
    own = {name: getattr(config, name).model_copy(update=wins) for name in CONTRACTS}
    return config.model_copy(update={**own, **({"cache": str(cache)} if cache else {})})


def _built(config: EnginesConfig, wanted: Sequence[str], quiet: bool) -> list[dict[str, Any]]:
    """Open each engine once: a runtime that compiles keeps what it made."""
    from dms.backends import open_backend
    from dms.engines.manifest import load_manifest
    from dms.engines.opening import artefact_for, folder_of, options_of

    found = []
    for name in wanted:
        own: EngineConfig = getattr(config, name)
        note, options = load_manifest(folder_of(config) / name), options_of(own, config, _teller(name))
        artefact = artefact_for(note, own.precision, own.backend, options)
        path = note.verified_path(artefact)
        begun_s = time.perf_counter()
        with closing(open_backend(own.backend, path, options)):
            spent_s = time.perf_counter() - begun_s
        found.append(
            {"net": name, "runtime": own.backend, "artefact": artefact, "spent_s": round(spent_s, 3)}
        )
        if not quiet:
            runtime = BACKENDS[own.backend]
            kept = f"kept under {options.cache}" if runtime.compiles else "which compiles nothing ahead"
            click.echo(f"{name}: {artefact} opened in {spent_s:.2f} s on {runtime.title}, {kept}")
    return found


def _built_ahead(config: EnginesConfig, wanted: Sequence[str], targets: Sequence[str], quiet: bool) -> int:
    """Prove that TensorRT takes every file; the exit code."""
    from dataclasses import asdict

    from dms.engines.ahead import MAX_BATCH, ahead_table, build_ahead
    from dms.engines.opening import folder_of

    builds = list(build_ahead(folder_of(config), wanted, targets, max(config.max_batch, MAX_BATCH)))
    click.echo(to_json([asdict(b) for b in builds]) if quiet else ahead_table(builds))
    return EngineUnavailable.exit_code if any(b.refused for b in builds) else 0


def _gated(
    config: EnginesConfig, wanted: Sequence[str], data: Path | None, quiet: bool
) -> list[dict[str, Any]]:
    """Run the gate for each engine and keep its verdict."""
    from dms.engines.candidates import record_plans, run_gate
    from dms.engines.gate import make_room
    from dms.engines.manifest import load_manifest
    from dms.engines.opening import cache_of, folder_of, options_of

    make_room(cache_of(config))
    judges = _judges(data)
    found = []
    for name in wanted:
        own: EngineConfig = getattr(config, name)
        options = options_of(own, config, _teller(name))
        note = load_manifest(folder_of(config) / name)
        verdict = run_gate(note, own.backend, options, judges(name))
        record_plans(verdict, note, options)
        path = verdict.save(cache_of(config))
        found.append(verdict.model_dump())
        if not quiet:
            click.echo(f"{_text(verdict)}\n  kept in {path}")
    return found


def _judges(data: Path | None) -> Callable[[str], Judge]:
    """How each net is judged on the pictures given, else on those that ship."""
    from dms.engines.candidates import Judge

    source = data or shipped_data()
    pack = open_data(source)
    note = describe(pack, source)
    return lambda net: Judge(make_task(net, pack), note)


def _teller(net: str) -> Callable[[str], None]:
    """Steps go to stderr line by line: a build takes minutes, and a log should tell what took them."""
    return lambda step: click.echo(f"{net}: {step}", err=True)


def _text(verdict: Verdict) -> str:
    """A verdict for a terminal."""
    where = verdict.conditions
    threads = f"{where.threads} thread{'s' if where.threads > 1 else ''}"
    batch = f"batch of {where.max_batch}" if where.max_batch > 1 else ""
    told = (where.gpu or where.device, where.power_mode, where.runtime, threads, batch)
    place = ", ".join(filter(None, told))
    lines = [f"{verdict.net} on {BACKENDS[verdict.runtime].title}: {place}; on {verdict.data}"]
    for candidate in verdict.candidates:
        name, figures = f"  {candidate.artefact:<9}", candidate.figures
        lines.append(
            f"{name} p50 {figures.p50_ms:.2f} ms, p95 {figures.p95_ms:.2f} ms, "
            f"{verdict.metric} {100 * figures.score:.2f} % (lost {figures.loss_points:+.3f})"
            if figures
            else f"{name} refused: {candidate.refused}"
        )
    return "\n".join([*lines, f"  -> {verdict.chosen or 'none passes'}: {verdict.reason}"])
