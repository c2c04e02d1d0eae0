"""The stages of one frame: quality, face, eyes, fatigue, distraction. Each fills its own field only."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from dms.errors import EngineError
from dms.records import FrameState, Observation


class Stage(Protocol):
    """One step of perception."""

    name: str

    def run(self, state: FrameState) -> FrameState:
        """Return the state with this stage's own field filled (None where nothing was found)."""
        ...


def filled(state: FrameState, **found: object) -> FrameState:
    """The state with these fields of `seen` filled."""
    return FrameState(state.frame, replace(state.seen, **found), state.previous, state.due)  # type: ignore[arg-type]


def with_fault(seen: Observation, stage: str, error: EngineError) -> Observation:
    """The observation with a note that `stage` failed on this frame."""
    return replace(seen, faults={**seen.faults, stage: str(error)})
