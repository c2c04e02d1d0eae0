"""The command line. Each command imports what it needs when it runs, so that `--help` answers at once."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from dms import __version__
from dms.cli.alerts import alerts
from dms.cli.bench import bench
from dms.cli.calibrate import calibrate
from dms.cli.campaign import campaign
from dms.cli.control import control
from dms.cli.engines import engines
from dms.cli.evaluate import evaluate
from dms.cli.explain import bundle, explain, replay
from dms.cli.options import configured, load, load_run, source_option, start_logging, to_json
from dms.cli.profiles import profiles
from dms.cli.score import score
from dms.cli.seat import seat
from dms.cli.soak import soak
from dms.terminal import (
    Commands,
    exit_code,
    exit_on_signal,
    progress,
    recording_length_s,
    tell_fault,
    teller,
)

log = logging.getLogger(__name__)

EPILOG = """\b
Examples:
  dms run                                    the demonstration: shipped clip, alerts as they come
  dms run --source /dev/video0               a camera
  dms run --config orin                      a shipped overlay, or a file of yours
  dms run --config my.yaml --set sinks.mqtt.enabled=true
  dms analyze drive.mp4 --out frames.jsonl --summary summary.json --overlay seen.mp4
  dms explain --from frames.jsonl            the alerts of a record; with an id, why it was raised
  dms score drive.events.yaml frames.jsonl   recall, precision, delays against what happened
  dms campaign --drives 1 --only light       misses on simulated drives, by group
  dms calibrate cabin --wheel-side left --out my_cabin.yaml
  dms alerts test --set sinks.sound.enabled=true
  dms profiles show euroncap_2026            the rules of alerts, with their sources
  dms watch --host 10.0.0.5                  live state and alerts of all vehicles of a broker
  dms doctor                                 what is missing here, and its cure
  dms bench --plot speed.png                 every precision on every runtime installed here
  dms bench --pipeline                       the whole chain; --peers: beside another face tracker
  dms control simulate --plots pictures      hours of heat and load in seconds
  dms soak --hours 3 --plot soak.png         hours of driving with faults thrown in

\b
Exit codes:
  0    all well; `run` also when told to stop by SIGTERM
  1    a check of `doctor` or `calibrate check` failed, `alerts test` found a fault,
       `replay` a difference, `bench --compare` a row too slow, `bench` could time nothing, a
       camera of several failed for good, `control simulate` or `soak` found what must not be, or
       a fault inside dms
  2    the command line or the configuration is wrong
  3    a file given is missing, unreadable or malformed
  4    the frame source cannot be opened or is lost
  5    an engine file is missing, changed or of another net; a runtime, or the extra that brings
       it, is missing or has no file of the precision asked for; no file passed the gate, or one
       failed `engines verify`
  6    a sink cannot be set up
  130  interrupted (Ctrl-C), after a clean end; `analyze` has then judged a part, and says so
  143  `analyze` or `simulate` told to stop by SIGTERM, after a clean end
"""


@click.group(
    cls=Commands,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="dms %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Driver monitoring: a camera looks at a driver; alerts go out over MQTT and into files.

    It assists and warns. It is no safety device and is certified for nothing.
    """
    if not debug:
        sys.excepthook = tell_fault


@main.command()
@configured
@source_option
@click.option("--json", "as_json", is_flag=True, help="Print the closing summary as JSON.")
@click.pass_context
def run(
    ctx: click.Context, configs: Sequence[str], overrides: Sequence[str], source: str | None, as_json: bool
) -> None:
    """Watch a driver: camera or clip in, alerts out.

    Without options it plays the clip that ships with dms. Ends with the clip, or on Ctrl-C.
    """
    config = load_run(configs, overrides, source)
    from dms import app, fleet
    from dms.config import SourceConfig
    from dms.service import StopSignal

    start_logging(config)
    if config.cameras and config.source != SourceConfig():
        log.warning("source (%s) is not used: `cameras` stand in its place", config.source.uri)
    tell = teller(sys.stdout)
    told = teller(sys.stderr) if as_json else tell
    with StopSignal() as stop:
        summary = fleet.run(config, told) if config.cameras else app.run(config, told)
    tell(to_json(summary.to_dict()) if as_json else f"\n{summary}")
    if stop.received is signal.SIGINT:
        ctx.exit(exit_code(stop.received))
    if getattr(summary, "failures", None):
        ctx.exit(1)


