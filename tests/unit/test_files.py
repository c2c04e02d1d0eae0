from __future__ import annotations

from pathlib import Path

import pytest

from dms.errors import InputError
from dms.files import require_folder, write_atomically


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]


def test_a_missing_folder_is_told_before_and_after_the_work(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "summary.json"
    with pytest.raises(InputError, match="gone"):
        require_folder(path)
    with pytest.raises(InputError, match="No such file"):
        write_atomically(path, "text")
