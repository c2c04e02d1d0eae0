from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from dms.backends import open_backend
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import load_manifest
from dms.engines.running import over_batches
from dms.errors import EngineMissing, InputError
from dms.evaluation import measure, speed
from dms.evaluation.bootstrap import Estimate
from dms.evaluation.pack import Pack
from dms.resources import engines_folder


@pytest.fixture(scope="module")
def report(own_pack: Pack) -> measure.Report:
    return measure.evaluate(own_pack, engines_folder(), precisions=("fp32", "cpu.int8"))


def test_the_shipped_engines_see_the_simulated_driver(report: measure.Report):
    for precision in ("fp32", "cpu.int8"):
        assert report["face"][precision]["recall_drivers"].value == 1.0
        assert report["eyes"][precision]["presence_of_faces"].value == 1.0
        assert report["eyes"][precision]["open_closed_auc"].value > 0.9
        assert report["eyes"][precision]["head_yaw_teacher"].value < 6
        assert report["eyes"][precision]["nme_mesh"].value < 0.06
        assert report["fatigue"][precision]["state_auc"].value > 0.9
        assert report["distraction"][precision]["phone_auc"].value > 0.9


def test_what_has_no_label_is_not_told(report: measure.Report):
    assert "nme_hand" not in report["eyes"]["cpu.int8"]
    assert "gaze_sim" not in report["eyes"]["cpu.int8"]
    assert "recall_smoking" not in report["distraction"]["cpu.int8"]


def test_every_value_has_an_interval_round_it_and_a_count(report: measure.Report):
    for by_precision in report.values():
        for name, found in by_precision["cpu.int8"].items():
            if name != "megabytes" and not math.isnan(found.low):
                assert found.low <= found.value <= found.high
                assert found.n > 0


def test_int8_is_smaller_and_its_loss_is_paired(report: measure.Report):
    face = report["face"]
    assert face["cpu.int8"]["megabytes"].value < face["fp32"]["megabytes"].value
    assert face["cpu.int8"]["loss_points"].value == 0.0
    assert "loss_points" not in face["fp32"]


def test_primary_metrics_are_measured_by_every_measure(own_pack: Pack):
    """The gate of the quantiser asks for these names."""
    assert measure.PRIMARY.keys() == CONTRACTS.keys() == measure.PREPARED.keys()
    found = measure.PREPARED["face"](own_pack)(lambda images: _nothing(len(images)))
    assert found[measure.PRIMARY["face"][0]] == 0.0


def _nothing(count: int) -> dict[str, np.ndarray]:
    outputs = CONTRACTS["face"].outputs
    return {name: np.zeros((count, *shape), np.float32) for name, shape in outputs.items()}


def test_a_net_without_labels_is_refused_by_name(own_pack: Pack):
    empty = Pack(own_pack.blobs, {n: dict(t) for n, t in own_pack.tables.items()})
    empty.tables["fatigue"]["val"] = np.zeros_like(empty.tables["fatigue"]["val"])
    with pytest.raises(InputError, match="nothing to measure the fatigue engine on"):
        measure.evaluate(empty, engines_folder(), ["fatigue"])
    assert "fatigue" not in measure.measurable(empty)


def test_an_unknown_precision_is_refused(own_pack: Pack):
    with pytest.raises(EngineMissing, match="has no int4 file"):
        measure.evaluate(own_pack, engines_folder(), ["face"], ["int4"])


def test_speeds_come_by_runtime_and_precision():
    found = speed.speed_ms("fatigue", engines_folder() / "fatigue", ("fp32", "cpu.int8"), ("ort",), turns=2)
    assert set(found) == {("ort", "fp32"), ("ort", "cpu.int8")}
    assert all(0 < ms < 1000 for ms in found.values())


def test_ratios_are_taken_turn_by_turn(monkeypatch: pytest.MonkeyPatch):
    """A machine that is twice as slow in one turn leaves the ratio as it is."""
    blocks = {("ort", "fp32"): np.array([2.0, 4.0, 2.2]), ("ort", "cpu.int8"): np.array([1.0, 2.0, 1.0])}
    monkeypatch.setattr(measure, "blocks_ms", lambda *given: blocks)
    report: measure.Report = {"face": {"fp32": {}, "cpu.int8": {}}}
    measure.add_speeds(report, Path(), ("ort",))
    assert report["face"]["cpu.int8"]["ms_ort"].value == 1.0
    ratio = report["face"]["cpu.int8"]["speed_up_ort"]
    assert (ratio.value, ratio.low, ratio.high, ratio.n) == (2.0, 2.0, pytest.approx(2.2), 3)
    assert "speed_up_ort" not in report["face"]["fp32"]


def test_speed_up_is_the_mean_of_the_engines_with_the_file_of_the_runtime():
    ratio = Estimate(2.0, 1.8, 2.2, 9)
    report = {
        "face": {"cpu.int8": {"speed_up_ort": ratio}, "trt.int8": {"speed_up_ort": Estimate(9, 9, 9, 9)}},
        "eyes": {"cpu.int8": {"speed_up_ort": Estimate(4.0, 3.8, 4.4, 9)}},
    }
    found = measure.speed_ups(report)["ort"]
    assert (found.value, found.low, found.high, found.n) == pytest.approx((3.0, 2.8, 3.3, 2))


def test_labels_of_the_engines_themselves_are_refused_with_their_own_cure(own_pack: Pack):
    tables = {n: dict(t) for n, t in own_pack.tables.items()}
    for net in CONTRACTS:
        tables[net]["val"] = np.zeros_like(tables[net]["val"])
    tables["images"]["by"] = np.full(len(own_pack.blobs), "engine")
    for nets in (["fatigue"], None):
        with pytest.raises(InputError, match=r"written by the engines themselves.*write by=hand"):
            measure.evaluate(Pack(own_pack.blobs, tables), engines_folder(), nets)


def test_batches_change_nothing():
    images = np.random.default_rng(0).integers(0, 255, (5, 1, 96, 96), dtype=np.uint8)
    path = load_manifest(engines_folder() / "fatigue").verified_path("fp32")
    backend = open_backend("ort", path)
    whole, parts = over_batches(backend, 32)(images), over_batches(backend, 2)(images)
    backend.close()
    np.testing.assert_allclose(whole["state"], parts["state"], atol=1e-5)


def test_a_copy_of_the_engines_is_measured_where_it_lies(own_pack: Pack, tmp_path: Path):
    shutil.copytree(engines_folder() / "fatigue", tmp_path / "fatigue")
    found = measure.evaluate(own_pack, tmp_path, ["fatigue"], ["cpu.int8"])
    assert list(found) == ["fatigue"]
    assert list(found["fatigue"]) == ["cpu.int8"]
