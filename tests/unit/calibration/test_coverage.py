"""Which bin a picture belongs to, and what a set lacks."""

from dataclasses import replace

import numpy as np
import pytest

from dms import landmarks as lm
from dms.calibration import coverage
from dms.calibration.check import judge
from dms.calibration.coverage import FACETS, View
from dms.evaluation.labels import Label
from dms.records import Box

BOX = Box(20, 20, 80, 80)
LABEL = Label(
    "a.png", box=BOX, head=(0, 0, 0), openness=(0.9, 0.9), visibility=(1, 1), yawn=False, activity=("none",)
)
GREY = np.full((100, 100), 120, np.uint8)


def bins(picture=GREY, **changes):
    return coverage.view(replace(LABEL, **changes), picture).bins


def test_a_plain_picture_is_plain_in_every_facet():
    assert bins() == {
        "light": "normal", "yaw": "ahead", "pitch": "level", "eyes": "open", "mouth": "shut", "hands": "free",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("level", "found"), [(10, "dark"), (49, "dark"), (60, "normal"), (185, "normal"), (200, "bright")]
)
def test_light_is_that_of_the_face(level, found):
    picture = np.full((100, 100), 255 - level, np.uint8)
    picture[20:80, 20:80] = level
    assert bins(picture)["light"] == found


@pytest.mark.parametrize("side", [slice(0, 50), slice(50, 100)])
def test_light_from_either_side_is_uneven(side):
    picture = np.full((100, 100), 60, np.uint8)
    picture[:, side] = 150
    assert bins(picture)["light"] == "uneven"


@pytest.mark.parametrize(
    ("yaw_deg", "found"),
    [(-60, "far left"), (-20, "left"), (-11, "ahead"), (11, "ahead"), (20, "right"), (60, "far right")],
)
def test_yaw_has_two_sides(yaw_deg, found):
    assert bins(head=(yaw_deg, 0, 0))["yaw"] == found


@pytest.mark.parametrize(
    ("openness", "visibility", "found"),
    [
        ((0.9, 0.9), (1, 1), "open"),
        ((0.4, 0.4), (1, 1), "narrow"),
        ((0.0, 0.1), (1, 1), "closed"),
        ((0.9, 0.0), (0.1, 1), "closed"),
        ((0.9, 0.9), (0.1, 0.1), "hidden"),
    ],
)
def test_only_eyes_that_are_seen_count(openness, visibility, found):
    assert bins(openness=openness, visibility=visibility)["eyes"] == found


def test_what_is_unknown_counts_in_no_bin():
    bare = coverage.view(Label("a.png", box=BOX), GREY)
    assert bare.bins == {"light": "normal"}
    told = coverage.view(Label("a.png", box=BOX, glasses="clear", infrared=True), GREY)
    assert (told.bins["glasses"], told.bins["camera"]) == ("clear", "infrared")
    by_hand = coverage.view(Label("a.png", box=BOX, eyes="closed"), GREY)
    assert by_hand.bins["eyes"] == "closed"


def test_a_mouth_gapes_by_its_inner_lips():
    marks = np.zeros((lm.COUNT, 2), np.float32)
    for name, place in zip(
        ("inner_lip_top", "inner_lip_bottom", "inner_mouth_right", "inner_mouth_left"),
        ((50, 60), (50, 75), (40, 68), (60, 68)), strict=True,
    ):  # fmt: skip
        marks[lm.INDEX[name]] = place
    assert bins(landmarks=marks, yawn=None)["mouth"] == "open"
    assert bins(landmarks=marks, mouth_covered=True)["mouth"] == "covered"


def test_leaning_is_told_by_the_usual_width_of_the_set():
    views = [View({}, width) for width in (0.2, 0.2, 0.2, 0.15, 0.25)]
    assert coverage.tally(views)["distance"] == {"back": 1, "usual": 3, "forward": 1}
    assert coverage.tally([View({}, 2 * view.width) for view in views]) == coverage.tally(views)


