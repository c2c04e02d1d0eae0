import logging

import pytest

from dms.backends.kept import Kept


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "face" / "model.fp16.onnx"
    path.parent.mkdir()
    path.write_bytes(b"an engine")
    return path


def test_gives_back_what_was_written(tmp_path, engine):
    kept = Kept(tmp_path / "of" / "runtime", engine, "1.0", "chip")
    assert kept.read() is None
    kept.write(b"compiled")
    assert kept.read() == b"compiled"
    assert [f.name for f in (tmp_path / "of" / "runtime").iterdir()] == ["face.model.fp16.compiled"]


def test_what_another_version_wrote_is_not_read_and_is_overwritten(tmp_path, engine):
    Kept(tmp_path, engine, "1.0").write(b"old")
    newer = Kept(tmp_path, engine, "1.1")
    assert newer.read() is None
    newer.write(b"new")
    assert newer.read() == b"new"
    assert Kept(tmp_path, engine, "1.0").read() is None


def test_what_was_made_of_another_file_is_not_read(tmp_path, engine):
    Kept(tmp_path, engine, "1.0").write(b"compiled")
    engine.write_bytes(b"another engine")
    assert Kept(tmp_path, engine, "1.0").read() is None


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-1], lambda b: b[:40] + b"x" + b[41:]])
def test_damage_is_seen(tmp_path, engine, damage):
    kept = Kept(tmp_path, engine, "1.0")
    kept.write(b"compiled" * 9)
    file = tmp_path / "face.model.fp16.compiled"
    file.write_bytes(damage(file.read_bytes()))
    assert kept.read() is None


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path, engine, caplog):
    (tmp_path / "file").write_bytes(b"")
    kept = Kept(tmp_path / "file" / "runtime", engine)
    with caplog.at_level(logging.WARNING):
        kept.write(b"compiled")
    assert "cannot be kept" in caplog.text
    assert kept.read() is None


def test_without_a_folder_nothing_is_kept(engine):
    kept = Kept(None, engine, "1.0")
    kept.write(b"compiled")
    assert kept.read() is None
