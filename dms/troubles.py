"""What is wrong for longer than the one frame that showed it."""

from __future__ import annotations

from collections.abc import Mapping

from dms.config import Config


class Troubles:
    """Remembers faults of engines and of the source's clock until they must have shown again.

    An engine that takes turns is not well while it waits for its next turn: forgetting its fault at once
    would tell, between two of its runs, that all is well. Times are those of one clock, in seconds.
    """

    def __init__(self, config: Config) -> None:
        rates = config.schedule
        self._clock_lasts_s = config.source.lost_after_s
        self._fault_lasts_s = {
            "face": rates.face.max_age_s,
            "fatigue": rates.fatigue.max_age_s,
            "distraction": rates.distraction.max_age_s,
        }
        self._until: dict[str, tuple[float, str]] = {}

    def note_faults(self, now_s: float, faults: Mapping[str, str]) -> None:
        """Engines that failed on this frame, and why; those that run on every frame need no memory."""
        for name, why in faults.items():
            if name in self._fault_lasts_s:
                self._until[f"engine_{name}"] = (now_s + self._fault_lasts_s[name], why)

    def note_clock(self, now_s: float, captured_s: float, how: str) -> None:
        """A frame whose stamp cannot be right; told until frames came in order for `source.lost_after_s`."""
        why = (
            f"the source stamped a frame with second {captured_s:.3f} {how}: its clock stands still, was set "
            "back or is not this machine's; what takes time is timed anew"
        )
        self._until["source_clock"] = (now_s + self._clock_lasts_s, why)

    def told(self, now_s: float) -> dict[str, str]:
        """What was noted and still counts: by a stable code, a sentence."""
        self._until = {code: kept for code, kept in self._until.items() if now_s < kept[0]}
        return {code: why for code, (_, why) in self._until.items()}
