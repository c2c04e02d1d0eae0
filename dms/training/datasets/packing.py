"""Making a pack from the data pack and folders of one's own: all tables of all nets, then the images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from dms.evaluation import by_eye
from dms.evaluation import pack as store
from dms.training.datasets import own, samples, source, states
from dms.training.datasets.mix import Mix, load_mix
from dms.training.datasets.samples import Array, Table
from dms.training.datasets.source import Source


def pack(data: Path, simulated: Path | None, out: Path, folders: Sequence[Path] = ()) -> None:
    """Read labels and images, write the pack's tables and parts to `out`.

    Args:
        data: the data pack.
        simulated: file of simulated faces.
        out: folder to write to; an older pack in it is replaced.
        folders: labelled folders of one's own, put behind the data pack's pictures.

    Raises:
        InputError: the data pack, the simulated set or a folder is incomplete, or something in it is wrong.
        ConfigError: `configs/training/mix.yaml` is wrong.
    """
    mix = load_mix()
    found = source.read(data, simulated)
    all_tables = tables(found, mix)
    extra: list[bytes] = []
    for folder in folders:
        more = own.read(folder)
        all_tables = own.add(all_tables, more.tables, len(found.images) + len(extra), mix)
        extra += more.blobs
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("images-*.npz"):
        old.unlink()
    store.write_tables(all_tables, out)
    real = store.grey_jpegs(data / path for path in found.images["path"])
    sim = found.simulated
    drawn = store.split_blob(sim["jpeg"], sim["offset"]) if sim else iter(())
    store.write_images(chain(real, extra, drawn), out)


def tables(found: Source, mix: Mix) -> dict[str, Table]:
    """The sample tables of all nets and what the evaluation needs to know of each image and face."""
    known = {"simulated": {"portrait": found.simulated["portrait"]}} if found.simulated else {}
    return known | {
        "face": samples.faces_table(found, mix),
        "eyes": samples.eyes_table(found, mix),
        "fatigue": states.fatigue_table(found, mix),
        "distraction": states.distraction_table(found, mix),
        "images": {
            "path": found.images["path"].to_numpy(str),
            "set": found.images["set"].to_numpy(str),
            "person": people(found.images),
            "infrared": (found.images["ir"].astype(str) == "1").to_numpy(),
            "landmarks68": found.landmarks68,
        },
        "faces": {
            "eyes": found.faces["eyes"].to_numpy(str),
            "eyes_by_eye": eyes_by_eye(found.faces),
            "yawn": found.faces["yawn"].to_numpy(str),
            "yaw": found.faces["mp_yaw"].to_numpy(np.float32),
            "comma_yaw": found.faces["comma_yaw"].to_numpy(np.float32),
            "sunglasses": found.faces["comma_sunglasses"].to_numpy(np.float32),
        },
    }


def eyes_by_eye(faces: pd.DataFrame) -> Array:
    """What a person saw of the eyes of a picture's largest face: open, closed, down, narrow or nothing."""
    width, height = faces["x2"] - faces["x1"], faces["y2"] - faces["y1"]
    largest = (width * height).groupby(faces["image"]).transform("max") == width * height
    seen = by_eye.column("evaluation/eyes_by_eye.csv", "eyes", faces["path"])
    return np.where(largest, seen, "")


def people(images: pd.DataFrame) -> Array:
    """Who is in each picture, as far as known: the named person, else the look-alike group."""
    person, group = images["person"].to_numpy(str), images["group"].to_numpy(str)
    named = np.char.add(np.char.add(images["set"].to_numpy(str), "/"), person)
    return np.asarray(np.where(person != "", named, group))
