"""Random drives, and what must hold in each: stories nobody thought of.

`HYPOTHESIS_PROFILE=search` tells twenty times as many.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.alerts import AlertManager, load_profile
from dms.assess import Assessor
from dms.config.assess import AssessConfig
from dms.pipeline import judged
from dms.records import Alert, Assessment, DriverState, Phase
from dms.testing import Story, watch
from tests.scenarios.cameras import examples
from tests.scenarios.telling import SALOON

CONFIG = AssessConfig()
PROFILE = load_profile("euroncap_2026")
UNSEEN = ("no_face", "covered", "dark", "glare", "stale", "poster", "camera_lost", "silence", "sunglasses")
"""Verbs under which nothing is seen of the driver's eyes."""
FACELESS = ("no_face", "covered", "dark", "glare", "camera_lost", "silence")
"""Those under which not even a face is seen."""
SEEN = ("attentive", "closed", "phone", "one_eye_shut", "two_faces")
PLACES = ("centre_stack", "lap", "cluster", "driver_mirror", "dash_phone", "inner_mirror", "driver_window")
SPEEDS_KMH = (30.0, 60.0, 90.0, None)
"""All of them open the gates; unknown counts as fast."""
ASLEEP_S = 3.0
SLEEP = ("fatigue.sleep", "driver.unresponsive")
DRIVERS = ("fatigue", "distraction", "driver")
"""Areas of alerts about the driver; `driver.lockout` ends with the run."""
WITHOUT_EYES = ("driver.absent", "distraction.phone", "fatigue.yawn")
"""Those of them that are judged, and may end, where a face is seen without its eyes."""
GARBAGE = st.sampled_from([math.nan, math.inf, -math.inf, 400.0, -400.0, 1e12])
NUMBERS = (
    *("openness", "closed", "visibility", "openness_sigma", "glasses", "squint", "yawn", "mouth_covered"),
    *("head_yaw_deg", "head_pitch_deg", "gaze_yaw_deg", "gaze_pitch_deg", "head_sigma_deg", "gaze_sigma_deg"),
    *("phone", "eating", "smoking", "hand_on_face", "brightness", "contrast", "saturated", "change", "rival"),
)


@dataclass(frozen=True)
class Part:
    """One verb of a story, and when it holds."""

    begin_s: float
    end_s: float
    verb: str


@dataclass(frozen=True)
class Moment:
    """One judgement, and the truth: for how long eyes, and a face, were not to be seen, and were closed."""

    told: Assessment
    changes: tuple[Alert, ...]
    active: tuple[Alert, ...]
    unseen_s: float
    faceless_s: float
    closed_s: float


@dataclass(frozen=True)
class Drive:
    """A story and its parts in order."""

    story: Story
    parts: tuple[Part, ...]

    def moments(self) -> Iterator[Moment]:
        assessor, manager = Assessor(CONFIG, SALOON), AlertManager([PROFILE], "story")
        number, unseen_from_s, faceless_from_s, closed_from_s = 0, math.inf, math.inf, math.inf
        for seen in self.story.observations():
            now_s = seen.captured_s
            while number + 1 < len(self.parts) and now_s >= self.parts[number].end_s - 1e-9:
                number += 1
                verb, before = self.parts[number].verb, self.parts[number - 1]
                began_s = before.end_s
                unseen_from_s = min(unseen_from_s, began_s) if verb in UNSEEN else math.inf
                faceless_from_s = min(faceless_from_s, began_s) if verb in FACELESS else math.inf
                closed_from_s = min(closed_from_s, began_s) if verb == "closed" else math.inf
            told, changes = judged(seen, assessor, manager)
            since_s = (unseen_from_s, faceless_from_s, closed_from_s)
            yield Moment(told, changes, manager.active, *(now_s - begun_s for begun_s in since_s))


