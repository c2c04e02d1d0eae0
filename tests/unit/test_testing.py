import numpy as np
import pytest

from dms.errors import SourceEnded, SourceLost
from dms.records import Frame, Health, HealthState
from dms.testing import ManualClock, MemorySink, ScriptedSource, Story


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
