from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
pytest.importorskip("onnx")

from dms.engines.contract import ACTIVITIES, CONTRACTS  # noqa: E402 - after the check that torch is there
from dms.engines.manifest import load_manifest  # noqa: E402
from dms.errors import ConfigError, InputError  # noqa: E402
from dms.training import evaluate, fit, fitting, metrics, pack, release  # noqa: E402

COUNT = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of a few random pictures with made-up labels."""
    rng = np.random.default_rng(5)
    out = tmp_path_factory.mktemp("pack")
    pictures = [rng.integers(0, 255, (120, 160), dtype=np.uint8) for _ in range(COUNT)]
    pack.write_images((cv2.imencode(".jpg", p)[1].tobytes() for p in pictures), out)
    pack.write_tables(tables(rng), out)
    return out


def tables(rng: np.random.Generator) -> dict[str, dict[str, np.ndarray]]:
    common = {
        "image": np.arange(COUNT), "crop": np.tile([80.0, 60, 90, 0], (COUNT, 1)).astype(np.float32),
        "simulated": np.arange(COUNT) % 2 == 1, "face": np.where(np.arange(COUNT) % 2, -1, np.arange(COUNT)),
        "val": np.arange(COUNT) >= 12, "draw": np.ones(COUNT, np.float32),
    }  # fmt: skip
    ones = np.ones((COUNT, 60), np.float32)
    eyes = common | {
        "detected_crop": common["crop"], "landmarks": rng.uniform(40, 110, (COUNT, 60, 2)).astype(np.float32),
        "landmarks_w": ones, "openness": ones[:, :2], "openness_w": ones[:, :2], "visibility": ones[:, :2],
        "gaze": ones[:, :2], "gaze_w": ones[:, 0], "head": ones[:, :3], "head_w": ones[:, 0],
        "mesh": np.ones(COUNT, bool),
    }  # fmt: skip
    state = np.tile((np.arange(COUNT) // 2 % 2)[:, None], (1, 5)).astype(np.float32)
    fatigue = common | {
        "parts": np.full((COUNT, 3, 2), 60, np.float32), "state": state, "state_w": np.ones_like(state),
    }  # fmt: skip
    points = np.full((COUNT, 5, 2), 60, np.float32)
    allowed = np.eye(len(ACTIVITIES), dtype=np.float32)[np.arange(COUNT) % len(ACTIVITIES)]
    box = np.zeros((COUNT, 6, 4), np.float32)
    box[:, 0] = 50, 30, 110, 100
    use = np.zeros((COUNT, 6), np.float32)
    use[:-4, 0] = 1
    negative = np.isin(np.arange(COUNT), [3, COUNT - 1])
    face = {
        "image": np.arange(COUNT), "box": box, "points": np.tile(points[:, None], (1, 6, 1, 1)), "use": use,
        "val": common["val"], "draw": (use[:, 0] > 0).astype(np.float32), "negative": negative,
    }  # fmt: skip
    return {
        "face": face, "eyes": eyes, "fatigue": fatigue,
        "distraction": common | {"allowed": allowed, "points": points},
        "images": {"set": np.full(COUNT, "seat_belt"), "landmarks68": np.full((COUNT, 68, 2), np.nan)},
        "faces": {"eyes": np.array(["open", "closed"] * (COUNT // 2)), "yawn": np.full(COUNT, "")},
    }  # fmt: skip


def test_a_pack_comes_back_as_it_was_written(folder: Path) -> None:
    found = pack.read(folder)
    assert len(found.blobs) == COUNT
    assert found.tables["fatigue"]["state"].shape == (COUNT, 5)


def test_parts_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "PART_BYTES", 100)
    assert pack.write_images([b"x" * 60] * 3, tmp_path) == 3
    assert len(list(tmp_path.glob("images-*.npz"))) == 3


def test_no_pack_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make one with"):
        pack.read(tmp_path)


def test_a_missing_part_is_noticed(folder: Path, tmp_path: Path) -> None:
    pack.write_tables(pack.read(folder).tables, tmp_path)
    pack.write_images([b"one"], tmp_path)
    with pytest.raises(InputError, match="1 images but labels for others"):
        pack.read(tmp_path)


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four nets after two steps, placed as engines."""
    out = tmp_path_factory.mktemp("out")
    configs = tmp_path_factory.mktemp("configs")
    for net in CONTRACTS:
        jury = "teachers: 1\nteacher_steps: 1\n" if net == "distraction" else ""
        (configs / f"{net}.yaml").write_text(f"steps: 2\nseconds: 600\nbatch: 4\n{jury}")
    fitting.fit(tuple(CONTRACTS), folder, out, configs)
    return out


def test_training_leaves_weights_a_log_and_a_model(trained: Path) -> None:
    for net in CONTRACTS:
        assert (trained / net / "weights.pt").stat().st_size > 100_000
        assert (trained / net / "model.onnx").is_file()
        with (trained / net / "training.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert rows[-1]["step"] == "2"
    assert (trained / "distraction" / "teacher-0" / "weights.pt").is_file()


def test_trained_models_become_measured_engines(trained: Path, folder: Path, tmp_path: Path) -> None:
    found, engines = pack.read(folder), tmp_path / "engines"
    for net in CONTRACTS:
        release.place(net, trained / net / "model.onnx", engines)
        release.quantise(net, found, engines, "minmax")
    evaluate.publish(evaluate.evaluate(found, engines), engines, tmp_path / "engines.md")
    for net in CONTRACTS:
        manifest = load_manifest(engines / net)
        assert manifest.verified_path("int8").stat().st_size < manifest.verified_path("fp32").stat().st_size
        assert manifest.metrics["int8"]["megabytes"] > 0
        assert "seat_belt" in manifest.trained_on
    assert "| distraction | balanced_accuracy |" in (tmp_path / "engines.md").read_text()


@pytest.mark.parametrize("text", ["steps: 1\nseconds: 1\nstep: 3", "seconds: 1", "- 1", "steps: ["])
def test_a_wrong_recipe_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "net.yaml").write_text(text)
    with pytest.raises(ConfigError, match="no training recipe"):
        fit.recipe(tmp_path / "net.yaml")


def test_the_rate_rises_and_falls() -> None:
    rates = [fit.rate_at(p, 1.0) for p in (0, 0.08, 0.5, 1)]
    assert rates[0] < 0.1
    assert rates[1] == pytest.approx(1)
    assert rates[1] > rates[2] > rates[3] > 0


def test_area_under_the_curve() -> None:
    score = np.array([0.1, 0.4, 0.4, 0.9])
    assert metrics.auc(score, np.array([False, False, True, True])) == pytest.approx(0.875)
    assert np.isnan(metrics.auc(score, np.ones(4, bool)))
