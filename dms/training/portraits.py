"""Fit a portrait of the simulator to a photograph: mesh by a teacher, head and body around it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.errors import InputError
from dms.simulator.geometry import angles, project, unproject
from dms.simulator.mesh import CHIN, FOREHEAD, LEFT_EAR, OVAL, RIGHT_EAR
from dms.simulator.portrait import Image, Portrait
from dms.training.portrait_layers import MASK_SIDE, body_image, person_mask, without_background

_LOG = logging.getLogger(__name__)

_CROP_FACES = 3.0
"""Side of the square the teacher sees, in face sizes: it makes the pose relative to the line of sight."""
_PHOTO_FACES = 4.6
"""Side of the square that is kept, in face sizes: head and shoulders."""
_DISTANCE_FACES = 7.0
"""Assumed distance of the camera, in face widths (about 1 m)."""
_ROUND_FRONT = np.radians([25, 50, 72, 90])
_ROUND_BACK = np.radians([25, 50, 75, 88])


class Teacher:
    """The MediaPipe Face Landmarker, loaded once. Needs the extra `train`."""

    def __init__(self, path: Path) -> None:
        """Load the bundle at `path`; InputError where it is missing."""
        if not path.is_file():
            raise InputError(f"no teacher at {path}: give the path of face_landmarker.task")
        from mediapipe import Image as MpImage
        from mediapipe import ImageFormat
        from mediapipe.tasks.python import BaseOptions, vision

        self._wrap: Any = lambda rgb: MpImage(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
        self.triangles = _triangles(vision.FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION)
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(path)),
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
            num_faces=1,
            min_face_detection_confidence=0.2,
            min_face_presence_confidence=0.2,
        )
        self._net = vision.FaceLandmarker.create_from_options(options)

    def __call__(
        self, bgr: Image
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, float]] | None:
        """Mesh (478, 3) in pixels, head rotation (3, 3) and blendshapes of the face, or None without one."""
        found: Any = self._net.detect(self._wrap(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)))
        if not found.face_landmarks:
            return None
        height, width = bgr.shape[:2]
        mesh = np.array([(p.x * width, p.y * height, p.z * width) for p in found.face_landmarks[0]])
        turn = np.array(found.facial_transformation_matrixes[0])[:3, :3]
        turn /= np.cbrt(np.linalg.det(turn))
        flip = np.diag([1.0, -1.0, -1.0])  # the teacher's y is up and its z towards the camera
        shapes = {s.category_name: float(s.score) for s in found.face_blendshapes[0]}
        return mesh.astype(np.float32), (flip @ turn @ flip).astype(np.float32), shapes

    def close(self) -> None:
        """Release the net."""
        self._net.close()


def _triangles(edges: Any) -> NDArray[np.int32]:
    return np.array(
        [(a.start, b.start, c.start) for a, b, c in zip(*[iter(edges)] * 3, strict=True)], np.int32
    )


def _square(image: Image, center: NDArray[np.float32], side: float) -> tuple[Image, NDArray[np.float32]]:
    """Cut a square, repeating the rim outside the picture; the offset takes its pixels back."""
    half = round(side / 2)
    x, y = (round(float(v)) - half for v in center)
    height, width = image.shape[:2]
    pad = max(0, -x, -y, x + 2 * half - width, y + 2 * half - height)
    padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    cut = padded[y + pad : y + pad + 2 * half, x + pad : x + pad + 2 * half]
    return np.asarray(cut, np.uint8), np.array([x, y], np.float32)


def fit_portrait(image: Image, teacher: Teacher, mask_side: int = MASK_SIDE) -> Portrait:
    """Fit the largest face of a BGR picture; a smaller `mask_side` cuts the person out coarser and faster.

    Raises:
        InputError: the teacher finds no face.
    """
    half = np.array(image.shape[1::-1], np.float32) / np.float32(2)
    seen = _look(image, teacher, half, max(image.shape[:2])) or _look(
        image, teacher, half, 2 * max(image.shape[:2])
    )
    if seen is not None:
        center, side = _center_and_side(seen[0])
        seen = _look(image, teacher, center, _CROP_FACES * side)
    if seen is None:
        raise InputError("no face found in the photograph: give a sharp, frontal portrait with open eyes")
    mesh, turn = seen
    center, side = _center_and_side(mesh)
    photo, offset = _square(image, center + np.array([0, 0.6 * side], np.float32), _PHOTO_FACES * side)
    inside = _inside(photo.shape[:2], image.shape[:2], offset)
    mesh[:, :2] -= offset
    return _build(photo, inside, mesh, turn, teacher.triangles, mask_side)


def _center_and_side(mesh: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    return (low + high) / 2, float((high - low).max())


def _look(
    image: Image, teacher: Teacher, center: NDArray[np.float32], side: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Mesh in pixels of `image` and head rotation, seen in a square of it."""
    cut, offset = _square(image, center, side)
    seen = teacher(cut)
    if seen is None:
        return None
    mesh = seen[0]
    mesh[:, :2] += offset
    return mesh, seen[1]


