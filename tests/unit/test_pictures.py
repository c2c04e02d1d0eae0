from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dms import pictures
from dms.errors import ConfigError, InputError


def test_a_figure_becomes_a_picture_of_its_size(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    figure = pictures.figure(4, 2)
    figure.subplots().plot([1, 2, 3])
    pictures.save(figure, tmp_path / "seen.png")
    seen = cv2.imread(str(tmp_path / "seen.png"))
    assert seen.shape == (2 * pictures.DOTS_PER_INCH, 4 * pictures.DOTS_PER_INCH, 3)
    assert len(np.unique(seen)) > 10
    with pytest.raises(InputError, match="cannot write"):
        pictures.save(figure, tmp_path / "gone" / "seen.png")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"pip install 'dms\[plot\]'"):
        pictures.figure(4, 2)
