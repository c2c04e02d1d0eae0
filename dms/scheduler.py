"""Which stages run on this frame: decided from the frame's time alone, never from a count of frames."""

from __future__ import annotations

from dms.config import ScheduleConfig

DETECT = "face"


class Scheduler:
    """Keeps each stage at its own rate, in time, without drift.

    The detector runs on every frame while there is no track, and every `detect_every_s` to confirm one.
    """

    def __init__(self, config: ScheduleConfig) -> None:
        self._period_s = {
            DETECT: config.detect_every_s,
            "fatigue": config.fatigue_every_s,
            "distraction": config.distraction_every_s,
        }
        self._next_s: dict[str, float] = {}

    def due(self, captured_s: float, *, tracking: bool) -> frozenset[str]:
        """The stages to run on the frame captured at `captured_s`; `tracking`: whether a face is followed."""
        due = {name for name in self._period_s if self._is_due(name, captured_s)}
        if not tracking:
            due.add(DETECT)
        for name in due:
            self._plan(name, captured_s)
        return frozenset(due)

    def _is_due(self, name: str, captured_s: float) -> bool:
        return captured_s >= self._next_s.get(name, captured_s)

    def _plan(self, name: str, captured_s: float) -> None:
        period_s = self._period_s[name]
        planned_s = self._next_s.get(name, captured_s)
        # Keep the grid while frames come in time; start it anew after a gap or an unplanned run.
        on_grid = 0 <= captured_s - planned_s < period_s
        self._next_s[name] = (planned_s if on_grid else captured_s) + period_s
