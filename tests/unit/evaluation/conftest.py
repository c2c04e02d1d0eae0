from __future__ import annotations

from pathlib import Path

import pytest

from dms.evaluation.labelled import open_labelled
from dms.evaluation.pack import Pack
from tests.unit.evaluation.drawn import labelled_folder


@pytest.fixture(scope="session")
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen labelled pictures of the simulated driver; to be read only."""
    return labelled_folder(tmp_path_factory.mktemp("own") / "pictures")


@pytest.fixture(scope="session")
def own_pack(own_folder: Path) -> Pack:
    """The same, opened."""
    return open_labelled(own_folder)
