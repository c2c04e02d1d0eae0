"""What no story, however odd, may ever break."""

import math

from hypothesis import given
from hypothesis import strategies as st

from dms.alerts import load_profile
from dms.assess import SIGNALS, Assessor
from dms.config.assess import AssessConfig
from dms.records import DriverState, Phase, Severity
from dms.testing import Scene, Story, play

CONFIG = AssessConfig()
PROFILE = load_profile("euroncap_2026")

SCENES = st.sampled_from(
    [
        Scene(),
        Scene(openness=0.05),
        Scene(openness=0.3, closed=0.5),
        Scene(head_yaw_deg=40, gaze_yaw_deg=40),
        Scene(gaze_pitch_deg=-30),
        Scene(head_yaw_deg=60, visibility=0.2),
        Scene(face=False),
        Scene(face=False, contrast=1.0),
        Scene(visibility=0.1),
        Scene(age_s=1.0),
        Scene(openness=math.nan),
        Scene(phone=0.9, yawn=0.9),
        Scene(silent=True),
    ]
)
PARTS = st.lists(st.tuples(st.floats(0.05, 8.0), SCENES), min_size=1, max_size=12)


@st.composite
def stories(draw):
    jitter_s = draw(st.sampled_from([None, (0.02, 0.2)]))
    fps = draw(st.sampled_from([5.0, 10.0, 30.0]))
    story = Story(
        fps, jitter_s=jitter_s, drop=draw(st.sampled_from([0.0, 0.2])), seed=draw(st.integers(0, 99))
    )
    for duration_s, scene in draw(PARTS):
        story.then(duration_s, scene)
    return story


@given(stories())
def test_no_story_breaks_the_rules_of_judgement(story):
    seen = story.observations()
    assessor = Assessor(CONFIG)
    face_s = closable_s = 0.0
    last_s = None
    for observation in seen:
        got = assessor.update(observation)
        now_s = observation.captured_s
        elapsed_s = 0.0 if last_s is None else now_s - last_s
        last_s = now_s
        closable_s += elapsed_s if observation.eyes and observation.eyes.right.openness < 0.5 else 0.0
        face_s = 0.0 if observation.face else face_s + elapsed_s
        assert set(got.signals) == set(SIGNALS)
        assert all(s.value is None or (math.isfinite(s.value) and s.value >= 0) for s in got.signals.values())
        assert all(s.onset_s is None or s.onset_s <= now_s for s in got.signals.values())
        for name in ("perclos_60s", "perclos_180s", "openness"):
            assert got.signals[name].value is None or got.signals[name].value <= 1
        assert (got.signals["closure_s"].value or 0.0) <= closable_s + 1e-6
        assert (got.state is DriverState.UNKNOWN) <= bool(got.unknown_causes)
        if face_s > 0.8:  # tolerance, and one interval of the longest kind
            assert got.state is not DriverState.ATTENTIVE


@given(stories())
def test_every_alert_starts_once_only_worsens_and_ends_once(story):
    ranks = list(Severity)
    lives = {}
    for alert in play(story, CONFIG, PROFILE):
        lives.setdefault(alert.id, []).append(alert)
    for life in lives.values():
        phases = [alert.phase for alert in life]
        assert phases == [Phase.START, *[Phase.UPDATE] * (len(life) - 2), Phase.END]
        severities = [ranks.index(alert.severity) for alert in life]
        assert severities == sorted(severities)
        times_s = [alert.captured_s for alert in life]
        assert times_s == sorted(times_s)
        assert len({(alert.onset_s, alert.detected_s) for alert in life}) == 1
        assert life[0].onset_s <= life[0].detected_s == times_s[0]
