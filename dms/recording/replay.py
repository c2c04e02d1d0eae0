"""Judging a bundle again, and comparing with what was judged then, bit for bit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dms.errors import InputError
from dms.pipeline import judged
from dms.recording.bundle import Bundle, Line, Moment
from dms.recording.checkpoint import Judges, restore
from dms.recording.codec import encode

GARBAGE = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What judging raises from a state that no dms was ever in."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where two judgements part: which frame, which field, what each says."""

    frame_id: int
    captured_s: float
    field: str
    recorded: Any
    replayed: Any

    def __str__(self) -> str:
        return (
            f"frame {self.frame_id} at {self.captured_s:.3f} s, {self.field}: "
            f"recorded {_short(self.recorded)}, now {_short(self.replayed)}"
        )


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it: moments judged, phases of alerts among them, and the first difference, if any."""

    frames: int
    alerts: int
    difference: Difference | None


def replay(bundle: Bundle) -> Replayed:
    """Judge a bundle again, up to the first difference.

    Raises:
        InputError: the bundle is damaged, or its state is none that this dms can be in.
    """
    frames = alerts = 0
    for line, again in rejudged(restore(bundle.checkpoint), bundle.lines()):
        if (difference := _compare(line, again)) is not None:
            return Replayed(frames, alerts, difference)
        frames, alerts = frames + 1, alerts + len(again.alerts)
    return Replayed(frames, alerts, None)


def rejudged(judges: Judges, lines: Iterator[Line]) -> Iterator[tuple[Line, Moment]]:
    """Every moment of `lines`, and the same as these judges judge it; they go on from moment to moment.

    Raises:
        InputError: judging fails, because the judges' state is damaged.
    """
    for line in lines:
        if not isinstance(line.content, Moment):
            continue
        try:
            again = judge(judges, line.content)
        except GARBAGE as e:
            raise InputError(
                f"{line.where}: cannot be judged from the state in the bundle, which is damaged or of "
                f"another version of dms ({type(e).__name__}: {e!s:.100})"
            ) from e
        yield line, again


def judge(judges: Judges, moment: Moment) -> Moment:
    """What these judges conclude from what was seen in a moment."""
    seen = moment.observation
    if moment.assessment is None:
        return Moment(seen, None, judges.alerts.close(seen.captured_s))
    return Moment(seen, *judged(seen, judges.assessor, judges.alerts))


def _compare(line: Line, again: Moment) -> Difference | None:
    replayed = encode(again)
    # As text: 0.0 and -0.0, 1 and 1.0 are equal, but not the same.
    for part in ("assessment", "alerts"):
        recorded = line.written.get(part)
        if _text(recorded) != _text(replayed[part]):
            field, was, now = _first_difference(part, recorded, replayed[part])
            seen = again.observation
            return Difference(seen.frame_id, seen.captured_s, field, was, now)
    return None


def _first_difference(where: str, was: Any, now: Any) -> tuple[str, Any, Any]:
    if isinstance(was, dict) and isinstance(now, dict):
        for name in [*was, *(name for name in now if name not in was)]:
            if _text(was.get(name)) != _text(now.get(name)) or (name in was) != (name in now):
                return _first_difference(f"{where}.{name}", was.get(name), now.get(name))
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for index, (one, other) in enumerate(zip(was, now, strict=True)):
            if _text(one) != _text(other):
                return _first_difference(f"{where}[{index}]", one, other)
    return where, was, now


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _short(value: Any) -> str:
    return f"{_text(value):.120}"
