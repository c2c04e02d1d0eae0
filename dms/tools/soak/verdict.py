"""Whether a soak is passed: every check with what it found. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dms.tools.soak.director import Outcome
from dms.tools.soak.laps import Tally
from dms.tools.soak.schedule import Fault
from dms.tools.soak.watch import Holdings, Sample, difference, slope

WARM_UP_SHARE = 0.2
"""So much of the driving is left out: caches fill up, windows of ten minutes among them."""
GROWTH_MB_PER_H = 1.0
"""A leak of 300 bytes a second, or 10 a frame, is about this much."""
GROWTH_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Check:
    """One demand: whether it is met, and the figures."""

    name: str
    passed: bool
    told: str


@dataclass(frozen=True, slots=True)
class Run:
    """All that a soak found."""

    planned_s: float
    driven_s: float
    wall_s: float
    samples: Sequence[Sample]
    held_before: Holdings | None
    """After the warm-up; None where the run ended before."""
    held_after: Holdings | None
    left_over: Counter[str]
    """Threads that were still there after everything was closed."""
    plan: Sequence[Fault]
    """The last of them may find no time, where those before took long to settle."""
    outcomes: Sequence[Outcome]
    tally: Tally
    unforeseen: Counter[str]
    events_dropped: float
    events_waiting: float


def checks(run: Run) -> list[Check]:
    """All demands."""
    return [*_flat(run), *_faults(run), *_alerts(run), *_ends(run)]


def after_warm_up(run: Run) -> list[Sample]:
    """The settled samples that count."""
    begin_s = WARM_UP_SHARE * run.planned_s
    return [sample for sample in run.samples if sample.settled and sample.driven_s >= begin_s]


def growth_mb_per_h(samples: Sequence[Sample]) -> float:
    """By which resident memory grows in an hour of driving."""
    return slope([(sample.driven_s / 3600, sample.rss_mb) for sample in samples])


def _flat(run: Run) -> Iterator[Check]:
    samples = after_warm_up(run)
    if len(samples) < 2 or run.held_before is None or run.held_after is None:
        yield Check(
            "memory", False, "the run was too short: there is no second settled look after the warm-up"
        )
        return
    yield _memory(samples)
    before, after = run.held_before, run.held_after
    yield _same("threads", before.threads, after.threads, [sample.threads for sample in samples])
    yield _same("handles", before.handles, after.handles, [sample.handles for sample in samples])


def _memory(samples: Sequence[Sample]) -> Check:
    hours = (samples[-1].driven_s - samples[0].driven_s) / 3600
    an_hour_mb = growth_mb_per_h(samples)
    grown_mb = an_hour_mb * hours
    # Over less than an hour an allocator's wavering would be taken for a leak.
    allowed_mb = GROWTH_MB_PER_H * max(1.0, hours)
    first_mb = samples[0].rss_mb
    return Check(
        "memory",
        grown_mb <= allowed_mb and grown_mb <= GROWTH_SHARE * first_mb,
        f"{first_mb:.1f} MB after the warm-up, {samples[-1].rss_mb:.1f} MB at the end; "
        f"{an_hour_mb:+.2f} MB an hour over {hours:.2f} h, {grown_mb:+.2f} MB in all "
        f"(limits {allowed_mb:.2f} MB and {GROWTH_SHARE * first_mb:.1f} MB)",
    )


def _same(name: str, before: Counter[str], after: Counter[str], counts: Sequence[int]) -> Check:
    changed = difference(before, after)
    told = f"{before.total()} after the warm-up, {after.total()} at the end"
    told += f"; {min(counts)} to {max(counts)} between"
    return Check(name, not changed, f"{told}; {changed}" if changed else told)


def _faults(run: Run) -> Iterator[Check]:
    outcomes = run.outcomes
    came = {outcome.fault.kind.name for outcome in outcomes}
    missing = sorted({fault.kind.name for fault in run.plan} - came)
    told = f"{len(outcomes)} of {len(run.plan)} came, of {len(came)} kinds"
    yield Check("faults", bool(came) and not missing, "; never ".join([told, *missing]))
    must = [outcome for outcome in outcomes if outcome.fault.kind.signs]
    yield _all("published", must, lambda outcome: outcome.told_s is not None)
    yield _all("recovered", outcomes, lambda outcome: outcome.recovered_s is not None)
    told = ", ".join(_counted(run.unforeseen))
    yield Check(
        "peace",
        not run.unforeseen,
        f"told though no fault was on: {told}" if told else "no trouble but by faults",
    )


def _all(name: str, outcomes: Sequence[Outcome], is_good: Callable[[Outcome], bool]) -> Check:
    bad = [outcome for outcome in outcomes if not is_good(outcome)]
    told = f"{len(outcomes) - len(bad)} of {len(outcomes)}"
    missing = ", ".join(f"{outcome.fault.kind.name} at second {outcome.begun_s:.0f}" for outcome in bad)
    return Check(name, not bad, f"{told}; not {missing}" if bad else told)


def _alerts(run: Run) -> Iterator[Check]:
    tally = run.tally
    expected, came = tally.expected.total(), tally.came.total()
    told = f"{came} of {expected} where no fault was in the way ({tally.disturbed} were disturbed)"
    yield Check("alerts", 0 < expected == came, "; ".join([told, *_counted(tally.missed)]))
    yield Check("false alerts", not tally.unforeseen, ", ".join(_counted(tally.unforeseen)) or "none")


def _ends(run: Run) -> Iterator[Check]:
    told = f"{run.events_dropped:.0f} events dropped, {run.events_waiting:.0f} waiting at the end"
    yield Check("delivery", run.events_dropped == run.events_waiting == 0, told)
    left = ", ".join(_counted(run.left_over))
    yield Check("end", not left, f"still running: {left}" if left else "everything started has ended")


def _counted(names: Counter[str]) -> list[str]:
    return [f"{name} ({count} times)" if count > 1 else name for name, count in sorted(names.items())]