@pytest.mark.parametrize("count", [64, 160, 300, 1000])
def test_a_set_has_room_for_all_it_wants(count):
    wanted = [n for places in coverage.wanted(count).values() for n in places.values()]
    assert sum(want == 0 for want in wanted) == len(FACETS["camera"])  # counted, not asked for
    assert sum(wanted) <= count


def balanced(count):
    """Views that fill every bin: each facet goes through its bins in turn."""
    facets = {facet: list(places) for facet, places in FACETS.items() if facet not in ("face", "distance")}
    faces = [
        View({facet: names[k % len(names)] for facet, names in facets.items()}, (0.2, 0.15, 0.25, 0.2)[k % 4])
        for k in range(count - count // 20)
    ]
    return [*faces, *[View({"face": "none"})] * (count // 20)]


def people(count):
    return [replace(LABEL, person=f"d{k % 3}", glasses="none", infrared=k % 2 == 0) for k in range(count)]


def test_a_balanced_set_is_fit():
    report = judge(balanced(300), people(300))
    assert (report.problems, report.remarks, report.fit) == ((), (), True)


def test_a_one_sided_set_is_told_which_way():
    plain = coverage.view(replace(LABEL, head=(-30, 0, 0)), np.full((100, 100), 200, np.uint8))
    report = judge([plain] * 300, people(300))
    text = "\n".join(report.problems)
    assert "one-sided in yaw: 100% are faces turned to the picture's left" in text
    assert "300 faces are turned to the picture's left, 0 the other way" in text
    assert "one-sided in light: 100% are bright faces" in text
    assert "one-sided in eyes: 100% are open eyes" in text
    assert "no closed eyes" in text
    assert "no pictures without a face" in text
    assert "too small" not in text


def test_right_is_told_from_left():
    views = balanced(300)
    turned = [
        View(dict(v.bins, yaw=v.bins["yaw"].replace("left", "right")), v.width) if "yaw" in v.bins else v
        for v in views
    ]
    text = "\n".join(judge(turned, people(300)).problems)
    assert "turned to the picture's right, 0 the other way" in text
    assert "no faces turned to the picture's left" in text


@pytest.mark.parametrize(
    ("count", "told"), [(40, "fewer than 64 are refused"), (200, "too small for a release: 200 of 300")]
)
def test_a_small_set_is_told_how_small(count, told):
    report = judge(balanced(count), people(count))
    assert any(told in problem for problem in report.problems)
    assert not report.fit


def test_one_person_is_one_sided():
    report = judge(balanced(300), [replace(LABEL, person="d1")] * 300)
    assert "every face is that of one person (d1)" in report.problems[0]


def test_faces_of_nobody_are_not_called_fit():
    report = judge(balanced(300), [replace(LABEL, glasses="none", infrared=False)] * 300)
    assert not report.fit
    assert "nobody is told apart" in report.problems[0]
    assert report.one_sided == ()


def test_what_no_engine_sees_is_asked_for():
    unsaid = [replace(LABEL, person=f"d{k % 3}") for k in range(300)]
    report = judge(balanced(300), unsaid)
    assert report.fit
    assert "--glasses none, clear and dark" in report.remarks[0]
    assert "--infrared" in report.remarks[1]


def test_one_kind_of_light_for_the_camera_is_remarked_on():
    report = judge(balanced(300), [replace(label, infrared=True) for label in people(300)])
    assert report.fit
    assert report.remarks == ("all pictures are infrared: right for a camera that has nothing else",)


def test_glasses_that_nobody_wears_are_missing():
    bare = [View({**v.bins, "glasses": "none"}, v.width) if "glasses" in v.bins else v for v in balanced(300)]
    assert judge(bare, people(300)).problems == (
        "no drivers with clear glasses",
        "no drivers with dark glasses",
    )
