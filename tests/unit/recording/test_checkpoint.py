import copy
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dms.errors import InputError
from dms.pipeline import judged
from dms.recording.checkpoint import Checkpoints, checkpoint, restore
from dms.recording.codec import encode
from dms.recording.things import ThingWriter
from dms.testing import Scene, Story
from tests.unit.recording import recorded

SCENES = st.sampled_from(
    [
        Scene(),
        Scene(openness=0.05),
        Scene(head_yaw_deg=40, gaze_yaw_deg=40),
        Scene(gaze_pitch_deg=-35, head_pitch_deg=-20),
        Scene(yawn=0.95),
        Scene(phone=0.95),
        Scene(face=False),
        Scene(face=False, contrast=1.0),
        Scene(visibility=0.1, openness=0.1, gaze_yaw_deg=60.0),
        Scene(faults=("eyes",)),
        Scene(openness=0.9, openness_to=0.4, glasses=0.9),
        Scene(age_s=0.6),
        Scene(silent=True),
    ]
)


@st.composite
def stories(draw):
    story = Story(fps=draw(st.sampled_from([5, 10, 15])), jitter_s=draw(st.none() | st.just((0.03, 0.15))))
    for _ in range(draw(st.integers(1, 6))):
        story.driving(draw(st.sampled_from([None, 0.0, 30.0, 80.0])))
        story.then(draw(st.sampled_from([0.5, 2.0, 4.0, 9.0, 20.0])), draw(SCENES))
        if draw(st.booleans()):
            story.acknowledge()
    return story.then(3.0, Scene())


def travelled(judges):
    return restore(json.loads(json.dumps(checkpoint(judges), allow_nan=False)))


def conclusions(observations, judges):
    """What is concluded, as text: equal numbers of different kind or sign are not the same."""
    return [
        json.dumps(encode(part))
        for seen in observations
        for part in judged(seen, judges.assessor, judges.alerts)
    ]


@settings(max_examples=60, deadline=None)
@given(stories(), st.floats(0.0, 1.0))
def test_a_judgement_that_is_interrupted_anywhere_goes_on_as_if_it_had_not_been(story, share):
    observations = story.observations()
    cut = int(share * (len(observations) - 1))
    through, first = recorded.new_judges(), recorded.new_judges()
    whole = conclusions(observations, through)
    before = conclusions(observations[:cut], first)
    second = travelled(first)
    assert before + conclusions(observations[cut:], second) == whole
    end_s = observations[-1].captured_s
    assert second.alerts.close(end_s) == through.alerts.close(end_s)


def test_a_checkpoint_changes_nothing():
    observations = recorded.sleeper().observations()
    watched, alone = recorded.new_judges(), recorded.new_judges()
    told = []
    for seen in observations:
        checkpoint(watched)
        told += conclusions([seen], watched)
    assert told == conclusions(observations, alone)


def test_what_was_shared_is_shared_again():
    judges = recorded.new_judges()
    conclusions(recorded.sleeper().observations()[:50], judges)
    again = travelled(judges)
    shared = [part for part in vars(judges.assessor).values() if hasattr(part, "_baseline")]
    assert shared, "some measure reads the baseline"
    for name, part in vars(again.assessor).items():
        if hasattr(part, "_baseline"):
            assert part._baseline is again.assessor._baseline, name


def test_constants_are_written_once():
    constants = ThingWriter(tag="$")
    judges = recorded.new_judges()
    first = checkpoint(judges, constants)
    count = len(constants.things)
    conclusions(recorded.sleeper().observations(), judges)
    second = checkpoint(judges, constants)
    assert len(second["constants"]) == count == len(first["constants"])
    assert all(thing[1].startswith("dms.config") or thing[0] != "object" for thing in first["constants"][:1])
    restore(json.loads(json.dumps(second)))


def test_checkpoints_come_before_the_first_frame_then_when_due_and_late_in_urgent_times():
    judges = recorded.new_judges()
    takes = Checkpoints(30.0)
    calm = [t for t in range(100) if takes.due(float(t), judges.assessor, judges.alerts, False)]
    takes = Checkpoints(30.0)
    tense = [t for t in range(100) if takes.due(float(t), judges.assessor, judges.alerts, t > 20)]
    takes = Checkpoints(30.0)
    back = [t for t in (50, 51, 10, 11) if takes.due(float(t), judges.assessor, judges.alerts, False)]
    assert (calm, tense, back) == ([0, 30, 60, 90], [0, 60], [50, 10])


