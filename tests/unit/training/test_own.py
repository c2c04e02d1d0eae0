"""A user's own folder as training data: who is held out, and how it joins the data pack."""

import cv2
import numpy as np
import pytest

from dms.errors import ConfigError, InputError
from dms.evaluation import labels as notes
from dms.evaluation.labels import Label
from dms.records import Box
from dms.training.datasets import own
from dms.training.datasets.mix import load_mix

BOX = Box(10, 10, 60, 60)


def folder(path, people, **changes):
    """A folder with one picture for each entry of `people`."""
    path.mkdir()
    labels = []
    for k, person in enumerate(people):
        cv2.imwrite(str(path / f"{k}.png"), np.full((90, 120), 40 + k, np.uint8))
        labels.append(Label(f"{k}.png", person=person, box=BOX, **changes))
    notes.write(path, labels)
    return path


def test_whole_people_are_held_out_always_the_same(tmp_path):
    people = [f"p{k % 8}" for k in range(80)]
    pack = own.read(folder(tmp_path / "a", people))
    again = own.read(folder(tmp_path / "b", people[::-1]))
    held, kept = (
        set(pack.tables["images"]["person"][pack.tables["face"]["val"] == side]) for side in (True, False)
    )
    assert len(held) == 1
    assert not held & kept
    assert set(again.tables["images"]["person"][again.tables["face"]["val"]]) == held


def test_one_person_is_learned_from_and_not_held_out(tmp_path):
    assert not own.read(folder(tmp_path / "a", ["anna"] * 5)).tables["eyes"]["val"].any()


def test_given_splits_are_kept(tmp_path):
    made = folder(tmp_path / "a", ["a", "b"])
    notes.write(made, [Label("0.png", split="val", box=BOX), Label("1.png", split="train", box=BOX)])
    assert own.read(made).tables["eyes"]["val"].tolist() == [True, False]


def test_an_empty_training_side_is_refused(tmp_path):
    with pytest.raises(InputError, match="split train is empty"):
        own.read(folder(tmp_path / "a", ["a", "b"], split="val"))


def test_engines_do_not_learn_from_themselves(tmp_path):
    with pytest.raises(InputError, match="engines labelled all of these"):
        own.read(folder(tmp_path / "a", ["a", "b"], by="engine"))
    made = folder(tmp_path / "b", ["a", "b", "c"])
    notes.write(
        made, [Label("0.png", by="engine", box=BOX), Label("1.png", box=BOX), Label("2.png", box=BOX)]
    )
    pack = own.read(made)
    assert len(pack.blobs) == len(pack.tables["face"]["image"]) == 2


def test_a_folder_joins_between_real_and_simulated_pictures(tmp_path):
    first = own.read(folder(tmp_path / "first", [f"p{k}" for k in range(5)])).tables
    # Of these five pictures, the last two are simulated: no row in `images` and `faces`.
    first["images"] = {name: column[:3] for name, column in first["images"].items()}
    first["faces"] = {name: column[:3] for name, column in first["faces"].items()}
    for net in ("eyes", "fatigue", "distraction"):
        first[net]["simulated"] = first[net]["image"] >= 3
    first["eyes"]["news"] = np.ones((5, 2), np.float32)
    first["face"]["draw"][:] = 0.25
    more = own.read(folder(tmp_path / "more", ["x", "y"], eyes="closed")).tables
    first["simulated"] = {"portrait": np.array([4, 9])}
    mix = load_mix()
    joined = own.add(first, more, 3, mix)
    assert joined["simulated"]["portrait"].tolist() == [4, 9]
    assert joined["eyes"]["openness_w"][-2:].tolist() == [[mix.trust.openness.own] * 2] * 2
    assert joined["eyes"]["openness_w"][:5].tolist() == first["eyes"]["openness_w"].tolist()
    assert joined["face"]["image"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert joined["images"]["path"].tolist() == ["0.png", "1.png", "2.png", "0.png", "1.png"]
    assert joined["eyes"]["image"].tolist() == [0, 1, 2, 5, 6, 3, 4]
    assert joined["eyes"]["simulated"].tolist() == [False] * 3 + [True] * 2 + [False] * 2
    assert joined["faces"]["eyes"][joined["eyes"]["face"][-2:]].tolist() == ["closed", "closed"]
    assert joined["eyes"]["news"][-2:].tolist() == [[0, 0], [0, 0]]
    assert "visibility_w" in joined["eyes"]
    assert joined["face"]["draw"].tolist() == [0.25] * 7


def test_the_shipped_mix_draws_press_portraits_less_often():
    mix = load_mix()
    share = mix.draw.eyes.of(np.array(["lfw_grey", "seat_belt"]))
    assert share.tolist() == pytest.approx([0.35, 1.5])
    assert mix.trust.gaze.teacher < mix.trust.gaze.simulated


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("other: 2.5", "others: 2.5", "draw.face.others"),
        ("simulated: 0.3", "simulated: -1", "draw.face.simulated"),
        ("\ntrust:", "\nthrust:", "thrust"),
        ("\ndraw:", "\ndraw: [", "no YAML"),
    ],
)
def test_a_wrong_mix_is_told_with_its_place(tmp_path, old, new, told):
    from dms.resources import configs_folder

    text = (configs_folder() / "training" / "mix.yaml").read_text()
    path = tmp_path / "mix.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as e:
        load_mix(path)
    assert told in str(e.value)


@pytest.mark.parametrize(
    ("split", "person", "group", "told"),
    [
        (["train", "val"], ["a", "a"], ["g1", "g2"], "person 'set/a'"),
        (["train", "val"], ["", ""], ["g1", "g1"], "group 'g1'"),
        (["train", "train"], ["a", "b"], ["g1", "g2"], "split val is empty"),
        (["train", "test"], ["a", "b"], ["g1", "g2"], "line 3, column split: 'test'"),
    ],
)
def test_the_data_pack_may_have_nobody_in_both_splits(tmp_path, split, person, group, told):
    pd = pytest.importorskip("pandas", reason="the data pack is read with pandas (extra train)")
    from dms.training.datasets.source import check_splits

    images = pd.DataFrame({"split": split, "person": person, "group": group, "set": ["set", "set"]})
    with pytest.raises(InputError) as e:
        check_splits(images, tmp_path / "manifest.csv")
    assert told in str(e.value)
