"""Training several nets over one image bank and exporting each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dms.training import export, pack
from dms.training.bank import ImageBank
from dms.training.fit import device, recipe, train

log = logging.getLogger(__name__)


def fit(names: Sequence[str], folder: Path, out: Path, configs: Path, pace: float = 1.0, **changes: Any) -> None:
    """Train and export the named nets.

    Args:
        names: nets, in the order to train.
        folder: the pack.
        out: each net gets a folder here with `weights.pt`, `training.csv` and `model.onnx`.
        configs: folder of `<net>.yaml` recipes.
        pace: multiplies the recipes' steps and seconds.
        changes: recipe values to use instead; None leaves one as it is.
    """
    found = pack.read(folder)
    bank = ImageBank(found.blobs, device())
    for name in names:
        how = recipe(configs / f"{name}.yaml")
        how = how.override(steps=round(how.steps * pace), seconds=how.seconds * pace).override(**changes)
        net = train(name, found, bank, how, out / name)
        export.export(name, net, out / name / "model.onnx")
        log.info("%s exported to %s", name, out / name)
