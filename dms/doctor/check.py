"""One finding of the doctor, and how findings are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Grade(str, Enum):
    """How a check came out: `warn` is worth knowing, `fail` must be cured before `dms run` can work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what was looked at, how it is, and what to do about it (empty when all is well)."""

    name: str
    grade: Grade
    detail: str
    cure: str = ""


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
    """All findings as a table for a person, each trouble with its cure, and a last line that sums up."""
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        lines.append(f"{check.grade.value:<4}  {check.name:<{width}}  {check.detail}")
        if check.cure:
            lines.append(f"{'':<4}  {'':<{width}}  cure: {check.cure}")
    counts = {grade: sum(check.grade is grade for check in checks) for grade in Grade}
    warnings = counts[Grade.WARN]
    lines.append(
        f"{len(checks)} checks: {counts[Grade.OK]} ok, {warnings} to know, {counts[Grade.FAIL]} failed"
    )
    return "\n".join(lines)
