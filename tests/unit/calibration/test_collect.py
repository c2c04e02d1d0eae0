"""Gathering pictures: what is kept, when it ends, and that a set is carried on."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from dms import landmarks as lm
from dms.app import open_pipeline
from dms.calibration import coverage
from dms.calibration.collect import APART_S, Collection, Session, collect, observed
from dms.config import Config, SourceConfig
from dms.errors import InputError, SourceLost
from dms.evaluation import labels as notes
from dms.evaluation.labelled import open_labelled
from dms.records import (
    Assessment,
    Box,
    Direction,
    Distraction,
    DriverState,
    Eye,
    Eyes,
    Face,
    Fatigue,
    Frame,
    Judgement,
    Observation,
)
from dms.sources import open_source
from dms.testing import ScriptedSource

IMAGE = np.random.default_rng(0).integers(60, 160, (120, 160)).astype(np.uint8)
SESSION = Session("test", person="d1", glasses="clear")


def seen(
    now_s, yaw_deg=0.0, pitch_deg=0.0, openness=0.9, visibility=0.9, yawn=0.0, covered=0.0, phone=0.9,
    face=True, shift=0.0, size=1.0,
):  # fmt: skip
    """What the engines say of a frame with a face of 60 x 70 pixels."""
    if not face:
        return Observation(now_s, 0)
    grid = np.stack(np.meshgrid(np.linspace(-30, 30, 10), np.linspace(-35, 35, 6)), -1).reshape(-1, 2)
    grid[[*lm.INNER_MOUTH]] = [(0, 15), (0, 17), (-10, 16), (10, 16)]
    marks = (grid * size + np.array([80 + shift, 65])).astype(np.float32)
    eye = Eye(openness, 0.1, visibility)
    head = Direction(yaw_deg, pitch_deg, 3, 4)
    eyes = Eyes(now_s, marks, np.ones(lm.COUNT, np.float32), eye, eye, Direction(1, 2, 5), head, 0.9)
    return Observation(
        now_s, 0, face=Face(now_s, Box(50, 30, 110, 100), 0.9, False), eyes=eyes,
        fatigue=Fatigue(now_s, 0, 0, yawn, covered, 0),
        distraction=Distraction(now_s, phone, 0, 0, 0, 0, 1 - phone),
    )  # fmt: skip


def offer(collection, now_s, **what):
    return collection.offer(Frame(0, now_s, IMAGE), seen(now_s, **what))


def test_what_the_engines_say_becomes_a_label():
    label = observed(seen(1.0, yaw_deg=25, yawn=0.8), IMAGE)
    assert (label.by, label.head, label.gaze) == ("engine", (25, 0, 4), (1, 2))
    assert (label.yawn, label.mouth_covered, label.activity) == (True, False, ("phone_at_ear",))
    assert label.box.x1 < 51
    assert label.box.y1 < 30  # the forehead lies above the landmarks


def test_gaze_is_unknown_behind_dark_glasses():
    assert np.isnan(observed(seen(1.0, visibility=0.2), IMAGE).gaze).all()


def test_points_beyond_the_edge_are_unknown():
    label = observed(seen(1.0, shift=80), IMAGE)
    assert np.isnan(label.landmarks).any()
    assert label.box.x2 == 160


def test_doubtful_frames_are_left_out():
    doubt = replace(seen(1.0), eyes=None)
    assert observed(doubt, IMAGE) is None
    assert observed(replace(seen(1.0), faults={"eyes": "NaN"}), IMAGE) is None
    assert observed(seen(1.0, shift=109), IMAGE) is None  # but for a rim, the face is out of the picture
    assert observed(seen(1.0, face=False), IMAGE).face is False


def test_alike_frames_lie_apart_and_others_come_sooner(tmp_path):
    collection = Collection(tmp_path, 100, SESSION)
    assert offer(collection, 0.0)
    assert not offer(collection, APART_S - 0.1)
    assert offer(collection, APART_S)
    assert offer(collection, APART_S + 0.15, openness=0.0)


def test_the_plain_never_takes_the_place_of_what_lacks(tmp_path):
    collection = Collection(tmp_path, 64, SESSION)
    kept = sum(offer(collection, 10.0 * k) for k in range(100))
    assert kept == collection.pictures < 64
    assert kept + sum(collection.lacking.values()) == 64
    assert offer(collection, 2000.0, yaw_deg=50)
    assert collection.counts["yaw"]["far right"] == 1
    assert not collection.complete


def test_pictures_and_labels_open_as_a_labelled_folder(tmp_path):
    collection = Collection(tmp_path, 64, SESSION)
    offer(collection, 0.0)
    offer(collection, 1.0, face=False)
    collection.save()
    first, second = notes.read(tmp_path)
    assert (first.path, first.person, first.glasses, first.source) == ("000001.png", "d1", "clear", "test")
    assert (second.face, second.glasses) == (False, "")
    assert np.array_equal(cv2.imread(str(tmp_path / "000001.png"), cv2.IMREAD_GRAYSCALE), IMAGE)
    assert len(open_labelled(tmp_path).tables["eyes"]["crop"]) == 1


def test_a_set_is_carried_on(tmp_path):
    first = Collection(tmp_path, 64, SESSION)
    offer(first, 0.0, openness=0.0)
    first.save()
    second = Collection(tmp_path, 64, replace(SESSION, person="d2"))
    assert (second.pictures, second.counts["eyes"]["closed"]) == (1, 1)
    offer(second, 0.0, yaw_deg=-50)
    second.save()
    assert [label.person for label in notes.read(tmp_path)] == ["d1", "d2"]
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["000001.png", "000002.png"]


def test_a_picture_that_lost_its_label_is_not_overwritten(tmp_path):
    collection = Collection(tmp_path, 64, SESSION)
    for k in range(3):
        offer(collection, float(k))
    assert len(notes.read(tmp_path)) == 1  # killed here, before the tables were written again
    again = Collection(tmp_path, 64, SESSION)
    offer(again, 9.0)
    again.save()
    assert [label.path for label in notes.read(tmp_path)] == ["000001.png", "000004.png"]


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds thesis\.txt but no labels\.csv"):
        Collection(tmp_path, 64, SESSION)


def test_a_damaged_set_is_told(tmp_path):
    collection = Collection(tmp_path, 64, SESSION)
    offer(collection, 0.0)
    (tmp_path / "000001.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"000001\.png is missing or no picture"):
        Collection(tmp_path, 64, SESSION)


def judgement(saw):
    return Judgement(saw, Assessment(saw.captured_s, DriverState.UNKNOWN), (), {})


class Engines:
    """A pipeline whose engines see what the frame's number says: openness and yaw go round."""

    def step(self, frame):
        now_s, k = frame.captured_s, frame.id
        return judgement(seen(now_s, yaw_deg=60 * np.sin(now_s), openness=(k % 3) / 2, face=k % 9 > 0))


