from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from dms.errors import InputError
from dms.evaluation import by_eye
from dms.resources import configs_folder

TABLES = sorted(path.relative_to(configs_folder()).as_posix() for path in configs_folder().glob("*/*.csv"))


def test_a_key_is_the_start_of_the_hash_of_the_path():
    path = "images/köln/a.jpg"
    assert by_eye.picture_key(path) == hashlib.sha256(path.encode("utf-8")).hexdigest()[:16]


@pytest.mark.parametrize("name", TABLES)
def test_shipped_tables_name_no_picture_and_are_in_order(name: str):
    keys = [row["picture"] for row in by_eye.rows(name)]
    assert keys
    assert keys == sorted(keys)
    assert all(re.fullmatch("[0-9a-f]{16}", key) for key in keys)
    text = (configs_folder() / name).read_text(encoding="utf-8")
    assert not re.search(r"images/|\.jpe?g|\.png", text)


def test_every_table_is_looked_at():
    assert len(TABLES) == 5


def test_eyes_were_judged_once_a_picture_by_known_words():
    rows = by_eye.rows("evaluation/eyes_by_eye.csv")
    assert {row["eyes"] for row in rows} == {"open", "closed", "down", "narrow"}
    assert len({row["picture"] for row in rows}) == len(rows) > 300


def shipped(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "seen.csv").write_text(text, encoding="utf-8")
    monkeypatch.setattr(by_eye, "configs_folder", lambda: folder)


def test_what_nobody_looked_at_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shipped(tmp_path, f"picture,eyes\n{by_eye.picture_key('b.jpg')},down\n", monkeypatch)
    assert by_eye.column("seen.csv", "eyes", ["a.jpg", "b.jpg"]).tolist() == ["", "down"]
    assert by_eye.column("seen.csv", "eyes", []).tolist() == []


def test_a_lost_or_foreign_table_is_told_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shipped(tmp_path, "path,eyes\na.jpg,down\n", monkeypatch)
    with pytest.raises(InputError, match=r"seen\.csv has no column picture; restore it"):
        by_eye.rows("seen.csv")
    with pytest.raises(InputError, match=r"cannot read .*lost\.csv: .*restore it"):
        by_eye.rows("lost.csv")