def test_no_checkpoint_is_taken_at_a_time_that_is_no_number():
    judges, takes = recorded.new_judges(), Checkpoints(30.0)
    times_s = [math.nan, math.nan, 5.0, math.nan, math.inf, 6.0, math.nan, 35.0]
    taken = [bool(takes.due(t, judges.assessor, judges.alerts, False)) for t in times_s]
    assert taken == [False, False, True, False, False, False, False, True]


def test_state_that_cannot_be_kept_is_told_once_and_the_driver_is_judged_on(caplog):
    judges = recorded.new_judges()
    judges.assessor._odd = lambda: None
    with pytest.raises(InputError, match=r"assessor\._odd is a builtins\.function"):
        checkpoint(judges)
    takes = Checkpoints(1.0)
    assert [takes.due(t, judges.assessor, judges.alerts, False) for t in (0.0, 1.0, 2.0)] == [None] * 3
    assert len(caplog.records) == 1


@pytest.fixture(scope="module")
def written():
    judges = recorded.new_judges()
    conclusions(recorded.sleeper().observations()[:400], judges)
    return json.loads(json.dumps(checkpoint(judges)))


def thing_of(document, class_name):
    return next(t for t in document["things"] if t[0] == "object" and t[1].endswith("." + class_name))


def damage(written, how):
    document = copy.deepcopy(written)
    how(document)
    return document


DAMAGES = {
    "another version": (lambda d: d.update(schema="dms.checkpoint/9"), "reads dms.checkpoint/1"),
    "no table": (lambda d: d.update(things={}), "table of things is missing"),
    "a class of ours that holds no state": (
        lambda d: thing_of(d, "Assessor").__setitem__(1, "dms.service.StopSignal"),
        "no class that this dms can restore",
    ),
    "a class of Python": (
        lambda d: thing_of(d, "Assessor").__setitem__(1, "subprocess.Popen"),
        "'subprocess.Popen' is no class",
    ),
    "a name that is no text": (lambda d: thing_of(d, "Assessor").__setitem__(1, 7), "cannot be read"),
    "an attribute of Python's own": (
        lambda d: thing_of(d, "Assessor")[2].update(__class__=1),
        "an attribute '__class__'",
    ),
    "no such thing": (lambda d: d.update(assessor={"@": 10**9}), "there is no thing"),
    "another root": (lambda d: d.update(assessor=d["alerts"]), "holds no assessor"),
    "an unknown tag": (lambda d: d.update(assessor={"!": 1}), "cannot be read"),
    "a section out of range": (
        lambda d: (
            next(t for t in d["constants"] if t[0] == "object" and "AssessConfig" in t[1])[2].clear()
            or next(t for t in d["constants"] if "EyesConfig" in str(t[1]))[2].update(closed_below=7.5)
        ),
        "is no EyesConfig",
    ),
    "a key that is no key": (
        lambda d: (
            d["things"].append(["dict", [[{"@": len(d["things"]) + 1}, 1]]])
            or d["things"].append(["list", []])
            or d.update(assessor={"@": len(d["things"]) - 2})
        ),
        "cannot be a key",
    ),
    "an endless chain": (
        lambda d: d.update(
            assessor={"@": len(d["things"])},
            things=[
                *d["things"],
                *(["list", [{"@": len(d["things"]) + n + 1}]] for n in range(5000)),
            ],
        ),
        "too deeply",
    ),
}


@pytest.mark.parametrize("damaged", DAMAGES)
def test_a_damaged_or_hostile_checkpoint_is_refused(written, damaged):
    how, message = DAMAGES[damaged]
    with pytest.raises(InputError) as refusal:
        restore(damage(written, how))
    assert message in str(refusal.value)


@pytest.mark.parametrize("value", [None, [], "text", 3, {"schema": "dms.checkpoint/1"}])
def test_what_is_no_checkpoint_is_refused(value):
    with pytest.raises(InputError, match="checkpoint"):
        restore(value)
