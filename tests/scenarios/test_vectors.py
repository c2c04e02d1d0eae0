"""Boundary vectors 9, 10 and 13 to 15: closures, lost faces and eyes, on any camera. The others: looks.

Each is a property: it holds at 5 to 120 frames a second, with 20 to 200 ms between frames, frames lost and
stretches without any. `late_s` is what the camera entitles the judgement to (`Camera.tolerance_s`); where a
vector needs more, it says why. `HYPOTHESIS_PROFILE=search` plays twenty times as many cameras.
"""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dms.records import DriverState, Phase, UnknownCause
from dms.testing import judge, watch
from tests.scenarios.cameras import LEAD_S, Camera, cameras, examples
from tests.scenarios.telling import SALOON
from tests.scenarios.vectors import (
    CONFIG,
    EURONCAP,
    LONG,
    MICROSLEEP,
    SLEEP,
    UNRESPONSIVE,
    alerts,
    begun,
    of_driver,
    types,
)


@examples()
@given(
    cameras(),
    st.sampled_from(
        [
            (0.9, []),
            (1.6, [MICROSLEEP]),
            (3.0, [MICROSLEEP, SLEEP]),
            (6.0, [MICROSLEEP, SLEEP, UNRESPONSIVE]),
        ]
    ),
)
def test_9_a_closure_is_one_chain(camera, closure):
    """A closure that must be told lasts longer by what its beginning and its end may be missed by."""
    closed_s, chain = closure
    late_s = camera.tolerance_s(12)
    assume(1.6 + 2 * late_s < 3.0)
    lasts_s = closed_s + 2 * late_s if chain else closed_s
    got = alerts(camera.story().closed(lasts_s).attentive(5))
    worsening = [alert for alert in got if alert.phase is not Phase.END]
    assert [alert.type for alert in worsening] == chain
    assert len({alert.id for alert in got}) == min(1, len(chain))
    for alert, after_s in zip(worsening, (1.5, 3.0, 6.0), strict=False):
        assert 0 <= alert.onset_s - LEAD_S <= late_s
        assert after_s - 1e-3 <= alert.captured_s - LEAD_S <= after_s + 2 * late_s


@examples()
@given(cameras(gaps=False), st.floats(0.4, 1.2), st.floats(0.6, 2.4))
def test_10_a_lost_face_freezes_the_closure(camera, before_s, lost_s):
    """What passes between the last closed lids and the first lost face, and back, counts to neither."""
    late_s = camera.tolerance_s(10)
    story = camera.story().closed(before_s).no_face(lost_s).closed(1.5 - before_s - 0.01)
    assert not {name for name, _ in begun(story.attentive(4)) if name.startswith("fatigue")}
    again_s = 1.5 - before_s + 4 * late_s
    assume(before_s + again_s < 3.0)
    story = camera.story().closed(before_s).no_face(lost_s).closed(again_s).attentive(4)
    assert MICROSLEEP in types(story)


@examples()
@given(cameras())
def test_10_a_face_lost_for_good_in_a_closure_takes_its_own_path(camera):
    late_s = camera.tolerance_s(14)
    assume(late_s < 0.45)
    got = begun(camera.story().closed(2.0 + 2 * late_s).no_face(9.0 + 2 * late_s).attentive(2))
    assert SLEEP not in [name for name, _ in got]
    lost = [(name, after_s - 2.0) for name, after_s in got if name != MICROSLEEP]
    told_s = {name: after_s for name, after_s in reversed(lost)}
    assert 3.0 - 1e-3 <= told_s["sensor.no_face"] <= 3.0 + 4 * late_s
    assert min(after_s for name, after_s in lost if name.startswith("driver.")) <= 6.0 + 4 * late_s


def states(played, from_s, to_s=math.inf):
    """All states told between two times after the lead, the first left out: it may be seen before it."""
    return {a.state for a in played.assessments if from_s + 1e-3 < a.captured_s - LEAD_S < to_s}


def is_too_slow(played):
    """Whether frames come so seldom that nobody is ever called attentive."""
    return any(UnknownCause.OVERLOAD in assessment.unknown_causes for assessment in played.assessments)


@examples()
@given(cameras(), st.sampled_from(["attentive", "closed", "look_away"]))
def test_13_a_covered_lens_is_told_and_nothing_else(camera, before):
    """Half a second after the loss, at the latest, nobody is called attentive any more."""
    story = getattr(camera.story(), before)(1.0).covered(15.0)
    played = watch(story, CONFIG, EURONCAP, cabin=SALOON)
    started = [alert for alert in of_driver(played) if alert.phase is not Phase.END]
    assert [alert.type for alert in started] == ["sensor.blocked"]
    assert started[0].captured_s - LEAD_S <= 1.0 + 10.0
    assert DriverState.ATTENTIVE in states(played, -LEAD_S, 1.0) or is_too_slow(played)
    assert DriverState.ATTENTIVE not in states(played, 1.5)
    last = played.assessments[-1]
    assert last.state is DriverState.UNKNOWN
    assert UnknownCause.BLOCKED in last.unknown_causes


@examples()
@given(cameras())
def test_14_sunglasses_are_told_and_the_head_still_counts(camera):
    """Attention behind them cannot be told, half a second after they are put on; a look aside can."""
    late_s = camera.tolerance_s(22)
    assume(3.1 + 2 * late_s < 5.0)
    story = camera.story().sunglasses(12.0).sunglasses(3.1 + 2 * late_s, yaw_deg=-32).sunglasses(4.0)
    played = watch(story, CONFIG, EURONCAP, cabin=SALOON)
    got = [(a.type, a.captured_s - LEAD_S) for a in of_driver(played) if a.phase is not Phase.END]
    assert [name for name, _ in got] == ["sensor.eyes_unreadable", LONG]
    assert got[0][1] <= 10.0
    assert 15.0 - 1e-3 <= got[1][1] <= 15.0 + 2 * late_s
    assert DriverState.ATTENTIVE in states(played, -LEAD_S, 0.0) or is_too_slow(played)
    assert DriverState.ATTENTIVE not in states(played, 0.5 + late_s)
    assert DriverState.DISTRACTED in states(played, 15.0)
    last = played.assessments[-1]
    assert last.gaze_source == "head"
    assert UnknownCause.EYES_HIDDEN in last.unknown_causes
    assert last.signals["perclos_60s"].value is None
    assert last.signals["closure_s"].value is None


@examples(0.2)
@given(cameras(fastest=30.0))
def test_15_a_slow_droop_stays_a_droop(camera):
    """Lids sink from 0.95 to 0.57 in ten minutes; a baseline that followed them would still say 1.0."""
    story = camera.story().attentive(60.0).droop(600.0, 0.95, 0.57)
    openness = [assessment.signals["openness"].value for assessment in judge(story, CONFIG, SALOON)]
    known = [value for value in openness if value is not None]
    assert known[len(openness) // 12] > 0.9
    assert known[-1] < 0.7


@pytest.mark.parametrize("fps", [5.0, 30.0, 120.0])
def test_a_steady_camera_entitles_to_one_interval(fps):
    assert Camera(fps, None, 0.0, 0.0, 0).tolerance_s(5.0) == pytest.approx(1 / fps + 1e-3)
