"""The figures of the `face` engine: drivers found, small and turned faces, faces where there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dms.config import TrackingConfig
from dms.engines.contract import CONTRACTS
from dms.evaluation import bootstrap
from dms.evaluation.faceless import windows
from dms.evaluation.inputs import Images, decode, frame_inputs
from dms.evaluation.metrics import Array, Figures, Infer, Outputs, in_car, people, set_names
from dms.evaluation.pack import Pack
from dms.records import Box
from dms.stages import face as stage
from dms.stages.tensors import Letterbox, fitted

RUN_TIME_SCORE = TrackingConfig().detect_score
"""Detections below this are no faces at run time."""
STRICT_SCORE = 0.6
"""A second point on the same curve: fewer false faces, fewer small ones found."""
SMALL_FACE, TURNED_DEG = 0.05, 60.0
"""Faces reported apart: 5 % of the frame's width, and turned by 60 degrees."""
TEACHER_SLACK_DEG = 15.0
"""The teachers read a head turned by 60 degrees as 45 to 60 (the data pack's README)."""

_SIZE = CONTRACTS["face"].height, CONTRACTS["face"].width
_WHOLE = fitted(_SIZE, *_SIZE)
"""How inputs that are whole frames already are fitted: as they are."""

Found = list[list[tuple[Box, float]]]


@dataclass(frozen=True)
class Frames:
    """Letterboxed inputs, how each was fitted, the trusted faces in them and whose they are."""

    images: Images
    fits: list[Letterbox]
    boxes: Array
    use: Array
    people: Array


def face_rows(pack: Pack) -> Array:
    """Held-out pictures with a face that is trusted."""
    table = pack.tables["face"]
    drawn = set_names(pack, table["image"]) == "simulated"
    return np.flatnonzero(table["val"] & ~drawn & (table["use"] == 1).any(axis=1))


def driver_rows(pack: Pack) -> Array:
    """Those of `face_rows` that were taken in cars."""
    rows = face_rows(pack)
    return rows[in_car(set_names(pack, pack.tables["face"]["image"][rows]))]


def frames_of(pack: Pack, rows: Array) -> Frames:
    """The frames of rows of the `face` table as the run time makes them."""
    table = pack.tables["face"]
    images, fits = frame_inputs(pack, table["image"][rows])
    return Frames(images, fits, table["box"][rows], table["use"][rows], people(pack, table["image"][rows]))


def placed_frames(pack: Pack, rows: Array, share: float) -> Frames:
    """The driver's face of each picture in the middle of a black frame, `share` of its width wide."""
    contract, table = CONTRACTS["face"], pack.tables["face"]
    out = np.zeros((len(rows), 1, contract.height, contract.width), np.uint8)
    use = largest(table["box"][rows], table["use"][rows])
    boxes = np.array(table["box"][rows])
    for slot, row in enumerate(rows):
        box = boxes[slot, int(use[slot].argmax())]
        scale = share * contract.width / float(max(box[2] - box[0], 1.0))
        image = decode(pack.blobs[int(table["image"][row])])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=_filter(scale))
        move = np.array([contract.width, contract.height]) / 2 - scale * (box[:2] + box[2:]) / 2
        shift = np.array([[1, 0, move[0]], [0, 1, move[1]]])
        cv2.warpAffine(small, shift, (contract.width, contract.height), dst=out[slot, 0])
        boxes[slot] = boxes[slot] * scale + np.tile(move, 2)
    return Frames(out, [_WHOLE] * len(rows), boxes, use, people(pack, table["image"][rows]))


def _filter(scale: float) -> int:
    return cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR


def turned_rows(pack: Pack) -> Array:
    """Held-out pictures with a face turned far; the `face` table has one row a picture."""
    eyes = pack.tables["eyes"]
    far = ~eyes["simulated"] & eyes["val"] & (eyes["head_w"] > 0)
    far &= np.abs(eyes["head"][:, 0]) >= TURNED_DEG - TEACHER_SLACK_DEG
    rows = np.unique(eyes["image"][far])
    return np.asarray(rows[(pack.tables["face"]["use"][rows] == 1).any(axis=1)])


