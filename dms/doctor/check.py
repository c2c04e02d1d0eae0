"""One finding of the doctor, and how findings are shown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from itertools import groupby
from typing import Any

WIDTH = 100
"""Columns of the text; fits a terminal on a small screen, and a bug report."""


class Grade(str, Enum):
    """How a check came out: `warn` is worth knowing, `fail` must be cured before `dms run` can work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what was looked at, how it is, and what to do about it (empty when all is well).

    `group` is the step of a deployment that it belongs to.
    """

    name: str
    grade: Grade
    detail: str
    cure: str = ""
    group: str = ""


def ok(name: str, detail: str) -> Check:
    """A finding that all is well."""
    return Check(name, Grade.OK, detail)


def warn(name: str, detail: str, cure: str) -> Check:
    """A finding worth knowing."""
    return Check(name, Grade.WARN, detail, cure)


def fail(name: str, detail: str, cure: str) -> Check:
    """A finding that keeps `dms run` from working."""
    return Check(name, Grade.FAIL, detail, cure)


def passed(checks: Sequence[Check]) -> bool:
    """Whether nothing failed; warnings pass."""
    return all(check.grade is not Grade.FAIL for check in checks)


def to_dict(checks: Sequence[Check]) -> dict[str, Any]:
    """All findings as plain values, ready for JSON."""
    return {
        "schema": "dms.doctor/1",
        "ok": passed(checks),
        "checks": [{**asdict(check), "grade": check.grade.value} for check in checks],
    }


def to_text(checks: Sequence[Check]) -> str:
    """All findings as a table for a person: by group, each trouble with its cure; a last line sums up."""
    width = max((len(check.name) for check in checks), default=0)
    lines: list[str] = []
    for group, members in groupby(checks, lambda check: check.group):
        lines += ["", group] if lines and group else [group] * bool(group)
        for check in members:
            lines += _rows(check, width)
    return "\n".join([*lines, "", *_sum(checks)])


def _rows(check: Check, width: int) -> Iterator[str]:
    head = f"  {check.grade.value:<4}  {check.name:<{width}}  "
    yield from _wrapped(check.detail, head, " " * len(head))
    if check.cure:
        # Further left than the detail: a command to paste should stay on one line.
        yield from _wrapped(check.cure, " " * 8 + "cure: ", " " * 14)


def _sum(checks: Sequence[Check]) -> list[str]:
    names = {grade: [check.name for check in checks if check.grade is grade] for grade in Grade}
    named = [
        f"{len(names[grade])} {word}" + (f" ({', '.join(names[grade])})" if names[grade] else "")
        for grade, word in ((Grade.WARN, "to know"), (Grade.FAIL, "failed"))
    ]
    return list(_wrapped(f"{len(checks)} checks: {len(names[Grade.OK])} ok, {', '.join(named)}", "", "  "))


def _wrapped(text: str, first: str, rest: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines()):
        yield from textwrap.wrap(
            line,
            WIDTH,
            initial_indent=first if not number else rest,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
