from __future__ import annotations

from pathlib import Path

import pytest

from dms.engines.contract import CONTRACTS
from dms.training.options import recipes


def test_recipes_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert {f"{net}.yaml" for net in CONTRACTS} <= {path.name for path in recipes().iterdir()}
    assert (recipes() / "candidates.yaml").is_file()


def test_data_is_looked_for_before_anything_else(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="training needs torch")
    from click.testing import CliRunner

    from dms.errors import InputError
    from dms.training.__main__ import main

    out = str(tmp_path / "out")
    told = CliRunner().invoke(main, ["fit", "all", "--pack", str(tmp_path / "june"), "--out", out])
    assert isinstance(told.exception, InputError)
    assert "june is neither a pack" in str(told.exception)
