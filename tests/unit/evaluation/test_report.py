from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from dms.engines.contract import CONTRACTS
from dms.engines.manifest import DataNote, load_manifest
from dms.errors import InputError
from dms.evaluation import report
from dms.evaluation.bootstrap import Estimate
from dms.evaluation.measure import Report, exact
from dms.evaluation.report import Setting
from dms.resources import engines_folder

DATA = DataNote(name="pack", sha256="ab" * 32, pictures=900)
HOW = Setting(DATA)


def found(recall: float, false: float, spread: float = 0.001) -> Report:
    scores = {
        "recall_drivers": Estimate(recall, recall - spread, min(1.0, recall + spread), 250),
        "false_per_500_negatives": Estimate(false, false - spread, false + spread, 47),
        "megabytes": exact(0.7),
        "ms_ort": exact(1.0),
        "speed_up_ort": Estimate(3.0, 2.6, 3.2, 9),
    }
    return {"face": {"cpu.int8": scores, "fp32": scores | {"ms_ort": exact(3.0), "megabytes": exact(2.4)}}}


def rows(of: Report, how: Setting = HOW) -> dict[str, list[str]]:
    header, body = report.rows(of, "face", how)
    assert header[:4] == ["metric", "n", "FP32", "CPU.INT8"]
    assert header[4:] == (["target", "reached"] if how.judged else [])
    return {row[0]: row[1:] for row in body}


DRIVERS = "drivers found in cars (IoU 0.5, the run time's score) [%]"
FALSE = "false faces per 500 pictures without one (whole and in quarters)"


def test_targets_are_said_to_be_met_or_missed_both_ways():
    good, bad = rows(found(0.998, 0.9)), rows(found(0.992, 1.1))
    assert good[DRIVERS] == ["250", "99.8 (99.7 to 99.9)", "99.8 (99.7 to 99.9)", "≥ 99.5", "met"]
    assert bad[DRIVERS][-1] == "missed"
    assert (good[FALSE][-1], bad[FALSE][-1]) == ("met", "missed")


def test_an_interval_that_spans_the_target_decides_nothing():
    open_ = rows(found(0.996, 0.9, spread=0.2))
    assert (open_[DRIVERS][-1], open_[FALSE][-1]) == ("undecided", "undecided")
    one_person = {"face": {"cpu.int8": {"recall_drivers": Estimate(1.0, math.nan, math.nan, 1)}}}
    assert report.rows(one_person, "face", HOW)[1][0][-1] == "undecided"


def test_other_data_has_no_targets_and_a_users_own_no_teachers():
    other = Setting(DATA, judged=False)
    assert rows(found(0.998, 0.9), other)[DRIVERS] == ["250", "99.8 (99.7 to 99.9)", "99.8 (99.7 to 99.9)"]
    assert "target" not in report.text(found(0.998, 0.9), other).removeprefix(report.UNJUDGED)
    eyes = {"eyes": {"cpu.int8": {"gaze_teacher": Estimate(5.0, 4.0, 6.0, 9)}}}
    assert report.rows(eyes, "eyes", HOW)[1][0][0] == "gaze error, mean of two angles, a noisy teacher [°]"
    mine = Setting(DATA, own=True, judged=False)
    assert report.rows(eyes, "eyes", mine)[1][0][0] == "gaze error, mean of two angles [°]"


def test_sizes_and_speeds_have_no_interval_and_the_target_is_for_int8():
    size = rows(found(1.0, 0.0))["file [MB]"]
    assert size == ["", "2.40", "0.70", "≤ 2", "met"]


def test_each_runtime_is_judged_by_the_file_made_for_it():
    both = found(0.998, 0.9)
    both["face"]["trt.int8"] = both["face"]["cpu.int8"] | {"recall_drivers": Estimate(0.9, 0.89, 0.91, 250)}
    reached = {
        backend: next(
            row for row in report.rows(both, "face", Setting(DATA, backend))[1] if row[0] == DRIVERS
        )
        for backend in ("ort", "openvino")
    }
    assert (reached["ort"][-1], reached["openvino"][-1]) == ("met", "missed")


