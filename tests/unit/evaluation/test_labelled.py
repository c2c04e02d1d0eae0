"""Labelled pictures that may not be read: what is said instead of a fault."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dms.errors import InputError
from dms.evaluation.labelled import open_labelled

NOBODY = 65534


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder closed to whoever runs the tests; root, to whom nothing is closed, is nobody meanwhile."""
    home = tmp_path / "home"
    (home / "pictures").mkdir(parents=True)
    (home / "pictures" / "labels.csv").write_text("path\n")
    home.chmod(0)
    as_root = os.geteuid() == 0
    if as_root:
        os.seteuid(NOBODY)
    yield home
    if as_root:
        os.seteuid(0)
    home.chmod(0o700)


def test_pictures_in_a_closed_folder_are_refused_with_the_cure(home: Path) -> None:
    with pytest.raises(InputError) as refused:
        open_labelled(home / "pictures")
    text = str(refused.value)
    assert text.startswith(f"{home / 'pictures'} may not be read by user ")
    assert "Copy the pictures to where that user may read" in text


@pytest.mark.parametrize(
    ("make", "why"), [(lambda path: None, "does not exist"), (Path.touch, "is a file, not a folder")]
)
def test_what_is_no_folder_is_refused_with_the_forms_there_are(tmp_path: Path, make, why: str) -> None:
    make(tmp_path / "pictures")
    with pytest.raises(InputError, match=why) as refused:
        open_labelled(tmp_path / "pictures")
    assert "a labelled folder" in str(refused.value)
