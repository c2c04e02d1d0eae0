"""What a sensitivity sweep found, the file `sensitivity.json` beside an engine."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dms.engines.limits import BOUND_ERROR, BOUND_TIME
from dms.files import write_atomically

NAME = "sensitivity.json"


class PartNote(BaseModel):
    """One part quantised alone: points lost, and the mean error of the outputs in their own spread.

    `time_ratio` is the time of the net with all parts in INT8 over that with this one left in float.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    part: str
    nodes: tuple[str, ...]
    loss_points: float
    output_error: float
    time_ratio: float


class Sensitivity(BaseModel):
    """The sweep of one model, the worst part first: `sensitivity.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    net: str
    model_sha256: str
    metric: str
    fp32: float
    bound_points: float
    bound_error: float = BOUND_ERROR
    bound_time: float = BOUND_TIME
    method: str
    parts: tuple[PartNote, ...]

    @property
    def float_parts(self) -> tuple[str, ...]:
        """The parts that cost more than a bound."""
        return tuple(
            part.part
            for part in self.parts
            if part.loss_points > self.bound_points
            or part.output_error > self.bound_error
            or part.time_ratio > self.bound_time
        )

    @property
    def float_nodes(self) -> tuple[str, ...]:
        """Their nodes."""
        return tuple(name for part in self.parts if part.part in self.float_parts for name in part.nodes)

    def save(self, folder: Path) -> None:
        """Write it beside the engine."""
        write_atomically(folder / NAME, self.model_dump_json(indent=2) + "\n")

    def text(self) -> str:
        """For a terminal."""
        lines = [f"{self.net}: points of {self.metric} lost by each part alone in INT8"]
        for part in self.parts:
            stays = "   stays float" if part.part in self.float_parts else ""
            error = (
                f"outputs off by {100 * part.output_error:.2f} % of their spread, time x{part.time_ratio:.2f}"
            )
            lines.append(f"  {part.part:<12} {part.loss_points:+.3f}   {error}{stays}")
        return "\n".join(lines)


def load_sensitivity(folder: Path) -> Sensitivity | None:
    """The last sweep of an engine; None where there is none that can be read."""
    try:
        return Sensitivity.model_validate_json((folder / NAME).read_bytes())
    except (OSError, ValidationError):
        return None


def float_nodes_for(folder: Path, model_sha256: str) -> tuple[str, ...] | None:
    """The nodes that the last sweep of this model keeps in floating point; None before any."""
    last = load_sensitivity(folder)
    return last.float_nodes if last is not None and last.model_sha256 == model_sha256 else None
