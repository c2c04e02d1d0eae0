from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("PIL", reason="training reads pictures with Pillow")
pytest.importorskip("tqdm", reason="training shows its progress with tqdm")

import cv2  # noqa: E402 - after the check that torch is there

from dms.engines.contract import CONTRACTS  # noqa: E402
from dms.errors import InputError  # noqa: E402
from dms.training import augment, curves, fitting, preview  # noqa: E402
from dms.training.data import Data, open_data  # noqa: E402
from dms.training.recipe import Recipe  # noqa: E402


@pytest.fixture(scope="module")
def data(folder: Path) -> Data:
    return open_data(folder)


@pytest.mark.parametrize("net", CONTRACTS)
def test_the_sheet_has_a_row_for_each_augmentation_and_batch(data: Data, net: str, tmp_path: Path) -> None:
    task = fitting.make_task(net, data, Recipe(steps=1, seconds=1))
    sheet = preview.sheet(net, task, batches=2)
    contract = CONTRACTS[net]
    cell = round(preview.CELL_WIDTH * contract.height / contract.width) + 2
    effects = len(augment.LIGHT | augment.LENS | augment.SENSOR | augment.COVERS)
    assert sheet.shape[0] == cell * (1 + effects + 4 + 2)
    assert sheet.shape[1] == preview.CAPTION + preview.COLUMNS * (preview.CELL_WIDTH + 2)
    preview.save(sheet, tmp_path / "made" / "sheet.png")
    assert cv2.imread(str(tmp_path / "made" / "sheet.png")).shape == sheet.shape


def test_targets_are_drawn_where_they_are() -> None:
    cell = np.zeros((105, 168, 3), np.uint8)
    target = {
        "box": np.array([[64, 40, 128, 120], [0, 0, 9, 9]], np.float32),
        "points": np.zeros((2, 5, 2), np.float32), "use": np.array([1, 0], np.float32),
    }  # fmt: skip
    preview.MARKED["face"](cell, target)
    assert tuple(cell[60, 42]) == preview.GREEN
    assert not cell[:6, 5:].any()


def test_marks_are_eyes_and_mouth_in_crop_units(data: Data) -> None:
    for net in ("fatigue", "distraction"):
        task = fitting.make_task(net, data, Recipe(steps=1, seconds=1))
        rows = task.draw.rows(4)
        images, matrix = preview.plain(net, rows, data.bank)
        marks = preview.marks_of(rows, matrix, images)
        assert marks.shape == (4, 3, 2)
        # The crop is 90 wide round (80, 60), the right eye at (60, 50).
        assert marks[0, 0].tolist() == pytest.approx([25 / 90, 35 / 90], abs=0.01)


def test_a_name_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="end the name with"):
        preview.save(np.zeros((2, 2, 3), np.uint8), tmp_path / "sheet.txt")


def test_curves_are_rows_and_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="draws with matplotlib")
    rows = [
        {"step": 1.0, "seconds": 1.0, "loss_a": 0.5, "auc": 0.7},
        {"step": 2.0, "seconds": 2.0, "loss_a": 0.4, "auc": float("nan")},
    ]
    curves.write(rows, tmp_path)
    curves.picture(rows, tmp_path)
    assert (tmp_path / "training.csv").read_text().splitlines()[0] == "step,seconds,loss_a,auc"
    assert cv2.imread(str(tmp_path / "training.png")).size > 1000
