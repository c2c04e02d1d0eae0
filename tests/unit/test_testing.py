import numpy as np
import pytest

from dms.errors import SourceEnded, SourceLost
from dms.records import Frame, Health, HealthState, Turn
from dms.testing import PLACES, ManualClock, MemorySink, ScriptedSource, Story


def test_the_clock_moves_by_hand():
    clock = ManualClock(5.0)
    clock.advance(0.5)
    assert clock() == 5.5


def test_the_source_follows_its_script():
    frame = Frame(0, 1.0, np.zeros((4, 4), np.uint8))
    source = ScriptedSource([frame, SourceLost("gone")])
    assert source.newest(1.0) is frame
    with pytest.raises(SourceLost):
        source.newest(1.0)
    with pytest.raises(SourceEnded):
        source.newest(1.0)
    source.close()
    assert source.closed


def test_the_sink_remembers():
    sink = MemorySink()
    message = Health(1.0, HealthState.OK)
    sink.publish(message)
    sink.close()
    assert (sink.messages, sink.closed) == ([message], True)


@pytest.mark.parametrize("fps", [10.0, 15.0, 30.0, 60.0])
def test_a_story_is_sampled_at_its_rate(fps):
    seen = Story(fps, start_s=0.0).attentive(1.0).closed(1.0).observations()
    assert len(seen) == round(2.0 * fps)
    closed = [observation.captured_s for observation in seen if observation.eyes.right.openness < 0.5]
    assert closed[0] == pytest.approx(1.0)
    assert closed[-1] < 2.0


def test_a_story_is_the_same_on_every_call():
    story = Story(jitter_s=(0.02, 0.2), drop=0.2, noise_deg=5.0, seed=3).attentive(5.0)
    first = [(o.captured_s, o.eyes.gaze) for o in story.observations()]
    assert first == [(o.captured_s, o.eyes.gaze) for o in story.observations()]
    gaps_s = np.diff([captured_s for captured_s, _ in first])
    assert gaps_s.min() >= 0.02
    assert gaps_s.max() > 0.2  # some frames are lost


def test_silence_has_no_frames():
    times_s = [
        o.captured_s for o in Story(10.0, start_s=0.0).attentive(1).silence(2).attentive(1).observations()
    ]
    assert max(np.diff(times_s)) == pytest.approx(2.1)


def first(story):
    return story.observations()[0]


def test_places_are_the_drivers_and_records_the_images():
    eyes = first(Story().look_at("driver_mirror", 1.0)).eyes
    right_deg, up_deg = PLACES["driver_mirror"]
    assert right_deg < 0 < eyes.gaze.yaw_deg == -right_deg
    assert eyes.gaze.pitch_deg == up_deg
    assert abs(eyes.head.yaw_deg) < abs(eyes.gaze.yaw_deg)


def test_a_right_hand_drive_is_mirrored():
    left, right = (first(s.look_at("lap", 1.0)).eyes.gaze for s in (Story(), Story().right_hand_drive()))
    assert (right.yaw_deg, right.pitch_deg) == (-left.yaw_deg, left.pitch_deg)


def test_lids_follow_a_look_down():
    assert first(Story().look_at("lap", 1.0)).eyes.right.openness < 0.6
    assert first(Story().look_at("inner_mirror", 1.0)).eyes.right.openness == 0.9


def test_what_is_usual_holds_for_all_that_follows():
    seen = Story(10.0, start_s=0.0).wear_glasses().attentive(1.0).closed(1.0).observations()
    assert {observation.eyes.glasses for observation in seen} == {0.95}
    assert {observation.eyes.right.openness for observation in seen} == {0.8, 0.05}


def test_the_vehicle_and_the_acknowledgement_come_with_the_frame_they_belong_to():
    story = (
        Story(10.0, start_s=0.0)
        .indicating(50, "left")
        .attentive(1.0)
        .acknowledge()
        .reversing()
        .attentive(1.0)
    )
    seen = story.observations()
    assert {observation.context.vehicle.turn for observation in seen[:10]} == {Turn.LEFT}
    assert {observation.context.vehicle.reversing for observation in seen[10:]} == {True}
    noted = [observation.captured_s for observation in seen if observation.context.acknowledgements]
    assert noted == [1.0]


def test_a_clock_jumps_and_frames_are_lost():
    story = Story(10.0, start_s=0.0).attentive(1.0)
    story.jump_clock(-0.5)
    story.attentive(1.0).lose(0.2, 0.4)
    times_s = [observation.captured_s for observation in story.observations()]
    assert len(times_s) == 18
    assert min(np.diff(times_s)) == pytest.approx(-0.4)
    assert times_s[2] == pytest.approx(0.4)


def test_one_eye_is_shut_or_hidden_alone():
    wink, patch = first(Story().one_eye_shut(1.0)), first(Story().one_eye().attentive(1.0))
    assert (wink.eyes.right.openness, wink.eyes.left.openness) == (0.9, 0.05)
    assert (patch.eyes.right.visibility, patch.eyes.left.visibility) == (1.0, 0.1)


def test_a_lost_camera_shows_nothing():
    assert first(Story().camera_lost(1.0)).frame_id == -1


def test_times_are_counted_from_here():
    assert Story(start_s=5.0).attentive(2.0).here().closed(1.0).zero_s == 7.0