def empty_frames(pack: Pack) -> tuple[Images, Array]:
    """Held-out pictures without a face, each whole and its four quarters, and which picture each is of."""
    contract, table = CONTRACTS["face"], pack.tables["face"]
    frames, whose = [], []
    for row in np.flatnonzero(table["negative"] & table["val"]):
        image = decode(pack.blobs[int(table["image"][row])])
        h, w = image.shape[0] // 2, image.shape[1] // 2
        for part in (image, image[:h, :w], image[:h, w:], image[h:, :w], image[h:, w:]):
            frames.append(cv2.resize(part, (contract.width, contract.height), interpolation=cv2.INTER_AREA))
            whose.append(int(row))
    shape = (len(frames), 1, contract.height, contract.width)
    return np.array(frames, np.uint8).reshape(shape), np.array(whose)


def found_faces(outputs: Outputs, fits: list[Letterbox], score: float = RUN_TIME_SCORE) -> Found:
    """Boxes in image pixels with scores, for each letterboxed frame."""
    grid = stage.anchor_grid(CONTRACTS["face"].height, CONTRACTS["face"].width)
    rows = []
    for i, fit in enumerate(fits):
        one = {name: out[i : i + 1] for name, out in outputs.items()}
        rows.append([(_in_image(box, fit), s) for box, s in stage.decode(one, grid, score)])
    return rows


def _in_image(box: Box, fit: Letterbox) -> Box:
    x, y = fit.pad_x, fit.pad_y
    corners = ((box.x1 - x), (box.y1 - y), (box.x2 - x), (box.y2 - y))
    return Box(*(value / fit.scale for value in corners))


def hits(found: Found, truth: Array, use: Array) -> Array:
    """1 for each trusted face (n, 6) that a detection overlaps by half or more, 0 if missed, else NaN."""
    out = np.full(use.shape, np.nan)
    for i, k in zip(*np.nonzero(use == 1), strict=True):
        out[i, k] = any(Box(*map(float, truth[i, k])).iou(box) >= 0.5 for box, _ in found[i])
    return out


def largest(boxes: Array, use: Array) -> Array:
    """`use` (n, 6) of each picture's largest trusted face alone: the driver sits nearest to the camera."""
    area = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    out = np.zeros_like(use)
    out[np.arange(len(use)), np.where(use == 1, area, -1).argmax(axis=1)] = 1
    return np.where(use == 1, out, 0)


def prepare(pack: Pack) -> Callable[[Infer], Figures]:
    """Inputs cut once; the figures of any model on them."""
    rows = driver_rows(pack)
    drivers, all_faces = frames_of(pack, rows), frames_of(pack, face_rows(pack))
    turned = frames_of(pack, turned_rows(pack))
    small = placed_frames(pack, rows, SMALL_FACE)
    empty, whose = empty_frames(pack)
    beside, windowed = windows(pack, rows)
    window_people = people(pack, windowed)

    def measure(infer: Infer) -> Figures:
        seen, nothing, in_windows = infer(drivers.images), infer(empty), infer(beside)
        found = found_faces(seen, drivers.fits)
        driver = largest(drivers.boxes, drivers.use)
        strict = found_faces(seen, drivers.fits, STRICT_SCORE)
        return {
            "recall_drivers": bootstrap.mean(drivers.people, hits(found, drivers.boxes, driver)),
            "recall_drivers_at_60": bootstrap.mean(drivers.people, hits(strict, drivers.boxes, driver)),
            "recall_in_car": bootstrap.mean(drivers.people, hits(found, drivers.boxes, drivers.use)),
            "recall_pictures": _recall(infer, all_faces),
            "recall_turned": _recall(infer, turned),
            "recall_small": _recall(infer, small),
            "false_per_500_negatives": _false(nothing, whose, RUN_TIME_SCORE),
            "false_per_500_negatives_at_60": _false(nothing, whose, STRICT_SCORE),
            "false_per_500_windows": _false(in_windows, windowed, RUN_TIME_SCORE, window_people),
            "false_per_500_windows_at_60": _false(in_windows, windowed, STRICT_SCORE, window_people),
        }

    return measure


def _recall(infer: Infer, frames: Frames) -> bootstrap.Figure:
    found = found_faces(infer(frames.images), frames.fits)
    return bootstrap.mean(frames.people, hits(found, frames.boxes, largest(frames.boxes, frames.use)))


def _false(outputs: Outputs, pictures: Array, score: float, whose: Array | None = None) -> bootstrap.Figure:
    """False faces in 500 views; an item is a picture, however many views of it are shown."""
    found = found_faces(outputs, [_WHOLE] * len(pictures), score)
    faces = np.array([len(each) for each in found], float)
    first = np.zeros(len(pictures))
    first[np.unique(pictures, return_index=True)[1]] = 1
    return replace(bootstrap.mean(pictures if whose is None else whose, faces).times(500), counts=first)
