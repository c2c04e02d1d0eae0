from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dms.errors import InputError
from dms.evaluation import plots, uncertainty
from dms.evaluation.uncertainty import Pairs

RNG = np.random.default_rng(11)
SIGMA = RNG.uniform(0.5, 4.0, 4000)
ERROR = RNG.exponential(SIGMA)
PEOPLE = np.repeat(np.arange(200), 20)


def calibration(error: np.ndarray, sigma: np.ndarray) -> uncertainty.Calibration:
    return uncertainty._calibration("head", "simulated", Pairs(PEOPLE, error, sigma))


def test_a_true_sigma_is_calibrated():
    found = calibration(ERROR, SIGMA)
    assert found.ratio.low < 1 < found.ratio.high
    assert found.scale == pytest.approx(1, abs=0.05)
    assert found.covered == pytest.approx(uncertainty.SHARES, abs=0.02)
    assert found.rank > 0.3


def test_sigmas_half_as_large_are_found_and_mended():
    found = calibration(ERROR, SIGMA / 2)
    assert found.ratio.value == pytest.approx(2, rel=0.05)
    assert found.scale == pytest.approx(2, rel=0.05)
    assert found.covered[0] < 0.35
    assert found.covered_scaled == pytest.approx(uncertainty.SHARES, abs=0.02)


def test_sigmas_that_know_nothing_have_no_rank():
    assert abs(calibration(ERROR, RNG.permutation(SIGMA)).rank) < 0.05


def test_bins_follow_the_diagonal_of_a_true_sigma():
    bins = uncertainty.reliability_bins(ERROR, SIGMA)
    assert bins.shape == (uncertainty.BINS, 4)
    assert (np.diff(bins[:, 0]) > 0).all()
    np.testing.assert_allclose(bins[:, 1], bins[:, 0], rtol=0.2)
    assert (bins[:, 2] < bins[:, 1]).all()


def test_the_table_has_a_cell_for_every_column():
    (row,) = uncertainty.table([calibration(ERROR, SIGMA)])
    assert len(row) == len(uncertainty.HEADER)
    assert row[:3] == ["head", "simulated", "4000"]


def test_the_reliability_plot_is_drawn(tmp_path: Path):
    pytest.importorskip("matplotlib", reason="draws with the extra `plot`")
    plots.reliability([calibration(ERROR, SIGMA)], tmp_path / "r.png", "a test")
    picture = cv2.imread(str(tmp_path / "r.png"))
    assert picture.shape[0] > 200
    blue = np.abs(picture.astype(int) - np.array([0xA8, 0x6C, 0x1B])).sum(axis=2) < 30
    assert blue.sum() > 100
    assert [p.name for p in tmp_path.iterdir()] == ["r.png"]


def test_no_picture_of_nothing(tmp_path: Path):
    with pytest.raises(InputError, match="too few labels"):
        plots.reliability([], tmp_path / "r.png", "a test")


def test_a_missing_folder_is_told(tmp_path: Path):
    pytest.importorskip("matplotlib", reason="draws with the extra `plot`")
    with pytest.raises(InputError, match="cannot write"):
        plots.reliability([calibration(ERROR, SIGMA)], tmp_path / "no" / "r.png", "a test")
