"""`dms alerts`: hear and see what the driver will be told with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from dms.cli.options import FiniteRange, configured, load, start_logging, to_json

if TYPE_CHECKING:
    from dms.records import Alert, Judgement
    from dms.sinks import Sink

FAILED = 1
EPILOG = """\b
Examples:
  dms alerts test --set sinks.sound.enabled=true
  dms alerts test --config /etc/dms/dms.yaml --json    as the service's user; exit code 1 on a fault

\b
Set-up, the table of tones and what a fault means: docs/local-alerts.md
"""
STEPS = (
    ("sensor.blocked", "warning"),
    ("distraction.long", "caution"),
    ("distraction.long", "warning"),
    ("distraction.long", "urgent"),
    ("driver.absent", "caution"),
    ("driver.absent", "warning"),
    ("driver.absent", "urgent"),
    ("fatigue.drowsy", "caution"),
    ("fatigue.drowsy", "warning"),
    ("fatigue.microsleep", "urgent"),
    ("driver.unresponsive", "emergency"),
)
"""An alert for each pattern there is."""


@click.group()
def alerts() -> None:
    """Hear and see what the driver is told with."""


@alerts.command(epilog=EPILOG)
@configured
@click.option(
    "--each-s", type=FiniteRange(0.05, 60), default=2.0, show_default=True, help="Seconds for each alert."
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_context
def test(
    ctx: click.Context, configs: Sequence[str], overrides: Sequence[str], each_s: float, as_json: bool
) -> None:
    """Test sound, GPIO lines and command, and sound every pattern in turn.

    Exit code 1 if one of them is at fault, 2 if none is set up.
    """
    from dms.errors import ConfigError
    from dms.sinks.local import open_local_sinks
    from dms.sinks.system_payload import Origin

    config = load(configs, overrides)
    start_logging(config)
    with ExitStack() as stack:
        sinks = [stack.enter_context(closing(sink)) for sink in open_local_sinks(config.sinks, Origin())]
        if not sinks:
            raise ConfigError(
                "nothing is set up to tell the driver with: set sinks.sound.enabled, sinks.gpio.enabled or "
                "sinks.hook.command"
            )
        faults = rehearse(sinks, each_s, (lambda line: None) if as_json else click.echo)
        outcome = {sink.name: {"fault": faults.get(sink.name), **sink.figures()} for sink in sinks}
    click.echo(to_json(outcome) if as_json else _text(outcome))
    if faults:
        ctx.exit(FAILED)


def rehearse(
    sinks: Sequence[Sink],
    each_s: float,
    tell: Callable[[str], None],
    wait: Callable[[float], None] = time.sleep,
) -> dict[str, str]:
    """Begin and end an alert of each pattern; what was wrong at any moment, by the name of the sink."""
    faults = _faults(sinks)
    for begun in rehearsal():
        tell(f"{begun.severity.value:<9}  {begun.type}")
        for phase in ("start", "end"):
            for sink in sinks:
                sink.publish(_judgement(begun, phase))
            wait(each_s if phase == "start" else 0.1)
            faults |= _faults(sinks)
    return faults


def rehearsal() -> Iterator[Alert]:
    """An alert for each pattern, mildest first."""
    from dms.records import Alert, Phase, Severity

    for number, (kind, severity) in enumerate(STEPS):
        now_s = time.monotonic()
        yield Alert(
            id=f"test-{number}",
            type=kind,
            phase=Phase.START,
            severity=Severity(severity),
            onset_s=now_s,
            detected_s=now_s,
            captured_s=now_s,
            cause="A test.",
            evidence={},
            profile="test",
        )


def _judgement(alert: Alert, phase: str) -> Judgement:
    from dms.records import Assessment, DriverState, Judgement, Observation, Phase

    now_s = time.monotonic()
    told = replace(alert, phase=Phase(phase), captured_s=now_s)
    return Judgement(Observation(now_s, 0), Assessment(now_s, DriverState.UNKNOWN), (told,), {})


def _faults(sinks: Iterable[Sink]) -> dict[str, str]:
    return {sink.name: fault for sink in sinks if (fault := sink.fault()) is not None}


def _text(outcome: Mapping[str, Mapping[str, object]]) -> str:
    return "\n".join(f"{name}: {told['fault'] or 'works'}" for name, told in outcome.items())
