"""What tells drowsiness slowly: blinks, PERCLOS, yawns, nods, and the KSS band made of them."""

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.assess import Assessor
from dms.assess.kss import Cues, estimate
from dms.config.assess import AssessConfig
from dms.testing import Scene, Story, judge

CONFIG = AssessConfig()


def last(story):
    return judge(story, CONFIG)[-1].signals


def blinking(story, count, closed_s=0.2, every_s=3.0):
    for _ in range(count):
        story.closed(closed_s).attentive(every_s - closed_s)
    return story


@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0, 120.0])
def test_blinks_are_measured_alike_at_any_rate_that_shows_them(fps):
    got = last(blinking(Story(fps).attentive(10), 30))
    assert got["blinks_per_min"].value == pytest.approx(20, abs=1)
    assert got["blink_s"].value == pytest.approx(0.2, abs=0.5 / fps)
    assert got["long_blink_share"].value == 0.0
    assert got["mean_closure_s"].value == pytest.approx(0.2, abs=0.5 / fps)


def test_blinks_are_unknown_where_frames_are_too_few():
    ten = last(blinking(Story(10.0).attentive(10), 30))
    assert ten["blink_s"].value is None
    assert ten["blinks_per_min"].value is None
    assert ten["mean_closure_s"].value is not None
    five = last(blinking(Story(5.0).attentive(10), 30, closed_s=0.8))
    assert five["long_blink_share"].value is None
    assert five["mean_closure_s"].value is None
    assert five["perclos_60s"].value is not None


def test_lengths_from_another_frame_rate_are_forgotten():
    observations = blinking(Story(60.0).attentive(10), 20).observations()
    slow = blinking(Story(20.0, start_s=170.0).attentive(10), 2).observations()
    assessor = Assessor(CONFIG)
    got = [assessor.update(observation) for observation in [*observations, *slow]]
    assert got[len(observations) - 1].signals["blink_s"].value is not None
    assert got[-1].signals["blink_s"].value is None


@pytest.mark.parametrize("fps", [10.0, 15.0, 30.0, 60.0])
def test_long_blinks_are_told_from_short_ones(fps):
    story = Story(fps).attentive(10)
    for _ in range(20):
        blinking(story, 2)
        blinking(story, 1, closed_s=0.8)
    got = last(story)["long_blink_share"].value
    assert got == pytest.approx(1 / 3, abs=0.04)


@pytest.mark.parametrize("fps", [5.0, 10.0, 30.0, 60.0])
def test_perclos_is_the_share_of_slow_closures(fps):
    got = last(blinking(Story(fps).attentive(20), 60, closed_s=0.8, every_s=4.0))
    assert got["perclos_60s"].value == pytest.approx(0.2, abs=0.02)
    assert got["perclos_180s"].value == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("fps", "blink_s", "every_s"), [(30.0, 0.3, 2.5), (15.0, 0.28, 2.0), (10.0, 0.3, 3.0)]
)
def test_slow_blinks_of_an_awake_driver_stay_out_of_perclos(fps, blink_s, every_s):
    got = last(blinking(Story(fps).attentive(10), 40, closed_s=blink_s, every_s=every_s))
    assert got["perclos_60s"].value == 0.0


def test_unseen_time_is_in_neither_side_of_perclos():
    story = Story(30.0).attentive(10)
    for _ in range(12):
        story.closed(0.8).attentive(3.2).no_face(1.0)
    assert last(story.attentive(1))["perclos_60s"].value == pytest.approx(0.2, abs=0.03)
    assert last(story.sunglasses(40))["perclos_60s"].value is None


def yawns(story):
    return last(story.attentive(2))["yawns_10min"].value


COVERED = Scene(mouth_covered=0.95)


@pytest.mark.parametrize("fps", [5.0, 15.0, 60.0])
def test_yawns_are_counted_hand_covered_ones_half(fps):
    start = Story(fps).attentive(5)
    assert yawns(start.yawn(4)) == 1.0
    assert yawns(start.attentive(5).yawn(0.8).then(4, COVERED)) == 1.5
    assert yawns(start.attentive(5).yawn(0.8).then(1.2, Scene(mouth_covered=0.95, squint=0.9))) == 2.0


def test_a_covered_yawn_is_timed_from_the_mouth_opening():
    got = last(Story().attentive(5).yawn(0.8).then(3.2, COVERED))["yawn_s"]
    assert got.onset_s == pytest.approx(105.0, abs=0.05)
    assert got.value >= 0.8


@pytest.mark.parametrize(
    "scene",
    [COVERED, Scene(mouth_covered=0.95, squint=0.9), Scene(yawn=0.2, mouth_covered=0.9)],
    ids=["hand", "sneeze", "chin"],
)
def test_a_hand_before_a_shut_mouth_hides_no_yawn(scene):
    assert yawns(Story().attentive(5).then(5, scene)) == 0.0


def test_a_hand_that_rests_before_the_mouth_is_no_yawn_for_ever():
    story = Story().attentive(5).yawn(0.8).then(20, COVERED)
    assert judge(story, CONFIG)[-1].signals["yawn_s"].value is None


@pytest.mark.parametrize("open_s", [0.3, 0.8, 1.3])
@pytest.mark.parametrize("fps", [10.0, 30.0])
def test_talk_song_and_laughter_are_no_yawns(fps, open_s):
    story = Story(fps).attentive(5)
    for _ in range(15):
        story.then(open_s, Scene(yawn=0.9)).attentive(0.4)
    story.then(2.5, Scene(yawn=0.9, squint=0.9))  # the long note, the loud laugh
    assert yawns(story) == 0.0


