"""What was probably meant by a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known name most like `name`; None if none is as like as `likeness`, 0 to 1."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=likeness)), None)


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean …?`, or all there are."""
    known = list(known)
    close = closest(name, known)
    return f"did you mean {close}?" if close else f"there are {', '.join(known)}"
