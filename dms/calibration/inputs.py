"""What an engine gets from a set of calibration pictures."""

from __future__ import annotations

import numpy as np

from dms.errors import InputError
from dms.evaluation.inputs import Images, crop_inputs, frame_inputs
from dms.evaluation.pack import Pack


def calibration_inputs(net: str, pack: Pack, most: int | None = None) -> Images:
    """Inputs (n, 1, height, width) of every picture of a set, held out or not.

    A set of calibration pictures is not trained on, so all of it serves; of a larger one, every so many-th
    until there are `most`.

    Raises:
        InputError: no picture shows what this engine looks at.
    """
    table = pack.tables[net]
    rows = np.arange(len(table["image"]))
    if most is not None and len(rows) > most:
        rows = np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))
    if not len(rows):
        raise InputError(
            f"no picture shows what the {net} engine looks at: it needs faces with "
            + ("landmarks" if net == "fatigue" else "a box")
            + "; `dms calibrate collect` writes both"
        )
    return frame_inputs(pack, table["image"][rows])[0] if net == "face" else crop_inputs(net, pack, rows)
