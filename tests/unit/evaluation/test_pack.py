from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dms.errors import InputError
from dms.evaluation import pack

TABLES = {
    "images": {"set": np.array(["a", "b"])},
    "face": {"image": np.arange(2), "val": np.array([False, True])},
}


def test_a_pack_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert pack.write_images([b"one", b"two!"], tmp_path) == 1
    pack.write_tables(TABLES, tmp_path)
    found = pack.read(tmp_path)
    assert found.blobs == [b"one", b"two!"]
    assert found.tables["images"]["set"].tolist() == ["a", "b"]
    assert found.tables["face"]["val"].tolist() == [False, True]


def test_parts_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "PART_BYTES", 100)
    assert pack.write_images([b"x" * 60] * 3, tmp_path) == 3
    assert len(list(tmp_path.glob("images-*.npz"))) == 3


def test_no_pack_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make one with"):
        pack.read(tmp_path)


def test_a_missing_part_is_noticed(tmp_path: Path) -> None:
    pack.write_tables(TABLES, tmp_path)
    pack.write_images([b"one"], tmp_path)
    with pytest.raises(InputError, match="1 images but labels for others"):
        pack.read(tmp_path)
