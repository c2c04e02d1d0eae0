from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import numpy as np
import pytest

from dms.backends import open_backend
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import load_manifest
from dms.engines.running import over_batches
from dms.evaluation import bootstrap, by_eye, groups, robustness, robustness_page
from dms.evaluation.conditions import CONDITIONS
from dms.evaluation.measure import Infer
from dms.evaluation.pack import Pack
from dms.resources import engines_folder


@pytest.fixture(scope="module")
def infers() -> Iterator[dict[str, Infer]]:
    """The shipped INT8 engines."""
    with ExitStack() as stack:
        opened = {}
        for net in CONTRACTS:
            path = load_manifest(engines_folder() / net).verified_path("cpu.int8")
            opened[net] = over_batches(stack.enter_context(closing(open_backend("ort", path))))
        yield opened


@pytest.fixture(scope="module")
def found(own_pack: Pack, infers: dict[str, Infer]) -> robustness.Robustness:
    return robustness.measure(own_pack, infers)


def test_every_engine_is_measured_under_every_condition(found: robustness.Robustness):
    assert found.cells.keys() == CONTRACTS.keys()
    for cells in found.cells.values():
        assert list(cells) == [c.name for c in CONDITIONS]


def test_hidden_eyes_are_not_judged(found: robustness.Robustness):
    eyes = found.cells["eyes"]
    assert eyes["as_is"]["claimed"].value > 0.9
    for condition in ("sunglasses", "hand_over_eyes"):
        assert eyes[condition]["claimed"].value < 0.2
        assert "openness_error" not in eyes[condition]
        assert "closed_auc_teacher" not in found.cells["fatigue"][condition]


def test_what_a_mask_hides_is_not_told(found: robustness.Robustness):
    assert "yawn_auc" not in found.cells["fatigue"]["mask"]
    masked, plain = (found.cells["fatigue"][c]["mouth_covered"].value for c in ("mask", "as_is"))
    assert masked > plain + 0.5


def test_noise_costs_accuracy(found: robustness.Robustness):
    eyes = found.cells["eyes"]
    assert eyes["one_lux"]["nme_mesh"].value > eyes["as_is"]["nme_mesh"].value


def test_the_pack_given_stays_as_it_is(own_pack: Pack):
    before = list(own_pack.blobs)
    changed, touched = robustness.changed_pack(own_pack, CONDITIONS[2])
    assert touched[own_pack.tables["face"]["image"][own_pack.tables["face"]["val"]]].all()
    assert own_pack.blobs == before
    assert changed.blobs != before
    assert changed.tables is own_pack.tables


def test_a_condition_that_changes_hardly_any_picture_is_a_dash(found: robustness.Robustness):
    assert found.changed["eyes"]["as_is"] == 0.0
    assert found.changed["eyes"]["one_lux"] == found.changed["face"]["width_40"] == 1.0
    few = replace(found, changed={"eyes": found.changed["eyes"] | {"one_lux": 0.49}})
    rows = {row.split(" | ")[0]: row for row in robustness_page.conditions_table("eyes", few)}
    columns = len(robustness.COLUMNS["eyes"])
    assert rows["| 1 lux noise"] == "| 1 lux noise | 49 |" + " – |" * columns
    assert "–" not in rows["| JPEG quality 12"]


def test_what_is_wanted_is_not_called_the_worst():
    def group(kind: str, name: str, value: float) -> groups.Group:
        return groups.Group(kind, name, 9, bootstrap.Estimate(value, value, value, 40))

    told = {"claimed": [group("yaw", "yaw about 60°", 0.05), group("skin", "darker skin", 0.9)]}
    columns = {"claimed": robustness.COLUMNS["eyes"]["claimed"].entry}
    assert robustness_page.worst_lines("eyes", columns, told) == [
        "* worst, eyes judged [%]: darker skin 90.0 (90.0 to 90.0)"
    ]


def test_the_page_has_a_row_for_every_condition(found: robustness.Robustness):
    page = robustness_page.markdown(found, "cpu.int8")
    for condition in CONDITIONS:
        assert page.count(f"| {condition.label} |") == len(CONTRACTS)
    assert robustness_page.to_dict(found)["conditions"]["eyes"]["as_is"]["claimed"]["n"] > 0


def test_groups_are_told_from_enough_people_and_the_worst_is_named():
    people = np.array([f"p{k // 4}" for k in range(120)])
    names = np.array(["dark"] * 40 + ["clear"] * 40 + ["few"] * 8 + [""] * 32)
    values = np.where(names == "dark", 0.5, 0.9)
    told = groups.by_group(bootstrap.mean(people, values), {"glasses": names})
    assert [(g.name, g.people, g.estimate.n) for g in told] == [("clear", 10, 40), ("dark", 10, 40)]
    worst = groups.worst(told, +1)
    assert worst is not None
    assert (worst.name, worst.estimate.value) == ("dark", pytest.approx(0.5))
    assert groups.worst(told, -1).name == "clear"
    assert groups.worst([], +1) is None
    table = robustness_page.group_table({"m": robustness_page.Entry("seen")}, {"m": told})
    assert table[2:] == [
        "| glasses | clear | 10 | 90.0 (90.0 to 90.0) |",
        "| glasses | dark | 10 | 50.0 (50.0 to 50.0) |",
    ]


@pytest.mark.parametrize(("yaw", "name"), [(0, "0°"), (9.9, "0°"), (10.1, "20°"), (31, "40°"), (64, "60°")])
def test_angles_are_binned(yaw: float, name: str):
    assert groups.yaw_name(yaw) == f"yaw about {name}"


def test_groups_of_pictures_follow_the_notes_made_by_eye(own_pack: Pack, monkeypatch: pytest.MonkeyPatch):
    images = np.arange(3)
    path = own_pack.tables["images"]["path"].astype("U80")
    path[1] = "seen.jpg"
    row = {
        "picture": by_eye.picture_key("seen.jpg"),
        "glasses": "none",
        "facial_hair": "",
        "headwear": "1",
        "mask": "0",
    }
    monkeypatch.setattr(by_eye, "rows", lambda name: [row | {"skin": "lighter"}])
    tables = own_pack.tables | {"images": own_pack.tables["images"] | {"path": path}}
    found = groups.of_images(Pack(own_pack.blobs, tables), images)
    assert found["glasses"].tolist() == ["", "no glasses", ""]
    assert found["skin"][1] == "lighter skin"
    assert found["headwear"][1] == "cap, hat or scarf"
    assert found["facial_hair"][1] == found["mask"][1] == ""
    assert set(found["set"]) == {"own"}
