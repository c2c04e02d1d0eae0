"""Where the driver's face is: followed by its landmarks, found or confirmed by the `face` engine when due."""

from __future__ import annotations

from dataclasses import replace
from math import hypot

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.backends import Arrays
from dms.config import TrackingConfig
from dms.engines.contract import CONTRACTS, STRIDES
from dms.errors import EngineError
from dms.records import Box, Face, FrameState, Observation
from dms.stages import filled, with_fault
from dms.stages.tensors import Letterbox, fitted, landmark_box
from dms.stages.views import View

SAME_FACE_IOU = 0.3
"""A detection that overlaps the track by at least this confirms it (the two boxes are cut differently)."""
NMS_IOU = 0.4
CONFIDENT_PRESENCE = 0.8
"""A track with at least this face-present score is not given up for a face elsewhere (passengers)."""
NEAR = 3.0
"""Within so many widths of the driver's face another may be the driver's; the seat beside is four away."""


def anchor_grid(height: int, width: int) -> NDArray[np.float32]:
    """Cell centres and stride (x, y, stride), shape (A, 3), in the order of the `face` engine's rows."""
    rows = []
    for stride in STRIDES:
        y, x = np.mgrid[: height // stride, : width // stride]
        centers = (np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) * stride
        rows.append(np.c_[centers, np.full(len(centers), stride)])
    return np.concatenate(rows).astype(np.float32)


def decode(outputs: Arrays, grid: NDArray[np.float32], threshold: float) -> list[tuple[Box, float]]:
    """Boxes (pixels of the engine's input) and scores above `threshold`, best first, doubles suppressed."""
    scores = outputs["score"][0]
    keep = np.flatnonzero(scores > threshold)
    if not keep.size:
        return []
    scores, cells, raw = scores[keep], grid[keep], outputs["box"][0][keep]
    centers = cells[:, :2] + raw[:, :2] * cells[:, 2:]
    sizes = np.exp(np.clip(raw[:, 2:], -4, 6)) * cells[:, 2:]
    corners = centers - sizes / 2
    order = cv2.dnn.NMSBoxes(np.hstack([corners, sizes]).tolist(), scores.tolist(), threshold, NMS_IOU)
    return [
        (Box(*map(float, corners[i]), *map(float, corners[i] + sizes[i])), float(scores[i]))
        for i in np.asarray(order).ravel()
    ]


def _to_frame(box: Box, fit: Letterbox) -> Box:
    return Box(
        (box.x1 - fit.pad_x) / fit.scale,
        (box.y1 - fit.pad_y) / fit.scale,
        (box.x2 - fit.pad_x) / fit.scale,
        (box.y2 - fit.pad_y) / fit.scale,
    )


class FaceStage:
    """Fills `face`: the track's box, or the largest detection where there is no track."""

    name = "face"

    def __init__(self, view: View, config: TrackingConfig) -> None:
        contract = CONTRACTS["face"]
        self._view = view
        self._config = config
        self._size = contract.height, contract.width
        self._grid = anchor_grid(contract.height, contract.width)

    def run(self, state: FrameState) -> FrameState:
        """Follow the track; detect when due and settle between the two."""
        track = self._track(state.previous, state.frame.captured_s)
        if self.name not in state.due:
            return filled(state, face=track)
        try:
            found = self._detect(state)
        except EngineError as e:
            # A face that is followed is followed on; only a lost one cannot be found again.
            return filled(state, face=track, faults=with_fault(state.seen, self.name, e).faults)
        return filled(state, face=self._settle(track, found))

    def _track(self, previous: Observation | None, now_s: float) -> Face | None:
        if previous is None or previous.eyes is None:
            return None
        return Face(now_s, landmark_box(previous.eyes.landmarks), previous.eyes.presence, tracked=True)

    def _detect(self, state: FrameState) -> list[Face]:
        fit = fitted(state.frame.image.shape, *self._size)
        found = decode(self._view.look(state, fit), self._grid, self._config.detect_score)
        return [
            Face(state.frame.captured_s, _to_frame(box, fit), score, tracked=False) for box, score in found
        ]

    def _settle(self, track: Face | None, found: list[Face]) -> Face | None:
        driver = self._choose(track, found)
        return None if driver is None else replace(driver, rival=_rival(driver, found))

    def _choose(self, track: Face | None, found: list[Face]) -> Face | None:
        if not found:
            return track
        if track is not None:
            confirmed = any(track.box.iou(face.box) >= SAME_FACE_IOU for face in found)
            if confirmed or track.score >= CONFIDENT_PRESENCE:
                return track
        # The driver sits nearest to the camera: the largest face is his.
        return max(found, key=lambda face: _area(face.box))


def _area(box: Box) -> float:
    return box.width * box.height


def _rival(driver: Face, found: list[Face]) -> float:
    """Area of the largest other face near the driver's over that of his, 0 where there is none."""
    # his own detection, where there is one: a track's box is cut differently
    same = [face for face in found if driver.box.iou(face.box) >= SAME_FACE_IOU]
    own = max((face.box for face in same), key=_area, default=driver.box)
    x, y = own.center
    others = [face.box for face in found if face not in same]
    near = [box for box in others if hypot(box.center[0] - x, box.center[1] - y) <= NEAR * own.width]
    return max((_area(box) for box in near), default=0.0) / _area(own)
