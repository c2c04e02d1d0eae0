"""A user's own labelled folder: what it becomes, and what is said when something in it is wrong."""

import cv2
import numpy as np
import pytest

from dms import landmarks as lm
from dms.engines.contract import ACTIVITIES, FATIGUE_STATES
from dms.errors import InputError
from dms.evaluation import folder as labelled
from dms.evaluation import labels as notes
from dms.evaluation import pack as store
from dms.evaluation.inputs import crop_inputs, decode, frame_inputs
from dms.evaluation.labelled import open_labelled
from dms.evaluation.labels import Label
from dms.records import Box

BOX = Box(40, 30, 100, 110)


def points():
    """60 points within the box; eye and mouth corners where they belong."""
    rng = np.random.default_rng(0)
    marks = rng.uniform((45, 40), (95, 105), (lm.COUNT, 2)).astype(np.float32)
    for name, place in {
        "right_eye_outer": (48, 55), "left_eye_outer": (92, 55),
        "mouth_right": (58, 90), "mouth_left": (82, 90),
    }.items():  # fmt: skip
        marks[lm.INDEX[name]] = place
    return marks


def picture(path, size=(160, 120), level=90):
    ramp = np.linspace(0, 60, size[0], dtype=np.float32) + level
    cv2.imwrite(str(path), np.repeat(ramp[None], size[1], 0).astype(np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Makes a folder from the text of its labels; every picture named in it exists."""

    def make(*lines, heading="path,x1,y1,x2,y2"):
        (tmp_path / "labels.csv").write_text("\n".join([heading, *lines]) + "\n")
        for line in lines:
            picture(tmp_path / line.split(",")[0])
        return tmp_path

    return make


def refusal(folder):
    with pytest.raises(InputError) as e:
        labelled.read(folder)
    return str(e.value)


def test_labels_survive_writing_and_reading(tmp_path):
    given = [
        Label(
            "a.png", by="truth", split="val", person="p1", group="g", box=BOX, yawn=True, mouth_covered=False,
            glasses="dark", activity=("phone_at_ear", "none"), infrared=True, head=(1.5, -2, 3), gaze=(4, 5),
            openness=(0.25, 0.5), visibility=(1, 0), source="clip", captured_s=2.5, landmarks=points(),
        ),
        Label("b.png", split="train", face=False),
    ]  # fmt: skip
    for label in given:
        picture(tmp_path / label.path)
    notes.write(tmp_path, given)
    first, second = notes.read(tmp_path)
    for name in ("by", "split", "person", "group", "box", "yawn", "mouth_covered", "glasses", "activity"):
        assert getattr(first, name) == getattr(given[0], name)
    assert (first.head, first.gaze, first.openness, first.visibility) == (
        (1.5, -2, 3),
        (4, 5),
        (0.25, 0.5),
        (1, 0),
    )
    assert np.allclose(first.landmarks, given[0].landmarks, atol=0.06)
    assert (second.face, second.box, second.landmarks, second.yawn) == (False, None, None, None)
    assert (tmp_path / "labels.csv").read_text().startswith("path,by,split,person,group,face,x1,")


def test_a_folder_becomes_the_tables_of_all_nets(tmp_path):
    for name in "abc":
        picture(tmp_path / f"{name}.png")
    notes.write(
        tmp_path,
        [
            Label(
                "a.png", person="p", box=BOX, landmarks=points(), head=(20, 0, 0), openness=(0.1, 0.9),
                visibility=(1, 0.2), yawn=True, activity=("smoking",),
            ),
            Label("b.png", box=BOX, eyes="closed"),
            Label("c.png", face=False),
        ],
    )  # fmt: skip
    pack = labelled.read(tmp_path)
    face, eyes, fatigue = (pack.tables[net] for net in ("face", "eyes", "fatigue"))
    assert face["use"][:, 0].tolist() == [1, 1, 0]
    assert face["negative"].tolist() == [False, False, True]
    assert face["val"].all()
    assert eyes["image"].tolist() == [0, 1]
    assert eyes["mesh"].tolist() == [True, False]
    assert eyes["head_w"].tolist() == [1, 0]
    assert np.allclose(eyes["openness"], [[0.1, 0.9], [0, 0]])
    assert eyes["openness_w"].tolist() == [[1, 0], [1, 1]]  # the hidden eye is not judged
    assert eyes["gaze_w"].tolist() == [0, 0]
    # Only the face with landmarks can be cut out for the fatigue engine.
    assert fatigue["image"].tolist() == [0]
    assert dict(zip(FATIGUE_STATES, fatigue["state_w"][0].tolist(), strict=True)) == {
        "closed_right": 1, "closed_left": 0, "yawn": 1, "mouth_covered": 0, "squint": 0,
    }  # fmt: skip
    distraction = pack.tables["distraction"]
    assert distraction["allowed"][0].tolist() == [float(name == "smoking") for name in ACTIVITIES]
    assert (distraction["allowed"][1] == 1).all()
    assert distraction["val"].tolist() == [True, False]
    assert pack.tables["faces"]["eyes"].tolist() == ["", "closed"]
    assert pack.tables["images"]["person"].tolist() == ["own/p", "own/?1", "own/?2"]


def test_the_crops_show_the_face(tmp_path):
    image = np.full((120, 160), 20, np.uint8)
    image[30:110, 40:100] = 220
    cv2.imwrite(str(tmp_path / "a.png"), image)
    notes.write(tmp_path, [Label("a.png", box=BOX)])
    pack = labelled.read(tmp_path)
    crop = crop_inputs("eyes", pack, [0])[0, 0]
    assert crop[56, 56] == 220
    assert crop[4, 4] == 20
    frames, _ = frame_inputs(pack, [0])
    assert frames.shape == (1, 1, 160, 256)


def test_landmarks_alone_place_the_box(tmp_path):
    picture(tmp_path / "a.png")
    notes.write(tmp_path, [Label("a.png", landmarks=points())])
    box = labelled.read(tmp_path).tables["face"]["box"][0, 0]
    marks = points()
    assert np.all(box[:2] <= marks.min(axis=0) + 1)
    assert np.all(box[2:] >= marks.max(axis=0) - 1)


def test_what_engines_said_gives_crops_and_nothing_to_judge_by(tmp_path):
    picture(tmp_path / "a.png")
    notes.write(
        tmp_path,
        [
            Label(
                "a.png",
                by="engine",
                box=BOX,
                landmarks=points(),
                openness=(0, 0),
                head=(9, 9, 9),
                activity=("none",),
            )
        ],
    )
    tables = labelled.read(tmp_path).tables
    assert not any(tables[net]["val"].any() for net in ("face", "eyes", "fatigue", "distraction"))
    assert all(len(tables[net]["crop"]) == 1 for net in ("eyes", "fatigue", "distraction"))
    weights = (tables["eyes"][w] for w in ("landmarks_w", "openness_w", "head_w", "gaze_w"))
    assert not any(weight.any() for weight in weights)
    assert not tables["fatigue"]["state_w"].any()
    assert tables["faces"]["eyes"].tolist() == [""]


def test_large_pictures_shrink_with_their_labels(tmp_path):
    picture(tmp_path / "a.png", size=(896, 448))
    notes.write(tmp_path, [Label("a.png", box=Box(100, 100, 300, 300), landmarks=2 * points())])
    blobs, (label,) = labelled.pictures(tmp_path, longest_side=448)
    assert decode(blobs[0]).shape == (224, 448)
    assert label.box == Box(50, 50, 150, 150)
    assert np.allclose(label.landmarks, points(), atol=0.06)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a.png,10,10,900,60", ["line 2", "column x2", "900 lies outside", "160x120"]),
        ("a.png,-20,10,60,60", ["column x1", "-20 lies outside"]),
        ("a.png,60,10,20,60", ["line 2", "box is empty", "x1 < x2"]),
        ("a.png,10,10,60,", ["line 2", "all of x1, y1, x2, y2"]),
        ("a.png,10,ten,60,60", ["line 2", "column y1", "'ten' is no number"]),
        ("a.png,10,nan,60,60", ["column y1", "'nan' is no number"]),
        ("a.png,,,,", ["line 2", "nothing says where the face is", "face=0"]),
        ("a.png,10,10,60", ["line 2", "4 cells under 5 columns"]),
    ],
)
def test_a_wrong_box_is_told_with_its_place_and_cure(folder, line, told):
    text = refusal(folder(line))
    assert "labels.csv" in text
    assert all(part in text for part in told), text


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("activity", "phone_at_ea", ["unknown class 'phone_at_ea'", "did you mean phone_at_ear?"]),
        ("activity", "none|juggling", ["unknown class 'juggling'", "use one of: phone_at_ear"]),
        ("activity", "phone", ["did you mean phone_at_ear or phone_in_hand?"]),
        ("activity", "none_at_all", ["did you mean none?"]),
        ("eyes", "close", ["did you mean closed?"]),
        ("split", "test", ["unknown class 'test'", "train, val"]),
        ("glasses", "blue", ["none, clear, dark"]),
        ("yawn", "yes", ["'yes' is neither 1 nor 0"]),
        ("openness_left", "1.4", ["'1.4' is no number from 0 to 1"]),
        ("head_yaw_deg", "400", ["'400' is no number from -180 to 180"]),
    ],
)
def test_an_unknown_class_or_value_is_told_with_the_nearest_valid_one(folder, column, value, told):
    text = refusal(folder(f"a.png,10,10,60,60,{value}", heading=f"path,x1,y1,x2,y2,{column}"))
    assert f"line 2, column {column}" in text
    assert all(part in text for part in told), text


def test_an_unknown_column_is_told_with_the_nearest_valid_one(folder):
    assert "unknown column 'eyse'; did you mean eyes?" in refusal(folder("a.png,open", heading="path,eyse"))


def test_all_faults_are_told_at_once_but_not_endlessly(folder):
    text = refusal(folder(*(f"{k}.png,10,10,900,60" for k in range(12))))
    assert text.count("lies outside") == 8
    assert "and 4 more" in text


def test_a_missing_picture_is_named_with_its_line(folder):
    made = folder("a.png,10,10,60,60", "b.png,10,10,60,60")
    (made / "b.png").unlink()
    text = refusal(made)
    assert "line 3, column path" in text
    assert "b.png" in text
    assert "No such file" in text


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("keep", [0, 0.5, 0.98])
def test_a_broken_picture_is_named_even_where_a_decoder_would_fill_it_up(folder, suffix, keep):
    made = folder(f"a.{suffix},10,10,60,60")
    whole = (made / f"a.{suffix}").read_bytes()
    (made / f"a.{suffix}").write_bytes(whole[: int(keep * len(whole))])
    assert f"a.{suffix} is cut off or no picture" in refusal(made)


def test_text_is_no_picture(folder):
    made = folder("a.png,10,10,60,60")
    (made / "a.png").write_text("hello")
    assert "no picture" in refusal(made)


def test_a_point_outside_is_named(folder):
    made = folder("a.png,10,10,60,60")
    marks = points()
    marks[lm.INDEX["chin"]] = (80, 500)
    notes.write(made, [Label("a.png", box=BOX, landmarks=marks)])
    text = refusal(made)
    assert "landmarks.csv, a.png, point chin: (80, 500) lies outside" in text


def test_points_of_no_picture_are_named(folder):
    made = folder("a.png,10,10,60,60")
    notes.write(made, [Label("z.png", box=BOX, landmarks=points())])
    (made / "labels.csv").write_text("path,x1,y1,x2,y2\na.png,10,10,60,60\n")
    assert "z.png has no line in labels.csv" in refusal(made)


def test_a_picture_may_stand_once_only_however_it_is_written(folder):
    made = folder("a.png,10,10,60,60", "./a.png,10,10,60,60")
    text = refusal(made)
    assert "line 3" in text
    assert "stands in line 2 already" in text


@pytest.mark.parametrize("column", ["person", "group"])
def test_nobody_may_be_in_both_splits(folder, column):
    made = folder(
        "a.png,10,10,60,60,train,anna",
        "b.png,10,10,60,60,val,anna",
        heading=f"path,x1,y1,x2,y2,split,{column}",
    )
    text = refusal(made)
    assert f"{column} 'anna' is in train (line 2) and in val (line 3)" in text
    assert "move all of its pictures to one side" in text


def test_an_empty_split_is_refused(folder):
    text = refusal(folder("a.png,10,10,60,60,train", heading="path,x1,y1,x2,y2,split"))
    assert "split val is empty" in text


def test_a_half_filled_split_is_refused(folder):
    made = folder("a.png,10,10,60,60,val", "b.png,10,10,60,60,", heading="path,x1,y1,x2,y2,split")
    assert "line 3, column split: empty, while other lines have one" in refusal(made)


def test_only_the_val_side_is_held_out(folder):
    made = folder("a.png,10,10,60,60,val", "b.png,10,10,60,60,train", heading="path,x1,y1,x2,y2,split")
    assert labelled.read(made).tables["eyes"]["val"].tolist() == [True, False]


@pytest.mark.parametrize("text", ["", "path\n", "path,x1,y1,x2,y2\n,,,,\n"])
def test_a_table_without_labels_is_refused(tmp_path, text):
    (tmp_path / "labels.csv").write_text(text)
    assert "labels.csv" in refusal(tmp_path)


def test_a_table_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"path\n\xff\xfe\x00")
    assert "no UTF-8 text" in refusal(tmp_path)


def test_labelled_pictures_open_whichever_way_they_lie(folder, tmp_path):
    made = folder("a.png,10,10,60,60")
    assert len(open_labelled(made).blobs) == 1
    pack = labelled.read(made)
    out = tmp_path / "pack"
    out.mkdir()
    store.write_tables(pack.tables, out)
    store.write_images(pack.blobs, out)
    assert open_labelled(out).tables["face"]["use"].shape == (1, 6)


@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_anything_else_is_told_what_labelled_pictures_look_like(tmp_path, kind):
    path = tmp_path / "data"
    if kind == "file":
        path.write_text("x")
    if kind == "empty":
        path.mkdir()
    with pytest.raises(InputError) as e:
        open_labelled(path)
    assert str(path) in str(e.value)
    assert "labels.csv" in str(e.value)
    assert "dms calibrate collect" in str(e.value)
    assert "tables.npz" in str(e.value)


def test_a_full_disk_leaves_the_old_labels(tmp_path, monkeypatch):
    notes.write(tmp_path, [Label("old.png", box=BOX)])
    before = (tmp_path / "labels.csv").read_text()

    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        notes.write(tmp_path, [Label("new.png", box=BOX)])
    assert (tmp_path / "labels.csv").read_text() == before


def test_faults_come_in_the_same_order_every_time(folder):
    made = folder("a.png,10,10,60,60")
    (made / "landmarks.csv").write_text("path\n" + "\n".join("gfedcb"))
    told = [line.split(": ")[1].split()[0] for line in refusal(made).splitlines()]
    assert told == list("bcdefg")
