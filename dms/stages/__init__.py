"""The stages of one frame: quality, face, eyes, fatigue, distraction. Each fills its own field only."""

from __future__ import annotations

from typing import Protocol

from dms.records import FrameState


class Stage(Protocol):
    """One step of perception."""

    name: str

    def run(self, state: FrameState) -> FrameState:
        """Return the state with this stage's own field filled (None where nothing was found)."""
        ...