@main.command()
@click.argument("recording", metavar="INPUT")
@click.option(
    "--out", type=click.Path(path_type=Path), help="JSON lines to write: frames, changes of health."
)
@click.option("--summary", type=click.Path(path_type=Path), help="Summary to write, as JSON.")
@click.option(
    "--overlay", type=click.Path(path_type=Path), help="Video to write, with what was seen drawn in."
)
@click.option(
    "--record", type=click.Path(path_type=Path), help="Bundle of the whole run to write, for `dms replay`."
)
@configured
@click.pass_context
def analyze(
    ctx: click.Context,
    recording: str,
    out: Path | None,
    summary: Path | None,
    overlay: Path | None,
    record: Path | None,
    configs: Sequence[str],
    overrides: Sequence[str],
) -> None:
    """Judge a recording as fast as it goes.

    INPUT is a video file, a folder of images or sim:SCRIPT; it is judged by its recorded time.
    """
    config = load(configs, overrides, recording)
    from dms.service import StopSignal
    from dms.tools.analyze import analyze as judge

    start_logging(config)
    with StopSignal() as stop, progress("judging", recording_length_s(recording)) as advance:
        result = judge(config, recording, out, summary, overlay, record, advance, stop.is_set)
    click.echo(str(result))
    if stop.received:
        ctx.exit(exit_code(stop.received))


@main.command()
@configured
@click.option("--host", help="Broker; wins over the files.")
@click.option("--port", type=click.IntRange(1, 65535), help="Its port.")
@click.option("--vehicle", help="Only the vehicle of this name; otherwise all of them.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print every message as a JSON line {topic, payload} instead."
)
def watch(
    configs: Sequence[str],
    overrides: Sequence[str],
    host: str | None,
    port: int | None,
    vehicle: str | None,
    as_json: bool,
) -> None:
    """Show the state and the alerts of vehicles live, over MQTT.

    Ends on Ctrl-C.
    """
    given = {"host": host, "port": port, "vehicle": vehicle}
    more = [f"sinks.mqtt.{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    mqtt = load(configs, [*overrides, *more]).sinks.mqtt
    import threading

    from dms.watch import watch as follow
    from dms.watch_screen import JsonScreen, Screen

    screen = JsonScreen(sys.stdout, sys.stderr) if as_json else Screen(sys.stdout, live=sys.stdout.isatty())
    follow(mqtt, vehicle, screen, threading.Event())


@main.command()
@click.argument("script")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="MP4 to write; the truth goes beside it."
)
@click.option("--portrait", help="A fitted portrait (.npz) instead of the script's.")
def simulate(script: str, out: Path, portrait: str | None) -> None:
    """Make a clip of a scripted driver and its truth.

    SCRIPT is a YAML file, or `demo` for the shipped one. The exact truth of every frame lies beside the clip
    as JSON lines.
    """
    from dms.simulator.record import simulate as record
    from dms.simulator.script import load_script

    signal.signal(signal.SIGTERM, exit_on_signal)
    loaded = load_script(script)
    if portrait:
        loaded = loaded.model_copy(update={"portrait": portrait})
    with progress("drawing", loaded.duration_s) as advance:
        truth = record(loaded, out, lambda done, total: advance(done / loaded.fps))
    click.echo(f"{out}\n{truth}")


@main.command()
@configured
@source_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(
    ctx: click.Context, configs: Sequence[str], overrides: Sequence[str], source: str | None, as_json: bool
) -> None:
    """Check everything a run needs; tell each cure."""
    from dms.doctor import examine
    from dms.doctor.check import passed, to_dict, to_text

    checks = examine(lambda: load_run(configs, overrides, source))
    click.echo(to_json(to_dict(checks)) if as_json else to_text(checks))
    ctx.exit(0 if passed(checks) else 1)


@main.group()
def config() -> None:
    """Show, check and describe the configuration."""


@config.command()
@configured
@click.option("--default", is_flag=True, help="The defaults, every key with its comment and unit.")
def show(configs: Sequence[str], overrides: Sequence[str], default: bool) -> None:
    """Print the effective values as YAML."""
    from dms.config.text import default_yaml, render

    click.echo(default_yaml() if default else render(load(configs, overrides)), nl=False)


@config.command()
@configured
def check(configs: Sequence[str], overrides: Sequence[str]) -> None:
    """Tell whether the configuration is valid, and if not where and why.

    The profiles and the cabin that it names are read, too. What a machine must have is for `dms doctor`.
    """
    from dms.alerts.coverage import gaps, unacknowledgeable
    from dms.alerts.profiles import load_profiles
    from dms.config.cabin_file import read_cabin
    from dms.resources import configs_folder

    loaded = load(configs, overrides)
    rules = load_profiles(loaded.alerts)
    read_cabin(loaded.cabin.geometry, configs_folder() / "cabins")
    click.echo("valid")
    for note in (*gaps(rules), *unacknowledgeable(rules, loaded.inputs, terminal=False)):
        click.echo(f"note: {note}")


@config.command()
def schema() -> None:
    """Print the JSON schema of a configuration file, for editors."""
    from dms.config.text import config_schema

    click.echo(to_json(config_schema()))


for command in (
    alerts,
    bench,
    bundle,
    calibrate,
    campaign,
    control,
    engines,
    evaluate,
    explain,
    profiles,
    replay,
    score,
    seat,
    soak,
):
    main.add_command(command)
