import numpy as np
import pytest

pytest.importorskip("pandas", reason="the extra `train` is not installed")

from dms.errors import InputError
from dms.simulator.portrait import load_portrait
from dms.simulator.render import Renderer
from dms.training import simulate
from dms.training.portraits import Teacher, fit_portrait_file


def test_poses_cover_what_a_cabin_shows():
    rng = np.random.default_rng(1)
    poses = [simulate.random_pose(rng) for _ in range(800)]
    yaw = np.array([p.yaw_deg for p in poses])
    lids = np.array([(p.open_right, p.open_left) for p in poses])
    assert np.abs(yaw).max() <= 70
    assert 0.08 < (np.abs(yaw) > 45).mean() < 0.4
    assert 0.12 < (lids.max(axis=1) == 0).mean() < 0.25
    assert 0.04 < (np.abs(lids[:, 0] - lids[:, 1]) == 1).mean() < 0.12  # winks
    assert 0.2 < np.mean([p.jaw > 0 for p in poses]) < 0.6


def test_labels_and_file_fit_together(tmp_path):
    rng = np.random.default_rng(2)
    renderer = Renderer(load_portrait())
    samples = [simulate._picture(renderer, [], rng) for _ in range(3)]
    assert all(s.grey.shape == (256, 256) and s.grey.dtype == np.uint8 for s in samples)
    out = simulate._write(
        tmp_path / "sim.npz", [b"one", b"three", b""], [simulate._labels(s, 7, True) for s in samples]
    )
    with np.load(out) as stored:
        assert stored["offset"].tolist() == [0, 3, 8, 8]
        assert stored["landmarks"].shape == (3, 60, 2)
        assert stored["head"].shape == (3, 3)
        assert stored["portrait"].tolist() == [7, 7, 7]
        assert stored["val"].all()
    assert [p.name for p in tmp_path.iterdir()] == ["sim.npz"]


def test_a_portraits_pictures_depend_on_seed_and_number_alone():
    renderer = Renderer(load_portrait())
    once, again = (simulate.pictures(renderer, 4, False, 2, 9, []) for _ in range(2))
    other = simulate.pictures(renderer, 5, False, 2, 9, [])
    assert [file for file, _ in once] == [file for file, _ in again]
    assert once[0][0] != other[0][0]
    assert once[1][1]["portrait"] == 4


def test_missing_files_are_told(tmp_path):
    with pytest.raises(InputError, match="no data pack"):
        simulate.generate(tmp_path, tmp_path / "t.task", tmp_path / "o.npz", 4, 1)
    with pytest.raises(InputError, match="no teacher"):
        Teacher(tmp_path / "t.task")
    with pytest.raises(InputError, match="cannot read a picture"):
        fit_portrait_file(tmp_path / "none.jpg", tmp_path / "t.task", tmp_path / "o.npz")
