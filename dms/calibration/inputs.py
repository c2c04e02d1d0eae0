"""What an engine gets from pictures to calibrate with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dms.errors import InputError
from dms.evaluation.inputs import Images, crop_inputs, frame_inputs
from dms.evaluation.inputs import calibration_inputs as of_a_pack
from dms.evaluation.pack import TABLES, Pack


def inputs_of(net: str, pack: Pack, folder: Path, most: int) -> Images:
    """At most `most` inputs (n, 1, height, width) of the pictures in `folder`, opened as `pack`.

    Of a pack only what is trained on, so that held-out people stay unseen; of a calibration set all.

    Raises:
        InputError: no picture shows what this engine looks at.
    """
    return of_a_pack(net, pack, most) if (folder / TABLES).is_file() else calibration_inputs(net, pack, most)


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
