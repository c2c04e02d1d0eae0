"""`dms calibrate` as a person and a script see it, on the set that ships."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from dms import cli
from dms.calibration.drawn import HEIGHT, WIDTH, draw
from dms.engines.contract import ACTIVITIES
from dms.errors import InputError
from dms.evaluation import labels as notes
from dms.evaluation.labelled import open_labelled

SHIPPED = Path(__file__).parents[3] / "calib_data"


def dms(*arguments):
    return CliRunner().invoke(cli.main, ["calibrate", *map(str, arguments)])


def ranges(folder, out, *arguments):
    return dms("ranges", folder, "--engine", "fatigue", "--out", out, *arguments)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    return folder, draw(folder, 64, seed=3)


def test_a_drawn_set_shows_everything_and_tells_the_truth(drawn):
    folder, labels = drawn
    result = dms("check", folder, "--count", 64, "--json")
    report = json.loads(result.stdout)
    assert report["problems"] == [
        "one-sided: every face is that of one person (portrait); collect other drivers too",
        "no drivers with clear glasses",
    ]
    lacking = [
        (facet, name)
        for facet, bins in report["coverage"].items()
        for name, found in bins.items()
        if found["have"] < found["want"]
    ]
    assert lacking == [("glasses", "clear")]
    assert {label.by for label in labels} == {"truth"}
    for label in notes.read(folder):
        assert cv2.imread(str(folder / label.path), cv2.IMREAD_UNCHANGED).shape == (HEIGHT, WIDTH)
        if label.face:
            center = np.nanmean(label.landmarks, axis=0)
            assert label.box.x1 < center[0] < label.box.x2
            assert label.box.y1 < center[1] < label.box.y2


def test_the_same_seed_draws_the_same_set(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        draw(tmp_path / name, 6, seed)
    texts = [(tmp_path / name / "landmarks.csv").read_text() for name in "abc"]
    blobs = [(tmp_path / name / "0005.jpg").read_bytes() for name in "abc"]
    assert (texts[0], blobs[0]) == (texts[1], blobs[1])
    assert texts[0] != texts[2]
    assert blobs[0] != blobs[2]


def test_a_set_is_not_drawn_over_another(drawn):
    with pytest.raises(InputError, match="holds labelled pictures already"):
        draw(drawn[0], 64, seed=4)


def test_the_shipped_set_is_whole_and_small():
    pack = open_labelled(SHIPPED)
    assert 100 <= len(pack.blobs) <= 200
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 3e6
    tables = pack.tables
    assert all(tables[net]["val"].sum() > 100 for net in ("face", "eyes", "fatigue", "distraction"))
    assert tables["face"]["negative"].sum() >= 8
    assert {"open", "closed"} <= set(tables["faces"]["eyes"])
    shown = tables["distraction"]["allowed"].sum(axis=0) > 0
    assert {name for name, there in zip(ACTIVITIES, shown, strict=True) if there} == {
        "phone_at_ear", "phone_in_hand", "hand_on_face", "none",
    }  # fmt: skip


def test_check_tells_what_is_missing_and_fails(tmp_path):
    picture = tmp_path / "coverage.png"
    result = dms("check", SHIPPED, "--plot", picture)
    assert result.exit_code == 1
    assert "too small for a release: 160 of 300 pictures" in result.stdout
    assert "every face is that of one person" in result.stdout
    assert "no drivers with clear glasses" in result.stdout  # as its README says
    assert cv2.imread(str(picture)).shape[1] > 800


def test_a_fit_set_ends_with_0(tmp_path, drawn):
    folder, labels = drawn
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    many = [replace(label, person=f"p{k % 5}") for k, label in enumerate(labels)]
    notes.write(
        tmp_path, [replace(label, glasses="clear") if label.person == "p1" else label for label in many]
    )
    result = dms("check", tmp_path, "--count", 64)
    assert (result.exit_code, "problem" in result.stdout) == (0, False), result.stdout


def test_ranges_name_method_data_and_model(tmp_path):
    out = tmp_path / "ranges.json"
    result = ranges(SHIPPED, out, "--method", "percentile", "--allow-one-sided")
    assert result.exit_code == 0, result.output
    assert "no drivers with clear glasses" in result.stderr
    table = json.loads(out.read_text())
    assert (table["net"], table["method"]) == ("fatigue", "percentile")
    assert table["images"] >= 140
    assert len(table["data_sha256"]) == len(table["model_sha256"]) == 64
    assert all(low < high for low, high in table["tensors"].values())


def test_ranges_of_other_pictures_are_another_table(tmp_path):
    for most in (64, 70):
        ranges(SHIPPED, tmp_path / f"{most}", "--most", most, "--allow-one-sided")
    a, b = (json.loads((tmp_path / name).read_text()) for name in ("64", "70"))
    assert (a["images"], b["images"]) == (64, 70)
    assert a["data_sha256"] != b["data_sha256"]
    assert a["model_sha256"] == b["model_sha256"]


def test_ranges_from_one_sided_pictures_are_refused_and_say_which_way(tmp_path):
    result = ranges(SHIPPED, tmp_path / "ranges.json")
    assert result.exit_code == InputError.exit_code
    assert "one-sided: every face is that of one person (portrait)" in result.stderr
    assert "--allow-one-sided" in result.stderr
    assert not (tmp_path / "ranges.json").exists()


def test_ranges_are_never_written_into_an_engine(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    result = ranges(SHIPPED, tmp_path / "ranges.json", "--allow-one-sided")
    assert result.exit_code == InputError.exit_code
    assert "`dms engines quantize fatigue --ranges fatigue.ranges.json`" in result.stderr
    assert not (tmp_path / "ranges.json").exists()


def test_ranges_from_too_few_pictures_are_refused(tmp_path, drawn):
    folder, labels = drawn
    notes.write(tmp_path, labels[:20])
    for label in labels[:20]:
        (tmp_path / label.path).write_bytes((folder / label.path).read_bytes())
    result = dms("ranges", tmp_path, "--engine", "face", "--out", tmp_path / "ranges.json")
    assert result.exit_code == InputError.exit_code
    assert "20 pictures: ranges from fewer than 64 are refused" in result.stderr
    assert not (tmp_path / "ranges.json").exists()


def test_collect_ends_with_the_report_and_its_picture(tmp_path):
    result = dms(
        "collect", "--source", "demo", "--out", tmp_path / "set", "--seconds", 1, "--json", "--person", "d1"
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["pictures"] == len(list((tmp_path / "set").glob("0*.png"))) >= 2
    assert any("one person (d1)" in problem for problem in report["problems"])
    assert (tmp_path / "set" / "coverage.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("collect", "--source", "nowhere.mp4", "--out", "set"), "no such file"),
        (("check", "nowhere"), "nowhere"),
        (("ranges", "nowhere", "--engine", "eyes", "--out", "r.json"), "does not exist"),
    ],
)
def test_bad_input_is_one_line(arguments, told):
    result = dms(*arguments)
    assert result.exit_code == InputError.exit_code
    assert result.stderr.startswith("dms: error: ")
    assert told in result.stderr


def test_help_says_that_pictures_stay_here():
    assert "stay on this machine" in dms("collect", "--help").stdout
