from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dms.backends.packages import load
from dms.errors import EngineUnavailable

INSTALL = "pip install 'dms[x]'"


def test_a_package_that_is_there_is_loaded() -> None:
    assert load("json.decoder", "JSON", INSTALL).__name__ == "json.decoder"


@pytest.mark.parametrize("module", ["dms_no_such", "dms_no_such.part"])
def test_what_is_missing_names_its_cure(module: str) -> None:
    with pytest.raises(EngineUnavailable, match=r"^It is not installed; pip install 'dms\[x\]', or choose"):
        load(module, "It", INSTALL)


def test_what_is_broken_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dms_broken.py").write_text("raise ImportError('libfoo.so.1: cannot open')\n")
    (tmp_path / "dms_half.py").write_text("import dms_not_here\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for module, why in (("dms_broken", r"libfoo\.so\.1"), ("dms_half", "No module named 'dms_not_here'")):
        monkeypatch.delitem(sys.modules, module, raising=False)
        with pytest.raises(EngineUnavailable, match=rf"is installed, but cannot be loaded \(.*{why}"):
            load(module, "It", INSTALL)
