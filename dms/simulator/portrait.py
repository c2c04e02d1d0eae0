"""A portrait: one photograph of a face with the mesh, the head and the body that turn it into a driver."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.errors import InputError
from dms.simulator.mesh import FACE_POINTS

Image = NDArray[np.uint8]

_KEYS = ("photo", "body", "body_cover", "vertices", "triangles", "uv", "pose", "distance")


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A face ready to be moved.

    Attributes:
        photo: BGR texture, uint8 (h, w, 3).
        body: neck and shoulders without the head, BGRA uint8 (h, w, 4), aligned with `photo`.
        vertices: float32 (n, 3), pixels of `photo` and depth (+ away from the camera); the first 478 are the
            face mesh, the rest close the head behind it.
        triangles: int32 (t, 3), facing the viewer when their area in the image is positive.
        uv: float32 (n, 2), where in `photo` each vertex takes its colour.
        pose: yaw, pitch, roll of the head in the photograph, degrees.
        distance: camera distance from the head, in pixels of `photo`.
    """

    photo: Image
    body: Image
    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    uv: NDArray[np.float32]
    pose: tuple[float, float, float]
    distance: float

    @property
    def face_width_px(self) -> float:
        """Width of the face mesh in the photograph, pixels."""
        return float(np.ptp(self.vertices[:FACE_POINTS, 0]))

    def to_bytes(self) -> bytes:
        """The portrait as an `.npz` file, pictures compressed."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            photo=cv2.imencode(".jpg", self.photo, [cv2.IMWRITE_JPEG_QUALITY, 95])[1],
            body=cv2.imencode(".jpg", self.body[..., :3], [cv2.IMWRITE_JPEG_QUALITY, 90])[1],
            body_cover=cv2.imencode(".png", self.body[..., 3])[1],
            vertices=self.vertices,
            triangles=self.triangles.astype(np.int16),
            uv=self.uv,
            pose=np.array(self.pose, dtype=np.float32),
            distance=np.float32(self.distance),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> Portrait:
        """Read what `to_bytes` wrote; `name` is said in errors.

        Raises:
            InputError: this is no portrait file.
        """
        cure = (
            f"{name} is no portrait file; make one with: python -m dms.training portrait PHOTO --out FILE.npz"
        )
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                parts = {key: stored[key] for key in _KEYS}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(cure) from error
        photo = cv2.imdecode(parts["photo"], cv2.IMREAD_COLOR)
        body = cv2.imdecode(parts["body"], cv2.IMREAD_COLOR)
        cover = cv2.imdecode(parts["body_cover"], cv2.IMREAD_GRAYSCALE)
        if photo is None or body is None or cover is None or body.shape[:2] != cover.shape:
            raise InputError(cure)
        yaw, pitch, roll = (float(v) for v in parts["pose"])
        return cls(
            photo=np.asarray(photo, dtype=np.uint8),
            body=np.dstack([body, cover]).astype(np.uint8),
            vertices=parts["vertices"].astype(np.float32),
            triangles=parts["triangles"].astype(np.int32),
            uv=parts["uv"].astype(np.float32),
            pose=(yaw, pitch, roll),
            distance=float(parts["distance"]),
        )


def load_portrait(name: str | Path = "default") -> Portrait:
    """The shipped portrait (`default`) or one from an `.npz` file.

    Raises:
        InputError: the file is missing, unreadable or no portrait.
    """
    if str(name) == "default":
        return Portrait.from_bytes(
            resources.files("dms.assets").joinpath("portrait.npz").read_bytes(), "default"
        )
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the portrait {name}: {error.strerror}; check the path") from error
    return Portrait.from_bytes(data, str(name))