def test_the_speed_up_has_a_range_and_is_judged_for_all_engines_alone():
    one = found(1.0, 0.0)
    line = "INT8 is 3.00 times as fast as FP32 on ort, 2.60 to 3.20 over the repeats "
    assert report.text(one, HOW).endswith(line + "(mean of 1 of 4 engines).")
    four = {net: one["face"] for net in CONTRACTS}
    assert report.text(four, HOW).endswith(line + "(mean of the engines; target 2.5: met).")


def test_unknown_is_null_in_json():
    plain = report.to_dict(
        {"face": {"cpu.int8": {"recall_turned": Estimate(math.nan, math.nan, math.nan, 0)}}}
    )
    assert plain["face"]["cpu.int8"]["recall_turned"] == {"value": None, "low": None, "high": None, "n": 0}


@pytest.fixture
def engines(tmp_path: Path) -> Path:
    shutil.copytree(engines_folder() / "face", tmp_path / "face")
    (tmp_path / "face" / "card.md").write_text(
        "# face\n\nby hand\n\n<!-- metrics -->\nold\n<!-- /metrics -->\n\nalso by hand\n"
    )
    return tmp_path


def test_publishing_writes_figures_and_keeps_what_was_written_by_hand(engines: Path):
    of = found(0.99, 0.5)
    report.publish(of, HOW, engines, engines / "page.md", ["## More"], {"face": ["groups here"]})
    card = (engines / "face" / "card.md").read_text()
    assert card.startswith("# face\n\nby hand\n\n")
    assert card.endswith("\n\nalso by hand\n")
    assert "old" not in card
    assert "Data: `pack` (900 pictures, SHA-256 abababababab)." in card
    assert "| drivers found in cars" in card
    assert "groups here" in card
    note = load_manifest(engines / "face")
    assert note.version == load_manifest(engines_folder() / "face").version
    assert note.metrics["cpu.int8"]["recall_drivers"] == 0.99
    page = (engines / "page.md").read_text()
    assert "`pack` (900 pictures, SHA-256 abababababab);" in page
    assert "## face" in page
    assert page.endswith("## More\n")


def test_published_figures_name_their_files_and_their_data(engines: Path):
    report.publish(found(0.99, 0.5), HOW, engines, engines / "page.md")
    published = json.loads((engines / "metrics.json").read_text())
    assert published["data"] == {"name": "pack", "sha256": "ab" * 32, "pictures": 900}
    note = load_manifest(engines / "face")
    assert published["files"]["face"] == {p: note.files[p].sha256 for p in ("cpu.int8", "fp32")}
    recall = published["engines"]["face"]["cpu.int8"]["recall_drivers"]
    assert recall == {"value": 0.99, "low": 0.989, "high": 0.991, "n": 250}
    assert report.released_data(engines) == "ab" * 32


def test_publishing_again_changes_nothing_and_replaces_what_was_there(engines: Path):
    (engines / "metrics.json").write_text('{"eyes": {"cpu.int8": {}}}')
    assert report.released_data(engines) is None
    report.publish(found(0.99, 0.5), HOW, engines, engines / "page.md")
    first = {path: path.read_bytes() for path in engines.rglob("*") if path.is_file()}
    report.publish(found(0.99, 0.5), HOW, engines, engines / "page.md")
    assert {path: path.read_bytes() for path in engines.rglob("*") if path.is_file()} == first
    assert list(json.loads((engines / "metrics.json").read_text())["engines"]) == ["face"]


def test_a_card_without_a_place_is_refused_before_anything_is_written(engines: Path):
    (engines / "face" / "card.md").write_text("# face\n")
    with pytest.raises(InputError, match="has no lines <!-- metrics -->"):
        report.publish(found(0.99, 0.5), HOW, engines, engines / "page.md")
    assert not (engines / "metrics.json").exists()
    assert not (engines / "page.md").exists()