@st.composite
def drives(draw: st.DrawFn) -> Drive:
    fps = draw(st.sampled_from([5.0, 8.0, 10.0, 15.0, 30.0, 60.0]))
    drop = draw(st.sampled_from([0.0, 0.0, 0.1])) if fps >= 15 else 0.0
    story = Story(fps, drop=drop, seed=draw(st.integers(0, 99)))
    story.driving(draw(st.sampled_from(SPEEDS_KMH))).attentive(draw(st.sampled_from([5.0, 20.0])))
    parts = [Part(-math.inf, story.end_s, "attentive")]
    durations = st.sampled_from([0.2, 0.4, 0.8, 1.2, 2.0, 3.2, 4.0, 6.5, 9.0])
    verbs = st.sampled_from(
        [*UNSEEN, *SEEN, "closed", "closed", "attentive", "look_at", "look_away", "speed"]
    )
    for verb, seconds in draw(st.lists(st.tuples(verbs, durations), min_size=4, max_size=16)):
        if verb == "speed":
            story.driving(draw(st.sampled_from(SPEEDS_KMH)))
            continue
        begin_s = story.end_s
        if verb == "look_at":
            story.look_at(draw(st.sampled_from(PLACES)), seconds, head=draw(st.booleans()))
        elif verb == "look_away":
            story.look_away(seconds, draw(st.sampled_from([-60.0, -30.0, 30.0, 60.0])))
        else:
            getattr(story, verb)(seconds)
        parts.append(Part(begin_s, story.end_s, verb))
    return Drive(story, tuple(parts))


def slack_s(story: Story) -> float:
    """Nothing is known between two frames, nor where some were lost."""
    return 3 / story.fps + 1e-3


@examples(6)
@given(drives())
def test_nobody_is_attentive_who_has_not_been_seen_for_half_a_second(drive):
    for moment in drive.moments():
        if moment.unseen_s > 0.5 + 1e-3:
            assert moment.told.state is not DriverState.ATTENTIVE, f"{moment.unseen_s:.2f} s unseen"


@examples(6)
@given(drives())
def test_a_closure_that_is_seen_raises_sleep(drive):
    for moment in drive.moments():
        if moment.closed_s > ASLEEP_S + 0.3 + slack_s(drive.story):
            assert any(alert.type in SLEEP for alert in moment.active), f"{moment.closed_s:.2f} s closed"


@examples(6)
@given(drives())
def test_no_alert_about_the_driver_ends_while_he_is_unseen(drive):
    for moment in drive.moments():
        for alert in moment.changes:
            if alert.phase is Phase.END and alert.type.partition(".")[0] in DRIVERS:
                hidden_s = moment.faceless_s if alert.type in WITHOUT_EYES else moment.unseen_s
                assert hidden_s <= 0.5 + slack_s(drive.story), f"{alert.type} ended {hidden_s:.2f} s unseen"


@examples(6)
@given(
    st.lists(
        st.tuples(st.floats(0.1, 8.0), st.dictionaries(st.sampled_from(NUMBERS), GARBAGE, min_size=1)),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([5.0, 10.0, 30.0]),
)
def test_numbers_that_cannot_be_raise_nothing_about_the_driver(parts, fps):
    """Sooner or later it is told that something is broken; nothing is made of what it says."""
    story = Story(fps).driving(90).attentive(10)
    for seconds, scene in parts:
        story.but(seconds, **scene).attentive(1)
    told = {alert.type for alert in watch(story, CONFIG, PROFILE, cabin=SALOON).alerts}
    assert not {name for name in told if name.partition(".")[0] in DRIVERS}


@pytest.mark.parametrize("fps", [5.0, 6.0, 8.0])
def test_a_sleeper_misread_for_a_frame_every_1_2_s_is_told_of_by_a_slow_camera(fps):
    story = Story(fps, start_s=0.0).driving(90).attentive(10)
    for _ in range(6):
        story.closed(1.2).but(1 / fps, openness=0.9)
    came_s = {a.type: a.captured_s - 10 for a in reversed(watch(story, CONFIG, PROFILE, cabin=SALOON).alerts)}
    assert came_s["fatigue.microsleep"] <= 1.5 + 2 / fps
    assert came_s["fatigue.sleep"] <= 3.0 + 3 / fps
