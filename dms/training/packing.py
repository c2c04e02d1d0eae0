"""Making a pack from the data pack: all tables of all nets, then the images."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np

from dms.training import pack as store
from dms.training import samples, source, states
from dms.training.samples import Table
from dms.training.source import Source


def pack(data: Path, simulated: Path | None, out: Path) -> None:
    """Read labels and images, write the pack's tables and parts to `out`.

    Raises:
        InputError: the data pack or the simulated set is incomplete.
    """
    found = source.read(data, simulated)
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("images-*.npz"):
        old.unlink()
    store.write_tables(tables(found), out)
    real = store.grey_jpegs(data / path for path in found.images["path"])
    sim = found.simulated
    drawn = store.split_blob(sim["jpeg"], sim["offset"]) if sim else iter(())
    store.write_images(chain(real, drawn), out)


def tables(found: Source) -> dict[str, Table]:
    """The sample tables of all nets and what the evaluation needs to know of each image and face."""
    return {
        "face": samples.faces_table(found),
        "eyes": samples.eyes_table(found),
        "fatigue": states.fatigue_table(found),
        "distraction": states.distraction_table(found),
        "images": {
            "set": found.images["set"].to_numpy(str),
            "landmarks68": found.landmarks68,
        },
        "faces": {
            "eyes": found.faces["eyes"].to_numpy(str),
            "yawn": found.faces["yawn"].to_numpy(str),
            "yaw": found.faces["mp_yaw"].to_numpy(np.float32),
            "comma_yaw": found.faces["comma_yaw"].to_numpy(np.float32),
            "sunglasses": found.faces["comma_sunglasses"].to_numpy(np.float32),
        },
    }
