"""What `dms evaluate` found: as text, for a script, and as pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dms.config import Config
    from dms.engines.manifest import DataNote
    from dms.evaluation.measure import Report
    from dms.evaluation.report import Setting
    from dms.evaluation.robustness import Robustness
    from dms.evaluation.uncertainty import Calibration
    from dms.tools.events import ClipScore


@dataclass(frozen=True)
class Drawn:
    """Where pictures go; None: that one is not drawn."""

    reliability: Path | None = None
    timeline: Path | None = None

    @classmethod
    def planned(cls, plot: Path | None, eyes: bool, clips: bool) -> Drawn:
        """Checked before any work: a picture that could not be written would cost all of it."""
        from dms import pictures
        from dms.files import require_folder

        if plot is None:
            return cls()
        one = plot.suffix.lower() == ".png"
        if not eyes and not clips:
            raise click.UsageError("nothing to draw: --plot shows the eyes engine's uncertainty, and clips")
        if one and eyes and clips:
            raise click.UsageError("there are two pictures to draw: give --plot a folder")
        if not one:
            plot.mkdir(parents=True, exist_ok=True)
        pictures.figure(1, 1)  # fails here where matplotlib is missing
        found = cls(
            (plot if one else plot / "reliability.png") if eyes else None,
            (plot if one else plot / "timeline.png") if clips else None,
        )
        for path in filter(None, (found.reliability, found.timeline)):
            require_folder(path)
        return found

    def draw(self, found: Found, config: Config) -> None:
        """Write the pictures and name them on stderr."""
        from dms.alerts.profiles import load_profile
        from dms.evaluation import plots
        from dms.tools import event_report

        if self.reliability and found.calibrations:
            title = f"eyes engine, {found.precision.upper()}"
            plots.reliability(found.calibrations, self.reliability, title)
            click.echo(f"{self.reliability}", err=True)
        if self.timeline:
            event_report.timeline(found.clips, load_profile(config.alerts.profiles[0]), self.timeline)
            click.echo(f"{self.timeline}", err=True)


@dataclass
class Found:
    """Whatever was measured."""

    backend: str
    judged: bool = False
    report: Report = field(default_factory=dict)
    data: DataNote | None = None
    own: bool = False
    robustness: Robustness | None = None
    calibrations: list[Calibration] = field(default_factory=list)
    clips: list[ClipScore] = field(default_factory=list)

    @property
    def precision(self) -> str:
        """The INT8 form of the runtime: uncertainty and robustness are those of it."""
        from dms.evaluation import catalogue

        return next((catalogue.judged_by(by, self.backend) for by in self.report.values()), "")

    @property
    def how(self) -> Setting:
        """How the report is to be read."""
        from dms.evaluation.report import Setting

        assert self.data is not None
        return Setting(self.data, self.backend, self.own, self.judged)

    def to_dict(self) -> dict[str, Any]:
        """For a script."""
        from dms.evaluation import report, robustness_page, uncertainty
        from dms.tools import event_report

        result: dict[str, Any] = {"schema": "dms.evaluation/1"}
        if self.report:
            result["data"] = self.how.data.model_dump()
            result["engines"] = report.to_dict(self.report)
        if self.calibrations:
            result["uncertainty"] = [
                dict(zip(uncertainty.HEADER, row, strict=True))
                for row in uncertainty.table(self.calibrations)
            ]
        if self.robustness:
            result["robustness"] = robustness_page.to_dict(self.robustness)
        if self.clips:
            result["events"] = event_report.to_dict(self.clips)
        return result

    def text(self) -> str:
        """For a terminal."""
        from dms.evaluation import report, robustness_page, uncertainty
        from dms.tools import event_report

        parts = [report.text(self.report, self.how)] if self.report else []
        if self.calibrations:
            table = report.aligned(list(uncertainty.HEADER), uncertainty.table(self.calibrations))
            parts.append("\n".join(["uncertainty of the eyes engine", *table]))
        if self.robustness:
            parts.append(robustness_page.markdown(self.robustness, self.precision))
        if self.clips:
            parts.append(event_report.text(self.clips))
        return "\n\n".join(parts)