def test_a_yawn_in_the_middle_of_talk_is_one():
    story = Story().attentive(5)
    for _ in range(5):
        story.then(0.4, Scene(yawn=0.9)).attentive(0.4)
    assert yawns(story.yawn(5)) == 1.0


def nod(story, depth_deg=16.0, rise=2, lids=0.05):
    story.then(0.8, Scene(openness=lids))
    for step in range(1, 6):
        story.then(0.2, Scene(openness=lids, head_pitch_deg=-depth_deg * step / 5))
    for step in range(rise):
        story.then(0.1, Scene(head_pitch_deg=-depth_deg * (1 - (step + 1) / rise)))
    return story.attentive(2)


@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0])
def test_nods_are_counted(fps):
    assert last(nod(nod(Story(fps).attentive(10))))["nods_10min"].value == 2.0


def test_what_is_no_nod_is_not_counted():
    start = Story().attentive(10)
    assert last(nod(start, depth_deg=8.0))["nods_10min"].value == 0.0  # a normal nod
    assert last(nod(start, lids=0.9))["nods_10min"].value == 0.0  # a look at the gauges
    assert last(nod(start, rise=15))["nods_10min"].value == 0.0  # no jerk
    together = Scene(openness=0.3, closed=0.7, head_pitch_deg=-16)
    assert last(start.then(1.0, together).attentive(1))["nods_10min"].value == 0.0  # lids go with the head


def test_nods_are_unknown_where_frames_are_too_few():
    assert last(Story(10.0).attentive(10))["nods_10min"].value is None


@pytest.mark.parametrize("seed", range(4))
def test_jitter_and_lost_frames_change_little(seed):
    steady = Story(30.0).attentive(10)
    shaken = Story(jitter_s=(0.02, 0.1), drop=0.1, seed=seed).attentive(10)
    a, b = (last(blinking(story, 25, closed_s=0.8, every_s=4.0)) for story in (steady, shaken))
    assert b["perclos_60s"].value == pytest.approx(a["perclos_60s"].value, abs=0.02)
    assert b["mean_closure_s"].value == pytest.approx(a["mean_closure_s"].value, abs=0.04)
    assert b["long_blink_share"].value == a["long_blink_share"].value == 1.0
    assert b["kss_low"].value == pytest.approx(a["kss_low"].value, abs=0.3)


def test_a_copy_goes_on_as_the_original():
    """The state is plain: what is stored in a checkpoint judges on, bit for bit."""
    observations = nod(blinking(Story(20.0).attentive(5), 5).yawn(2)).closed(1).no_face(1).observations()
    assessor = Assessor(CONFIG)
    for observation in observations[:300]:
        assessor.update(observation)
    twin = pickle.loads(pickle.dumps(assessor))
    for observation in observations[300:]:
        assert twin.update(observation) == assessor.update(observation)


AWAKE = Cues(0.0, 0.0, 1.0, 0.0)
DROWSY = Cues(0.2, 0.2, 2.0, 0.3)


def test_the_band_tells_awake_from_drowsy_and_is_never_one_number():
    awake, drowsy = estimate(AWAKE), estimate(DROWSY)
    assert (awake.low, awake.high) == (1.0, 3.5)
    assert 7.0 < drowsy.low < 8.0 < drowsy.high <= 9.0
    assert estimate(Cues(0.4, 0.4, 4.0, 0.8)).low > 8.0


def test_lack_of_data_widens_the_band_and_lowers_its_confidence():
    whole, part = estimate(DROWSY), estimate(Cues(0.2, None, None, None, seen=0.3, coarse=True))
    assert part.low < whole.low
    assert part.high >= whole.high
    assert part.confidence < 0.1 < whole.confidence
    assert estimate(Cues(None, 0.2, 2.0, 0.3)) is None


def test_yawns_and_nods_only_corroborate():
    assert estimate(Cues(0.0, 0.0, 1.0, 0.0, yawns=20, nods=20)) == estimate(AWAKE)
    raised = (
        estimate(Cues(0.2, 0.08, 1.5, 0.3, yawns=3, nods=2)).low - estimate(Cues(0.2, 0.08, 1.5, 0.3)).low
    )
    assert 0.0 < raised <= 1.0


shares = st.floats(0, 1)
cues = st.builds(Cues, shares, shares, st.floats(0.5, 5), shares, st.floats(0, 10), st.floats(0, 10))


@given(cues, st.sampled_from(["perclos_60s", "perclos_180s", "closure_ratio", "long_share"]), shares)
def test_more_of_a_cue_never_lowers_the_band(before, name, more):
    low, high = estimate(before), estimate(replace(before, **{name: getattr(before, name) + more}))
    assert high.low >= low.low - 1e-9
    assert high.high >= low.high - 1e-9
    assert 1.0 <= low.low <= low.high <= 9.0
    assert 0.0 <= low.confidence <= 0.6


def test_an_awake_driver_is_told_awake_and_a_sleepy_one_sleepy():
    story = blinking(Story(30.0).attentive(5), 60)
    awake = last(story)
    assert awake["kss_high"].value < 5.0
    sleepy = last(blinking(story, 70, closed_s=0.9, every_s=4.0))
    assert sleepy["kss_low"].value > 7.0
    assert sleepy["kss_confidence"].value > 0.5


@pytest.mark.parametrize("name", ["kss_low", "kss_high", "kss_confidence"])
def test_the_band_is_unknown_behind_sunglasses(name):
    assert last(Story().attentive(60).sunglasses(5))[name].value is None
