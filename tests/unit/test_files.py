from __future__ import annotations

import errno
import os
from multiprocessing import get_context
from pathlib import Path
from typing import NoReturn

import pytest

from dms.errors import InputError
from dms.files import (
    make_folder,
    require_folder,
    with_section,
    write_atomically,
    write_bytes_atomically,
    write_together,
)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]


def test_a_missing_folder_is_told_before_and_after_the_work(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "summary.json"
    with pytest.raises(InputError, match="gone does not exist"):
        require_folder(path)
    with pytest.raises(InputError, match="No such file"):
        write_atomically(path, "text")


def test_a_file_in_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is no folder"):
        require_folder(tmp_path / "file" / "summary.json")
    with pytest.raises(InputError, match=r"cannot make the folder .*file"):
        make_folder(tmp_path / "file")


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "deep" / "down")
    assert (tmp_path / "deep" / "down").is_dir()


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_bytes_atomically(tmp_path / "model.onnx", b"\0\xff\n")
    assert (tmp_path / "model.onnx").read_bytes() == b"\0\xff\n"


def test_files_that_belong_together_are_replaced_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_together({first: b"old", second: b"old"})
    real = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if "second" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"second: No space left on device; what was there is unchanged"):
        write_together({first: b"new", second: b"new"})
    assert (first.read_bytes(), second.read_bytes()) == (b"old", b"old")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first", "second"]


def test_a_rename_that_fails_takes_back_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, fresh, last = tmp_path / "first", tmp_path / "fresh", tmp_path / "last"
    first.write_bytes(b"old")
    last.write_bytes(b"old")
    real = Path.replace

    def refuses(path: Path, target: Path) -> Path:
        if path.name.startswith(".last."):
            raise OSError(errno.EACCES, "Permission denied")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", refuses)
    with pytest.raises(InputError, match=r"last: Permission denied; what was there is unchanged"):
        write_together({first: b"new", fresh: b"new", last: b"new"})
    assert (first.read_bytes(), last.read_bytes()) == (b"old", b"old")
    assert sorted(os.listdir(tmp_path)) == ["first", "last"]


def refuses(*_: object, **__: object) -> NoReturn:
    """What a disk that turned read-only says, even to who deletes what is not there."""
    raise OSError(errno.EROFS, "Read-only file system")


def test_a_disk_that_turned_read_only_is_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("write_bytes", "replace", "unlink"):
        monkeypatch.setattr(Path, name, refuses)
    with pytest.raises(InputError, match=r"summary: Read-only file system; what was there is unchanged"):
        write_bytes_atomically(tmp_path / "summary", b"new")


def test_what_cannot_be_taken_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, fresh, last = tmp_path / "first", tmp_path / "fresh", tmp_path / "last"
    first.write_bytes(b"old")
    real = Path.replace

    def turns_read_only(path: Path, target: Path) -> Path:
        if target != last:
            return real(path, target)
        for name in ("replace", "unlink"):
            monkeypatch.setattr(Path, name, refuses)
        return refuses()

    monkeypatch.setattr(Path, "replace", turns_read_only)
    with pytest.raises(InputError, match=rf"last: Read-only file system; new are now {first}, {fresh}"):
        write_together({first: b"new", fresh: b"new", last: b"new"})


def test_files_written_together_leave_nothing_behind(tmp_path: Path) -> None:
    paths = [tmp_path / "first", tmp_path / "second"]
    for content in (b"old", b"new"):
        write_together(dict.fromkeys(paths, content))
        assert [path.read_bytes() for path in paths] == [content] * 2
    assert sorted(os.listdir(tmp_path)) == ["first", "second"]


TIMES, SIZE = 100, 300_000


def write_often(folder: Path, letter: bytes) -> None:
    """What a second process does: two files of this letter, again and again."""
    for _ in range(TIMES):
        write_together({folder / name: letter * SIZE for name in ("first", "second")})


def test_two_processes_that_write_the_same_files_never_leave_a_torn_one(tmp_path: Path) -> None:
    context = get_context("spawn")
    writers = [context.Process(target=write_often, args=(tmp_path, letter)) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    seen = set()
    try:
        while any(writer.is_alive() for writer in writers):
            for path in (tmp_path / "first", tmp_path / "second"):
                if path.exists():
                    content = path.read_bytes()
                    seen.add((content[:1], len(content), content.count(content[:1])))
    finally:
        for writer in writers:
            writer.join(60)
            writer.kill()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen <= {(b"a", SIZE, SIZE), (b"b", SIZE, SIZE)}
    assert seen
    assert sorted(os.listdir(tmp_path)) == ["first", "second"]


def test_files_reach_the_disk_before_they_are_renamed_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    sync, rename = os.fsync, Path.replace

    def noted_sync(handle: int) -> None:
        done.append(("sync", Path(os.readlink(f"/proc/self/fd/{handle}")).name.split(".")[1:2]))
        sync(handle)

    def noted_rename(path: Path, target: Path) -> Path:
        done.append(("rename", [target.name]))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_rename)
    write_together({tmp_path / name: b"new" for name in ("first", "second")})
    written = [("sync", ["first"]), ("sync", ["second"]), ("rename", ["first"]), ("rename", ["second"])]
    assert done == [*written, ("sync", [])]


def test_a_folder_that_cannot_be_synced_has_the_new_file_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_folders(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", no_folders)
    write_atomically(tmp_path / "summary.json", "new")
    assert (tmp_path / "summary.json").read_text() == "new"


def test_a_file_keeps_the_permissions_that_the_user_gives(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_atomically(tmp_path / "summary.json", "new")
    finally:
        os.umask(before)
    assert (tmp_path / "summary.json").stat().st_mode & 0o777 == 0o644


def test_a_section_is_replaced_between_its_marks_once() -> None:
    page = "a\n<!-- t -->\nold\n<!-- /t -->\nz <!-- t -->"
    assert with_section(page, "t", "\\1 new") == "a\n<!-- t -->\n\\1 new\n<!-- /t -->\nz <!-- t -->"
    for text in ("", "<!-- t --> open", "<!-- /t --> closed", "<!-- /t --> <!-- t -->"):
        assert with_section(text, "t", "new") is None
