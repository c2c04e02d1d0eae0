"""What is kept of the time around an alert."""

from __future__ import annotations

from pydantic import Field, model_validator

from dms.config.section import PositiveSeconds, Seconds, Section


class BlackboxConfig(Section):
    """The black box: around each alert a bundle of signals and landmarks, never a picture; off by default."""

    folder: str | None = None
    """Folder for the bundles, one `<alert id>.dms` each; null = keep nothing."""
    before_s: Seconds = 30.0
    """At least this long before an alert is kept, if the run is that old; up to a checkpoint more."""
    after_s: Seconds = 5.0
    """This long after its end is kept."""
    longest_s: PositiveSeconds = 120.0
    """An alert that lasts longer is written after this long, without its end."""
    checkpoint_every_s: float = Field(30.0, ge=1, le=60)
    """Seconds between two checkpoints, from which a bundle can be judged again."""
    landmarks: bool = True
    """Keep the landmarks of the face; without them bundles are smaller and tell less of a face."""
    keep_days: float = Field(7.0, gt=0, le=365)
    """Bundles older than this are deleted."""
    keep_bundles: int = Field(200, ge=1, le=10_000)
    """More bundles than this: the oldest are deleted."""
    keep_mb: float = Field(500.0, gt=0)
    """More megabytes than this: the oldest are deleted."""

    @model_validator(mode="after")
    def _ring_is_bounded(self) -> BlackboxConfig:
        if self.before_s + self.longest_s + self.after_s > 600:
            raise ValueError(
                "before_s, longest_s and after_s together must be at most 600: they are held in RAM"
            )
        return self
