"""A benchmark for a reader: tables for a terminal or, the same, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dms.errors import InputError
from dms.evaluation.report import aligned, markdown_table
from dms.files import with_section
from dms.tools.bench.records import QUIET_PERCENT, Device, Environment, Figures, Report, Row, Run, Spread
from dms.tools.bench.row import RATE_HZ

NONE = "–"
SECTION = "bench"
"""The tables stand in a page between the marks of this name."""
FRAMES_FOR_P95, FRAMES_FOR_P99 = 20, 100
"""Below so many frames a percentile is but the slowest of them."""
NOTES = (
    "Times are of one frame through all the nets, on one thread: cut or letterbox to the input; inference; "
    "from the outputs to a record. Load: opening all nets, with the start of the runtime. Memory: added by "
    "loading, added by running, the most the process had. CPU: of one core, paced. "
    "Others: what other processes took of one core meanwhile; where it is much, milliseconds tell little. "
    "An emulator tells whether a net runs on that hardware, and nothing of its speed. "
    f"Where a GPU cuts, pre-processing ({NONE}) is part of inference, and what follows the eyes (fatigue, "
    "distraction) runs along with them and is counted there.",
    "Faster: inference, net by net, against FP32 on the same platform, in turns; in brackets the lowest and "
    f"highest turn; {NONE}: FP32 itself, or FP32 does not run there. "
    f"Lost: points of the net that loses most, as `dms engines verify` proved; {NONE}: not proved there.",
)


@dataclass(frozen=True)
class Table:
    """A title, the names of the columns, and rows of cells."""

    title: str
    header: list[str]
    body: list[list[str]]


def text(report: Report) -> str:
    """The report for a terminal."""
    lines = environment_lines(report.environment)
    for table in tables(report):
        lines += ["", table.title, *aligned(table.header, table.body)]
    reasons = [f"  {who}: {why}" for who, why in refused(report.rows)]
    notes = ["", *_disturbed(report.rows), *NOTES]
    return "\n".join([*lines, *(["", "Not measured"] if reasons else []), *reasons, *notes])


def markdown(report: Report) -> str:
    """The report as part of a page."""
    lines = [f"* {line}" for line in environment_lines(report.environment)]
    for table in tables(report):
        lines += ["", f"**{table.title}**", "", *markdown_table(table.header, table.body)]
    reasons = [f"* {who}: {why}" for who, why in refused(report.rows)]
    notes = ["", "\n\n".join([*_disturbed(report.rows), *NOTES])]
    return "\n".join([*lines, *(["", "Not measured:", ""] if reasons else []), *reasons, *notes])


def _disturbed(rows: Sequence[Row]) -> list[str]:
    """A warning, where the machine was not quiet."""
    count = sum(row.disturbed for row in rows)
    rows_were = "row was" if count == 1 else "rows were"
    warning = (
        f"Not a quiet machine: {count} {rows_were} measured while other processes took more than "
        f"{QUIET_PERCENT:g} % of a core. Take their ratios and memory; their milliseconds are too long."
    )
    return [warning] if count else []


def open_page(path: Path, section: str = SECTION) -> str:
    """The page that the tables go into, read before the long work; a new one has nothing but their place.

    Raises:
        InputError: it cannot be read, or has no place for them.
    """
    place = f"<!-- {section} --> <!-- /{section} -->"
    try:
        page = path.read_text(encoding="utf-8") if path.exists() else f"{place}\n"
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if with_section(page, section, "") is None:
        raise InputError(f"{path} has no place for the tables; write {place} into it, or name a new file")
    return page


def put_into(page: str, report: Report) -> str:
    """The page of `open_page` with the report in its place."""
    return with_section(page, SECTION, markdown(report)) or page


def tables(report: Report) -> list[Table]:
    """All tables of a report; rows that could not be measured are in none of them."""
    rows = [(row, row.figures) for row in report.rows if row.figures]
    if not rows:
        return []
    nets = list(dict.fromkeys(net for row, _ in rows for net in row.nets))
    sizes = list(dict.fromkeys(row.image_size for row, _ in rows))
    first = ["platform", "precision", *(["frame"] if len(sizes) > 1 else [])]

    def table(title: str, header: list[str], cells: Callable[[Row, Figures], list[str]]) -> Table:
        named = [[r.platform, r.precision, r.image_size][: len(first)] for r, _ in rows]
        body = [[*name, *cells(r, f)] for name, (r, f) in zip(named, rows, strict=True)]
        return Table(title, [*first, *header], body)

    steps = ["pre-processing", "inference", "post-processing", "total", "frames/s", "others %"]
    of = f"{', '.join(nets)}; frame {' and '.join(sizes)}"
    unit = "ms, p50 / p95 / p99"
    found = [
        table(f"Paced at {RATE_HZ:g} Hz, as a camera does ({of}); {unit}", steps, lambda r, f: _run(f.paced)),
        table(f"Unpaced, one frame after the other; {unit}", steps, lambda r, f: _run(f.unpaced)),
        table("What it costs, what it brings", COST, _cost),
        table(
            f"Each net: inference at {RATE_HZ:g} Hz, ms p50; load in s, the first with the runtime",
            [*nets, *(f"load {net}" for net in nets)],
            lambda r, f: _by_net(f, nets),
        ),
    ]
    if any(row.device != Device() for row, _ in rows):
        found.append(
            table(
                "The device, on average while paced; all of the board, but the processors' energy alone",
                DEVICE,
                lambda r, f: _device(r.device),
            )
        )
    return found


COST = [
    "load s",
    "files MB",
    "model MB",
    "run MB",
    "peak MB",
    "CPU %",
    "faster",
    "lost",
]


def _run(run: Run) -> list[str]:
    stages = run.stages
    each = (stages.pre, stages.infer, stages.post, stages.total)
    return [*(_spread(spread, run.frames) for spread in each), f"{run.fps:.1f}", f"{run.others_percent:.0f}"]


def _cost(row: Row, figures: Figures) -> list[str]:
    memory, faster = figures.memory, row.speed_up
    lost = row.worst_loss_points
    return [
        f"{sum(figures.load_s.values()):.2f}",
        f"{sum(row.file_mb.values()):.2f}",
        *(f"{mb:.0f}" for mb in (memory.model_mb, memory.run_mb, memory.peak_mb)),
        f"{figures.paced.cpu_percent:.0f}",
        f"{faster.value:.2f} ({faster.low:.2f} to {faster.high:.2f})" if faster else NONE,
        NONE if lost is None else f"{round(lost, 2) + 0.0:+.2f}",
    ]


DEVICE = ["board W", "mJ/frame", "processor mJ/frame", "CPU MHz", "GPU MHz", "GPU %", "hottest °C"]


def _device(device: Device) -> list[str]:
    load = None if device.gpu_load is None else 100 * device.gpu_load
    energies = device.frame_mj, device.processor_mj
    state = device.cpu_mhz, device.gpu_mhz, load, device.hottest_c
    return [_known(device.board_w, 2), *(_known(value, 0) for value in (*energies, *state))]


def _known(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def _by_net(figures: Figures, nets: Sequence[str]) -> list[str]:
    return [
        *(milliseconds(figures.paced.by_net[net].infer.p50) for net in nets),
        *(f"{figures.load_s[net]:.3f}" for net in nets),
    ]


def _spread(spread: Spread | None, frames: int) -> str:
    """Percentiles as far as so many frames can tell them."""
    if spread is None:
        return NONE
    p95 = milliseconds(spread.p95) if frames >= FRAMES_FOR_P95 else NONE
    p99 = milliseconds(spread.p99) if frames >= FRAMES_FOR_P99 else NONE
    return f"{milliseconds(spread.p50)} / {p95} / {p99}"


def milliseconds(ms: float) -> str:
    """Three figures are all that such a measurement tells."""
    return f"{ms:.2f}" if ms < 10 else f"{ms:.1f}" if ms < 100 else f"{ms:.0f}"


def refused(rows: Iterable[Row]) -> list[tuple[str, str]]:
    """What could not be measured, and why; rows of a platform with the same reason together."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.why:
            found.setdefault((row.platform, row.why), []).append(row.precision)
    return [
        (f"{platform}, {', '.join(dict.fromkeys(precisions))}", why)
        for (platform, why), precisions in found.items()
    ]


