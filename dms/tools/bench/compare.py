"""Two benchmarks side by side: what got slower by more than the runs themselves wavered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dms.evaluation.report import aligned
from dms.tools.bench.records import QUIET_PERCENT, Environment, Figures, Report, Row, Spread

WATCHED: Mapping[str, Callable[[Figures], Spread]] = {
    "paced": lambda figures: figures.paced.stages.total,
    "unpaced": lambda figures: figures.unpaced.stages.total,
}
NOTE = (
    "Ratios are after / before, of the total of a frame. Slower or faster is said only where every fifth of "
    "one run lies beyond every fifth of the other."
)


@dataclass(frozen=True)
class Change:
    """How one percentile of a row changed; `beyond_noise` when the parts of the two runs do not overlap."""

    what: str
    ratio: float
    beyond_noise: bool


@dataclass(frozen=True)
class Compared:
    """One row of both reports; `gone` tells why there is nothing to compare.

    `disturbed` when other processes took part of the machine in one of the runs: the parts of a run do not
    show what differs from one run to the other.
    """

    before: Row
    changes: tuple[Change, ...] = ()
    memory_ratio: float | None = None
    gone: str = ""
    disturbed: bool = False

    @property
    def slower(self) -> tuple[Change, ...]:
        """What takes longer, beyond the noise."""
        return tuple(change for change in self.changes if change.beyond_noise and change.ratio > 1)

    @property
    def faster(self) -> tuple[Change, ...]:
        """What takes less time, beyond the noise."""
        return tuple(change for change in self.changes if change.beyond_noise and change.ratio < 1)

    def fails(self, limit: float) -> bool:
        """Whether it can no longer be measured, or got slower by more than `limit` and the noise."""
        return bool(self.gone) or any(change.ratio > limit for change in self.slower)


def compare(before: Report, after: Report) -> list[Compared]:
    """Every row that was measured before, against the same row after."""
    rows = {row.key: row for row in after.rows}
    return [_compared(row, rows.get(row.key)) for row in before.rows if row.figures]


def _compared(before: Row, after: Row | None) -> Compared:
    if after is None:
        return Compared(before, gone="not in the second report")
    if before.nets != after.nets:
        return Compared(before, gone=f"other nets: {', '.join(after.nets)}")
    if before.figures is None or after.figures is None:
        return Compared(before, gone=after.why)
    changes = [
        change
        for name, spread in WATCHED.items()
        for change in _changes(name, spread(before.figures), spread(after.figures))
    ]
    memory = after.figures.memory.peak_mb / before.figures.memory.peak_mb
    return Compared(before, tuple(changes), memory, disturbed=before.disturbed or after.disturbed)


def _changes(name: str, before: Spread, after: Spread) -> list[Change]:
    return [
        Change(f"{name} p50", after.p50 / before.p50, _apart(before.p50_range, after.p50_range)),
        Change(f"{name} p95", after.p95 / before.p95, _apart(before.p95_range, after.p95_range)),
    ]


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[1] < other[0] or other[1] < one[0]


def text(compared: Sequence[Compared], before: Environment, after: Environment) -> str:
    """The comparison for a terminal."""
    header = ["platform", "precision", "frame"]
    names = [f"{name} {p}" for name in WATCHED for p in ("p50", "p95")]
    body = [
        [c.before.platform, c.before.precision, c.before.image_size, *_cells(c, len(names))] for c in compared
    ]
    lines = [*_differences(before, after), *aligned([*header, *names, "peak memory", "verdict"], body), NOTE]
    disturbed = sum(c.disturbed for c in compared)
    if disturbed:
        lines.append(
            f"{disturbed} of {len(compared)} rows {'was' if disturbed == 1 else 'were'} measured while other "
            f"processes took more than {QUIET_PERCENT:g} % of a core: the ratios tell of that, too. "
            "Measure again on a quiet machine."
        )
    return "\n".join(lines)


def _cells(compared: Compared, width: int) -> list[str]:
    if compared.gone:
        return ["–"] * (width + 1) + [f"GONE: {compared.gone}"]
    told = [
        f"{verdict} in {', '.join(change.what for change in changes)}"
        for verdict, changes in (("SLOWER", compared.slower), ("faster", compared.faster))
        if changes
    ]
    ratios = [f"{change.ratio:.2f}" for change in compared.changes]
    return [*ratios, f"{compared.memory_ratio:.2f}", "; ".join(told) or "within the noise"]


def _differences(before: Environment, after: Environment) -> list[str]:
    """What differs between the two places: then the ratios do not tell of the software alone."""
    apart = [
        f"{name.replace('_', ' ')}: {getattr(before, name)} -> {getattr(after, name)}"
        for name in ("processor", "board", "cores", "l4t", "kernel", "power_mode")
        if getattr(before, name) != getattr(after, name)
    ]
    names = sorted(before.versions.keys() | after.versions.keys())
    apart += [
        f"{name}: {before.versions.get(name, 'none')} -> {after.versions.get(name, 'none')}"
        for name in names
        if before.versions.get(name) != after.versions.get(name)
    ]
    return [f"not the same {line}" for line in apart]
