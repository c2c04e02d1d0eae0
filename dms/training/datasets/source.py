"""The data pack as it lies on disk: images, the sources' labels, the teachers' labels, simulated faces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dms import landmarks as lm
from dms.errors import InputError

Array = NDArray[Any]

FILES = ("manifest.csv", "boxes.csv", "landmarks68.csv", "teacher_faces.parquet", "teacher_mesh.npz")
SPLITS = ("train", "val")
SIM_FIELDS = (
    "jpeg", "offset", "landmarks", "head", "gaze", "openness", "visibility", "mouth_open",
    "mouth_covered", "phone", "sunglasses", "portrait", "val",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Everything the training reads, row-aligned.

    `images` is the manifest, one row an image. `faces` has one row a detected face: teacher columns, the
    manifest's columns of its image and `image`, the row in `images`. `landmarks` (faces, 60, 2) are pixels,
    NaN where the mesh teacher found nothing. `blendshapes` (faces, 52) by `blendshape_names`. `boxes` are the
    sources' boxes; `landmarks68` (images, 68, 2) is NaN where not hand-labelled. `simulated` maps a field
    of the simulated set to its array, empty without one.
    """

    folder: Path
    images: pd.DataFrame
    faces: pd.DataFrame
    landmarks: Array
    blendshapes: Array
    blendshape_names: tuple[str, ...]
    boxes: pd.DataFrame
    landmarks68: Array
    simulated: dict[str, Array]

    def blendshape(self, name: str) -> Array:
        """One blendshape of every face, 0 to 1, NaN where unknown."""
        column: Array = self.blendshapes[:, self.blendshape_names.index(name)].astype(np.float32)
        return column


def read(folder: Path, simulated: Path | None = None) -> Source:
    """Read the data pack and, if given, the file of simulated faces.

    Raises:
        InputError: a file is missing, the simulated set lacks a field, a split is empty, or a person or group
            is in both.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} is no data pack, it lacks {', '.join(missing)}; pass --data or set DMS_DATA"
        )
    images = pd.read_csv(folder / "manifest.csv", keep_default_na=False)
    check_splits(images, folder / "manifest.csv")
    mesh = np.load(folder / "teacher_mesh.npz")
    return Source(
        folder,
        images,
        _faces(folder, images),
        _mesh_landmarks(mesh),
        mesh["blendshapes"],
        tuple(str(n) for n in mesh["blendshape_names"]),
        pd.read_csv(folder / "boxes.csv"),
        _landmarks68(folder, images),
        {} if simulated is None else read_simulated(simulated),
    )


def check_splits(images: pd.DataFrame, manifest: Path) -> None:
    """Make sure that nobody is both learned from and held out.

    Raises:
        InputError: a split is empty or unknown, or a person or group is in both.
    """
    strange = images.index[~images["split"].isin(SPLITS)]
    if len(strange):
        value = images["split"].iloc[strange[0]]
        raise InputError(
            f"{manifest}, line {strange[0] + 2}, column split: {value!r} is neither train nor val"
        )
    for split in SPLITS:
        if not (images["split"] == split).any():
            raise InputError(f"{manifest}: the split {split} is empty; give some people to it")
    for column, whose in (("group", images["group"]), ("person", images["set"] + "/" + images["person"])):
        sides = images[images[column] != ""].groupby(whose)["split"].nunique()
        shared = sides.index[sides > 1]
        if len(shared):
            raise InputError(
                f"{manifest}: {column} {shared[0]!r} ({len(shared)} in all) is in train and in val: move all "
                "of its pictures to one side"
            )


def read_simulated(path: Path) -> dict[str, Array]:
    """Read the simulated set: JPEG bytes with offsets and the exact truth of every picture."""
    if not path.is_file():
        raise InputError(f"no simulated set at {path}; make one with `python -m dms.training simulate`")
    with np.load(path) as file:
        missing = [f for f in SIM_FIELDS if f not in file]
        if missing:
            raise InputError(f"{path} lacks {', '.join(missing)}; make it again")
        return {field: file[field] for field in SIM_FIELDS}


def _faces(folder: Path, images: pd.DataFrame) -> pd.DataFrame:
    faces = pd.read_parquet(folder / "teacher_faces.parquet")
    rows = pd.Series(np.arange(len(images)), index=images["path"])
    faces["image"] = rows.loc[faces["path"]].to_numpy()
    columns = ["set", "split", "yawn", "eyes", "behaviour", "source_label", "width", "height", "person"]
    return faces.join(images[columns], on="image")


def _mesh_landmarks(mesh: Any) -> Array:
    # The teacher counts from the first pixel's edge; everywhere else 0 is that pixel's centre.
    points: Array = mesh["mesh"][:, list(lm.MESH_INDEX)].astype(np.float32) / 16 - 0.5
    points[~mesh["mesh_ok"]] = np.nan
    return points


def _landmarks68(folder: Path, images: pd.DataFrame) -> Array:
    table = pd.read_csv(folder / "landmarks68.csv").set_index("path")
    points = np.full((len(images), 68, 2), np.nan, np.float32)
    rows = pd.Series(np.arange(len(images)), index=images["path"]).loc[table.index].to_numpy()
    points[rows] = table.to_numpy(np.float32).reshape(-1, 68, 2)
    return points