def _inside(
    shape: tuple[int, ...], source: tuple[int, ...], offset: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Where the cut shows the photograph and not its repeated rim."""
    y, x = np.indices(shape)
    x, y = x + offset[0], y + offset[1]
    return np.asarray((x >= 0) & (y >= 0) & (x < source[1]) & (y < source[0]))


def _build(
    photo: Image,
    inside: NDArray[np.bool_],
    mesh: NDArray[np.float32],
    turn: NDArray[np.float32],
    triangles: NDArray[np.int32],
    mask_side: int,
) -> Portrait:
    """Add the head behind the mesh and the body below it."""
    width = float(np.linalg.norm(mesh[LEFT_EAR] - mesh[RIGHT_EAR]))
    origin = (mesh[LEFT_EAR] + mesh[RIGHT_EAR]) / 2 + turn @ np.array([0, 0.25, 0.1], np.float32) * width
    distance = _DISTANCE_FACES * width
    vertices = mesh - origin
    canonical = unproject(vertices, distance) @ turn
    person = person_mask(photo, mesh, mask_side)
    silhouette = _silhouette(person, inside, canonical, turn, origin, distance, width)
    head, uv_head = _head(canonical, silhouette, width)
    head_px = project(head @ turn.T, distance) + origin[:2]
    uv_px = project(uv_head @ turn.T, distance) + origin[:2]
    faces = _oriented(triangles, canonical)
    rings = _ring_triangles(len(mesh), len(head) // len(OVAL))
    head_xyz = np.column_stack([head_px, (head @ turn.T)[:, 2] + origin[2]])
    return Portrait(
        photo=without_background(photo, person),
        body=body_image(photo, person, inside, mesh),
        vertices=np.vstack([mesh, head_xyz]).astype(np.float32),
        triangles=np.vstack([faces, rings]).astype(np.int32),
        uv=np.vstack([mesh[:, :2], uv_px]).astype(np.float32),
        pose=angles(turn),
        distance=distance,
    )


def _oriented(triangles: NDArray[np.int32], canonical: NDArray[np.float32]) -> NDArray[np.int32]:
    """Turn every triangle so that seen from the front its area is positive."""
    a, b, c = (canonical[triangles[:, i], :2] for i in range(3))
    area = np.cross(b - a, c - a)
    turned = triangles.copy()
    turned[area < 0] = triangles[area < 0][:, [0, 2, 1]]
    return turned


def _ring_triangles(first: int, rings: int) -> NDArray[np.int32]:
    """Triangles between the oval and the rings around it; ring r starts at `first` + r * 36."""
    count = len(OVAL)
    rows = np.vstack([np.array(OVAL), first + np.arange(rings * count).reshape(rings, count)])
    inner, outer = rows[:-1], rows[1:]
    inner_next, outer_next = np.roll(inner, -1, axis=1), np.roll(outer, -1, axis=1)
    one = np.stack([inner, outer, outer_next], axis=-1)
    two = np.stack([inner, outer_next, inner_next], axis=-1)
    return np.vstack([one.reshape(-1, 3), two.reshape(-1, 3)]).astype(np.int32)


def _generic_reach(angle: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far the head reaches beyond the face, in face widths, by direction (0 right, 90 down, -90 up)."""
    known = np.array([-180, -135, -90, -45, 0, 20, 45, 70, 90, 110, 135, 160, 180])
    reach = np.array([0.13, 0.27, 0.32, 0.27, 0.13, 0.10, 0.05, 0.02, 0.02, 0.02, 0.05, 0.10, 0.13])
    return np.interp(np.degrees(angle), known, reach).astype(np.float32)


def _silhouette(
    person: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    canonical: NDArray[np.float32],
    turn: NDArray[np.float32],
    origin: NDArray[np.float32],
    distance: float,
    width: float,
) -> NDArray[np.float32]:
    """Points (36, 3) of the head's outline in head axes: the generic head, pulled to the person's mask."""
    rim = canonical[list(OVAL)]
    center = canonical[[FOREHEAD, CHIN]].mean(0)
    out = rim[:, :2] - center[:2]
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    generic = _generic_reach(np.arctan2(out[:, 1], out[:, 0])) * width
    steps = np.linspace(0.0, 0.55 * width, 56)
    reach = generic.copy()
    for k in range(len(rim)):
        line = np.column_stack([rim[k, :2] + steps[:, None] * out[k], np.full(56, rim[k, 2])])
        px = np.rint(project(line.astype(np.float32) @ turn.T, distance) + origin[:2]).astype(int)
        px = np.clip(px, 0, np.array(person.shape[::-1]) - 1)
        on = person[px[:, 1], px[:, 0]]
        if inside[px[:, 1], px[:, 0]].all() and not on.all():
            most = 2.6 if out[k, 1] < 0.2 else 1.0
            reach[k] = np.clip(steps[np.argmin(on)], 0.1 * generic[k], most * generic[k])
    wrapped = np.concatenate([reach[-2:], reach, reach[:2]])
    reach = 0.95 * np.minimum(reach, np.convolve(wrapped, [0.1, 0.2, 0.4, 0.2, 0.1], mode="valid"))
    return np.column_stack([rim[:, :2] + reach[:, None] * out, np.full(len(rim), 0.12 * width)]).astype(
        np.float32
    )


def _head(
    canonical: NDArray[np.float32], silhouette: NDArray[np.float32], width: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rings (n*36, 3) from the oval over the outline to the back of the head, and where their colour is.

    Up to the outline a ring takes the colour at its own place; behind it the colours are mirrored, so that
    hair goes on as hair when the head turns.
    """
    rim = canonical[list(OVAL)]
    center = np.array([0, float(rim[:, 1].mean() - 0.1 * width), 0], np.float32)
    depth = rim[:, 2:] + (0.02 * width)
    outline = silhouette.copy()
    outline[:, 2] = np.maximum(silhouette[:, 2], depth[:, 0])
    low = np.clip((rim[:, 1] - rim[:, 1].mean()) / (0.3 * width), 0, 1)[:, None]
    behind = 0.62 * width * (1 - 0.8 * low[:, 0])
    center = center * (1 - low) + (rim * (0.5, 1, 1) + (0, -0.12 * width, 0)) * low
    front, back, mirrored = [], [], []
    for turn in _ROUND_FRONT:
        ring = rim + (outline - rim) * np.sin(turn)
        ring[:, 2] = rim[:, 2] + (outline[:, 2] - rim[:, 2]) * (1 - np.cos(turn))
        front.append(ring)
    for turn in _ROUND_BACK:
        ring = center + (outline - center) * np.cos(turn)
        ring[:, 2] = outline[:, 2] + behind * np.sin(turn)
        back.append(ring)
        mirrored.append(outline + (rim - outline) * (0.1 + 0.8 * np.sin(turn)))
    return np.vstack(front + back).astype(np.float32), np.vstack(front + mirrored).astype(np.float32)


def fit_portrait_file(photo: Path, teacher: Path, out: Path) -> Path:
    """Fit the photograph at `photo` and write the portrait to `out` (whole or not at all).

    Raises:
        InputError: the photograph or teacher is missing, unreadable or shows no face.
    """
    image = cv2.imread(str(photo), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"cannot read a picture from {photo}: give a JPEG or PNG file")
    net = Teacher(teacher)
    try:
        portrait = fit_portrait(np.asarray(image, np.uint8), net)
    finally:
        net.close()
    temporary = out.with_name(out.name + ".part")
    temporary.write_bytes(portrait.to_bytes())
    temporary.replace(out)
    _LOG.info("portrait written to %s: pose %s", out, portrait.pose)
    return out
