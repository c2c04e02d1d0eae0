"""A measured report as a table for the terminal, as Markdown, as JSON, and beside the engines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dms.engines.contract import CONTRACTS
from dms.engines.manifest import INT8_FORMS, DataNote, load_manifest, rewrite
from dms.errors import InputError
from dms.evaluation import catalogue
from dms.evaluation.bootstrap import Estimate
from dms.evaluation.catalogue import (
    SPEED_UP_TARGET,
    Entry,
    cell,
    entry,
    metrics_of,
    ordered,
    target_cell,
    verdict,
)
from dms.evaluation.measure import Report, speed_ups
from dms.files import with_section, write_atomically

METRICS = "metrics.json"
UNJUDGED = "no targets: these are not the pictures that the engines' published figures rest on"
SECTION = "metrics"
"""The generated part of a card lies between marks of this name."""
HEAD = """# Engines, measured

Held-out people of the data the engines were trained on, {data};
the shipped files, one thread. In brackets: the 95 % interval, by drawing people with
replacement 1,000 times. Targets are meant for the INT8 file of the runtime (`{judge}`): met or missed where
the whole interval says so, else undecided. These people were also looked at while recipes, INT8 methods and
float parts were chosen: expect slightly worse on new ones. Written by `dms evaluate --publish`. Milliseconds
depend on the machine and its load.
"""


@dataclass(frozen=True)
class Setting:
    """How a report is to be read: its data, its runtime, and whether the targets are meant for that data.

    `own`: the data is a user's folder, whose labels have no teachers.
    """

    data: DataNote
    backend: str = "ort"
    own: bool = False
    judged: bool = True


def to_dict(report: Report) -> dict[str, Any]:
    """Plain values for JSON: net -> precision -> metric -> value, low, high, n; null is unknown."""
    return {
        net: {p: {m: plain(e) for m, e in scores.items()} for p, scores in by.items()}
        for net, by in report.items()
    }


def plain(estimate: Estimate) -> dict[str, float | int | None]:
    """An estimate's values for JSON, rounded; null is unknown."""
    values = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    rounded = {name: round(v, 5) if math.isfinite(v) else None for name, v in values.items()}
    return {**rounded, "n": estimate.n}


def rows(report: Report, net: str, how: Setting) -> tuple[list[str], list[list[str]]]:
    """Header and rows of one engine: metric, n, a column a precision, and if judged target and verdict."""
    by, columns = report[net], ordered(report[net])
    judge = catalogue.judged_by(by, how.backend)
    body = []
    for metric in metrics_of(net, by):
        of = entry(net, metric)
        estimates = [by[p].get(metric) for p in columns]
        first = next(e for e in estimates if e is not None)
        counted = str(first.n) if first.n > 1 else ""
        told = [target_cell(of), verdict(of, by[judge].get(metric))] if how.judged else []
        body.append([of.title(how.own), counted, *(cell(of, e) for e in estimates), *told])
    more = ["target", "reached"] if how.judged else []
    return ["metric", "n", *(p.upper() for p in columns), *more], body


def speed_lines(report: Report) -> list[str]:
    """How much faster INT8 is, by runtime; against the target where all engines were timed."""
    return [_speed_line(runtime, ratio) for runtime, ratio in speed_ups(report).items()]


def _speed_line(runtime: str, ratio: Estimate) -> str:
    of = Entry("", "x", target=SPEED_UP_TARGET)
    whole = ratio.n == len(CONTRACTS)
    whose = "mean of the engines" if whole else f"mean of {ratio.n} of {len(CONTRACTS)} engines"
    against = f"; target {SPEED_UP_TARGET:g}: {verdict(of, ratio)}" if whole else ""
    return (
        f"INT8 is {ratio.value:.2f} times as fast as FP32 on {runtime}, {ratio.low:.2f} to {ratio.high:.2f} "
        f"over the repeats ({whose}{against})."
    )


def text(report: Report, how: Setting) -> str:
    """The report for a terminal."""
    lines = [] if how.judged else [UNJUDGED, ""]
    for net in report:
        lines += [net, *aligned(*rows(report, net, how)), ""]
    return "\n".join([*lines, *speed_lines(report)]).rstrip()


def aligned(header: list[str], body: list[list[str]]) -> list[str]:
    """Lines of a table for a terminal."""
    widths = [max(len(row[k]) for row in [header, *body]) for k in range(len(header))]
    return [
        "  " + "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in [header, *body]
    ]


def markdown_table(header: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(row) + " |" for row in body]


def markdown(report: Report, how: Setting, more: Sequence[str] = ()) -> str:
    """The report as a page; `more` are sections that follow it."""
    lines = [HEAD.format(data=how.data, judge=INT8_FORMS[how.backend])]
    for net in report:
        lines += [f"## {net}", "", *markdown_table(*rows(report, net, how)), ""]
    lines += [*speed_lines(report), ""] if speed_lines(report) else []
    return "\n".join([*lines, *more]).rstrip() + "\n"


def publish(
    report: Report,
    how: Setting,
    engines: Path,
    table: Path,
    page_more: Sequence[str] = (),
    card_more: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Write `metrics.json`, the figures into the manifests and cards, and the page `table`.

    Every figure stands beside the hashes of the file and of the data it was measured on; what was published
    before is replaced whole. `page_more` are lines that follow the tables of the page, `card_more` by engine
    those of its card.

    Raises:
        InputError: a file cannot be written, or a card has no place for its figures.
    """
    cards = {net: engines / net / "card.md" for net in report if (engines / net / "card.md").is_file()}
    told = {
        card: _with_section(card, [data_line(how.data), "", *markdown_table(*rows(report, net, how)),
                                   *card_more.get(net, ())])
        for net, card in cards.items()
    }  # fmt: skip
    files = {net: load_manifest(engines / net).files for net in report}
    note = {
        "data": how.data.model_dump(),
        "files": {net: {p: files[net][p].sha256 for p in by} for net, by in report.items()},
        "engines": to_dict(report),
    }
    for card, content in told.items():
        write_atomically(card, content)
    for net, by in report.items():
        values = {p: {m: plain(e)["value"] for m, e in scores.items()} for p, scores in by.items()}
        rewrite(engines / net, metrics=values)
    write_atomically(table, markdown(report, how, page_more))
    write_json(engines / METRICS, note)


def data_line(data: DataNote) -> str:
    """Which data figures rest on, in a sentence."""
    return f"Data: {data}."


def released_data(engines: Path) -> str | None:
    """The hash of the data that the published figures of these engines rest on; None of none."""
    try:
        found = json.loads((engines / METRICS).read_bytes())["data"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def write_json(path: Path, value: object) -> None:
    """Indented JSON, whole or not at all."""
    write_atomically(path, json.dumps(value, indent=2) + "\n")


def _with_section(card: Path, section: Sequence[str]) -> str:
    found = with_section(card.read_text(encoding="utf-8"), SECTION, "\n".join(section))
    if found is None:
        raise InputError(
            f"{card} has no lines <!-- {SECTION} --> and <!-- /{SECTION} -->: put them where its figures "
            "belong"
        )
    return found