def environment_lines(where: Environment) -> list[str]:
    """Where and when it was measured; what is unknown is left out."""
    return [
        f"{where.date}, {where.board or where.processor}, {where.cores} cores, Linux {where.kernel}"
        + (f", Jetson Linux {where.l4t}" if where.l4t else ""),
        ", ".join(f"{name} {number}" for name, number in where.versions.items()),
        *_state(where),
    ]


def _state(where: Environment) -> list[str]:
    """Power mode, clocks, temperatures and throttling, as far as they can be read."""
    clocks = [mhz for mhz in where.cpu_clocks_mhz.values() if mhz is not None]
    told = [
        f"power mode {where.power_mode}" if where.power_mode else "",
        f"processor at {max(clocks):.0f} MHz" if clocks else "",
        f"GPU at {where.gpu_clock_mhz:.0f} MHz" if where.gpu_clock_mhz is not None else "",
        _heat(where),
        f"clocks held down by {', '.join(where.throttled_by)}" if where.throttled_by else "",
    ]
    known = ", ".join(part for part in told if part)
    return [known] if known else []


def _heat(where: Environment) -> str:
    zones = (where.temperatures_before_c, where.temperatures_after_c)
    hottest = [max((c for c in zone.values() if c is not None), default=None) for zone in zones]
    before_c, after_c = hottest
    if before_c is None or after_c is None:
        return ""
    return f"hottest zone {before_c:.0f} °C before, {after_c:.0f} °C after"