def frames(count, step_s=0.3):
    return [Frame(k, k * step_s, IMAGE) for k in range(count)]


def run(source, collection, engines=None, **limits):
    collect(source, engines or Engines(), collection, first_frame_s=1, lost_after_s=1, **limits)


def test_it_ends_after_its_time(tmp_path):
    collection = Collection(tmp_path, 100, SESSION)
    run(ScriptedSource(frames(100)), collection, seconds=3)
    assert max(label.captured_s for label in notes.read(tmp_path)) <= 3


def test_it_ends_when_told_to(tmp_path):
    collection = Collection(tmp_path, 100, SESSION)
    told = []
    run(ScriptedSource(frames(100)), collection, stop=lambda: len(told) == 5, told=told.append)
    assert len(told) == 5
    assert collection.pictures == sum(told) == len(notes.read(tmp_path))


def test_a_lost_camera_is_told_and_the_pictures_are_kept(tmp_path):
    collection = Collection(tmp_path, 100, SESSION)
    with pytest.raises(SourceLost):
        run(ScriptedSource([*frames(10), SourceLost("unplugged")]), collection)
    assert len(notes.read(tmp_path)) == collection.pictures > 1


class LivelyEngines:
    """A driver who does everything at random, again and again."""

    def __init__(self):
        self._rng = np.random.default_rng(1)

    def step(self, frame):
        any_of, now_s = self._rng.choice, frame.captured_s
        saw = seen(
            now_s, yaw_deg=any_of([-50, -20, 0, 20, 50]), pitch_deg=any_of([-20, 0, 20]),
            openness=any_of([0, 0.4, 0.9]), visibility=any_of([0.1, 0.9]), yawn=any_of([0.1, 0.9]),
            covered=any_of([0.1, 0.9]), phone=any_of([0.1, 0.9]), size=any_of([0.7, 1.0, 1.0, 1.3]),
            face=self._rng.random() > 0.1,
        )  # fmt: skip
        return judgement(saw)


def lit(k):
    """A picture in one of four lights."""
    picture = IMAGE.astype(np.float32) * (0.2, 1, 1.8, 1)[k % 4]
    picture[:, : 80 * (k % 4 == 3)] *= 0.3
    return picture.clip(0, 255).astype(np.uint8)


def test_it_ends_when_all_is_covered(tmp_path):
    for glasses in ("clear", "none", "dark"):
        collection = Collection(tmp_path, 64, replace(SESSION, glasses=glasses))
        source = ScriptedSource([Frame(k, 0.6 * k, lit(k)) for k in range(3000)])
        run(source, collection, engines=LivelyEngines())
        assert collection.complete
        assert source.newest(0).id < 2999
    assert collection.pictures == 64
    assert not coverage.lacking(collection.counts, 64)


def test_a_run_leaves_room_for_glasses_its_driver_does_not_wear(tmp_path):
    collection = Collection(tmp_path, 64, SESSION)
    run(ScriptedSource([Frame(k, 0.6 * k, lit(k)) for k in range(3000)]), collection, engines=LivelyEngines())
    assert collection.pictures == 62
    assert set(collection.lacking) == {("glasses", "none"), ("glasses", "dark")}


def test_no_password_is_kept(tmp_path):
    session = Session("rtsp://cam:secret@10.0.0.9/live", infrared=True)
    collection = Collection(tmp_path, 64, session)
    offer(collection, 0.0)
    collection.save()
    (label,) = notes.read(tmp_path)
    assert (label.source, label.infrared) == ("rtsp://cam:***@10.0.0.9/live", True)
    assert "secret" not in (tmp_path / "labels.csv").read_text()


def test_the_shipped_engines_collect_from_the_shipped_clip(tmp_path):
    config = Config(source=SourceConfig(uri="demo", realtime=False))
    collection = Collection(tmp_path, 64, SESSION)
    with open_pipeline(config, "test") as pipeline:
        collect(open_source(config.source), pipeline, collection, first_frame_s=9, lost_after_s=9, seconds=3)
    assert collection.pictures >= 5
    assert collection.counts["yaw"]["ahead"] >= 5
    assert collection.counts["eyes"]["open"] >= 4
    tables = open_labelled(tmp_path).tables
    assert not tables["eyes"]["val"].any()
