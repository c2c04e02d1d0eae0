"""Cameras as they are: any rate, shaky clocks, lost frames; and how late each entitles a judgement to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from dms.config.assess import AssessConfig
from dms.testing import Story

_AVAILABILITY = AssessConfig().availability
LEAD_S = 10.0
"""Every vector begins with an attentive driver at the given speed, long enough to know him."""


@dataclass(frozen=True)
class Camera:
    """How frames come. `gap` is a stretch without frames, seconds after the lead and its length."""

    fps: float
    jitter_s: tuple[float, float] | None
    drop: float
    phase: float
    seed: int
    gap: tuple[float, float] | None = None

    def story(self, speed_kmh: float | None = 90.0) -> Story:
        """A story filmed by it, told up to the end of the lead."""
        story = Story(
            self.fps, jitter_s=self.jitter_s, drop=self.drop, phase=self.phase, seed=self.seed, start_s=0.0
        )
        story.driving(speed_kmh).attentive(LEAD_S).here()
        if self.gap:
            story.lose(LEAD_S + self.gap[0], LEAD_S + sum(self.gap))
        return story

    def tolerance_s(self, seconds: float) -> float:
        """How late something that lasts may be noticed within so many seconds after the lead.

        One interval, the widest that came, because nothing is known between two frames. Where frames were
        missing for longer than a result stays fresh, that time does not count at all, and the judgement waits
        until it has seen the driver again for as long as it bridges a missing face.
        """
        story = self.story().attentive(seconds + 1.0)
        times_s = [seen.captured_s for seen in story.observations() if seen.captured_s >= LEAD_S - 1.0]
        gaps_s = np.diff(times_s)
        unseen_s = gaps_s[gaps_s > _AVAILABILITY.stale_after_s]
        wait_s = _AVAILABILITY.no_face_after_s + self._slowest_s if unseen_s.size else 0.0
        return float(gaps_s.max() + unseen_s.sum() + wait_s) + 1e-3

    @property
    def _slowest_s(self) -> float:
        return self.jitter_s[1] if self.jitter_s else 1 / self.fps


@st.composite
def cameras(draw: st.DrawFn, fastest: float = 120.0, gaps: bool = True) -> Camera:
    """Cameras of 5 to 120 frames a second: steady, shaky by a third, or with 20 to 200 ms between frames."""
    rate = st.sampled_from([fps for fps in (5.0, 10.0, 15.0, 25.0, 30.0, 60.0, 120.0) if fps <= fastest])
    fps = draw(st.one_of(rate, st.floats(5.0, min(40.0, fastest))))
    jitter_s = draw(st.sampled_from([None, (0.67 / fps, 1.33 / fps), (0.02, 0.2)]))
    gap = st.tuples(st.floats(0.0, 6.0), st.floats(0.05, 0.45)) if gaps else st.none()
    return Camera(
        fps=fps,
        jitter_s=jitter_s,
        drop=draw(st.floats(0.0, 0.2)),
        phase=draw(st.floats(0.0, 1.0, exclude_max=True)),
        seed=draw(st.integers(0, 9999)),
        gap=draw(st.one_of(st.none(), gap)),
    )


def examples(share: float = 1.0) -> settings:
    """As many examples as one vector may take of the profile's number: a sixth, all vectors together more."""
    return settings(max_examples=max(1, round(share * settings.default.max_examples / 6)))
