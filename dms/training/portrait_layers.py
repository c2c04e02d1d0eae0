"""Cutting a photograph into layers: who is the person, what is behind the head, what is below it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.simulator.mesh import CHIN, OVAL
from dms.simulator.portrait import Image

MASK_SIDE = 500
"""The person's mask is found at most at this size."""
_SHOULDERS = np.array(
    [(-0.35, 0.5), (0.35, 0.5), (0.5, 1.0), (1.1, 1.4), (1.3, 4.0), (-1.3, 4.0), (-1.1, 1.4), (-0.5, 1.0)]
)
"""Surely the person, in widths and heights of the face around its centre."""
_NECK = np.array([(-0.30, -0.5), (0.30, -0.5), (0.34, 0.6), (-0.34, 0.6)])
_CLOTH = np.array(
    [(-0.33, 0.26), (-0.55, 0.36), (-1.1, 0.55), (-1.45, 0.9), (-1.6, 2.4), (1.6, 2.4), (1.45, 0.9),
     (1.1, 0.55), (0.55, 0.36), (0.33, 0.26), (0.0, 0.52)]
)  # fmt: skip
"""Outlines of a drawn body, in face widths around the chin."""


def person_mask(photo: Image, mesh: NDArray[np.float32], mask_side: int = MASK_SIDE) -> NDArray[np.bool_]:
    """Which pixels show the person, found at a size of at most `mask_side`."""
    side = max(photo.shape[:2])
    if side <= mask_side:
        return _grab_cut(photo, mesh)
    share = mask_side / side
    small = cv2.resize(photo, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    mask = _grab_cut(np.asarray(small, np.uint8), mesh * np.float32(share)).astype(np.float32)
    return np.asarray(cv2.resize(mask, photo.shape[1::-1]) > 0.5)


def _grab_cut(photo: Image, mesh: NDArray[np.float32]) -> NDArray[np.bool_]:
    mask = np.full(photo.shape[:2], cv2.GC_PR_BGD, np.uint8)
    face = mesh[list(OVAL), :2]
    center, size = face.mean(0), np.ptp(face, axis=0)
    (x, y), (w, h) = center, size
    cv2.ellipse(
        mask, (int(x), int(y - 0.12 * h)), (int(0.95 * w), int(0.95 * h)), 0, 0, 360, cv2.GC_PR_FGD, -1
    )
    mask[: int(y + 0.4 * h), : max(0, int(x - 1.2 * w))] = cv2.GC_BGD
    mask[: int(y + 0.4 * h), int(x + 1.2 * w) :] = cv2.GC_BGD
    mask[:, : max(0, int(x - 1.85 * w))] = cv2.GC_BGD
    mask[:, int(x + 1.5 * w) :] = cv2.GC_BGD
    cv2.fillPoly(mask, [(_SHOULDERS * (w, h) + (x, y)).astype(np.int32)], cv2.GC_FGD)
    cv2.fillPoly(mask, [face.astype(np.int32)], cv2.GC_FGD)
    mask[: max(1, int(y - 1.15 * h))] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    cv2.grabCut(photo, mask, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    person = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    opened = cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    labels = cv2.connectedComponents(opened)[1]
    return np.asarray(labels == labels[int(y), int(x)])


def without_background(photo: Image, person: NDArray[np.bool_]) -> Image:
    """The person's nearest colour in place of the background, so that none of it sticks to a turned head."""
    solid = cv2.erode(person.astype(np.uint8), np.ones((3, 3), np.uint8))
    labels = cv2.distanceTransformWithLabels(1 - solid, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    colours = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    colours[labels[solid > 0]] = photo[solid > 0]
    return np.asarray(np.where(person[..., None], photo, colours[labels]), np.uint8)


def body_image(
    photo: Image, person: NDArray[np.bool_], inside: NDArray[np.bool_], mesh: NDArray[np.float32]
) -> Image:
    """Neck and shoulders, BGRA; the photograph's own where it shows them, else drawn."""
    face = mesh[list(OVAL), :2]
    chin = float(mesh[CHIN, 1])
    width = float(np.ptp(face[:, 0]))
    x = float(face[:, 0].mean())
    low = min(photo.shape[0] - 1, int(chin + 0.75 * width))
    if inside[low, np.clip(int(x - width), 0, None) : int(x + width)].mean() > 0.95:
        return _cut_body(photo, person, face, chin, width)
    return _drawn_body(photo, mesh, x, chin, width)


def _cut_body(
    photo: Image, person: NDArray[np.bool_], face: NDArray[np.float32], chin: float, width: float
) -> Image:
    """The person below the head; where the face was, the neck goes on upwards."""
    x = float(face[:, 0].mean())
    colour, alpha = photo.copy(), person.astype(np.float32)
    row = min(photo.shape[0] - 1, int(chin + 0.07 * width))
    top, left, right = int(chin - 0.6 * width), int(x - 0.34 * width), int(x + 0.34 * width)
    alpha[: int(chin - 0.35 * width)] = 0
    head = np.zeros(alpha.shape, np.uint8)
    cv2.fillPoly(head, [((face - (x, chin)) * (1.12, 1.06) + (x, chin)).astype(np.int32)], 1)
    alpha[head > 0] = 0
    across = np.abs(np.linspace(-1, 1, right - left, dtype=np.float32))[:, None]
    neck = cv2.GaussianBlur(photo[row : row + 1, left:right], (0, 0), 3)[0] * (0.85 - 0.35 * across**2)
    fill = np.zeros(alpha.shape, bool)
    fill[top : row + 1, left:right] = alpha[top : row + 1, left:right] == 0
    stretched = np.broadcast_to(neck[None], (row + 1 - top, right - left, 3))
    colour[fill] = stretched[fill[top : row + 1, left:right]]
    alpha[fill] = 1
    cover = cv2.GaussianBlur(cv2.erode(alpha, np.ones((3, 3))) * 255, (0, 0), 1.2)
    return np.dstack([cv2.GaussianBlur(colour, (0, 0), 0.7), cover]).astype(np.uint8)


def _drawn_body(photo: Image, mesh: NDArray[np.float32], x: float, chin: float, width: float) -> Image:
    """A plain neck in the colour of the skin and shoulders in a cloth that differs from it."""
    cheek = mesh[[50, 280, 205, 425], :2].astype(int)
    skin = np.median(photo[np.clip(cheek[:, 1], 0, None), np.clip(cheek[:, 0], 0, None)], axis=0)
    colour = np.empty_like(photo)
    colour[:] = (skin * 0.72).astype(np.uint8)
    alpha = np.zeros(photo.shape[:2], np.uint8)
    neck, cloth = (outline * width + (x, chin) for outline in (_NECK, _CLOTH))
    for polygon, tone in ((neck, None), (cloth, skin.mean() * 0.35 + 20)):
        cv2.fillPoly(alpha, [polygon.astype(np.int32)], 255)
        if tone is not None:
            cv2.fillPoly(colour, [polygon.astype(np.int32)], (tone * 1.1, tone, tone * 0.9))
    shade = np.linspace(1.1, 0.8, photo.shape[1])[None, :, None]
    soft = cv2.GaussianBlur((colour * shade).clip(0, 255), (0, 0), 2)
    return np.dstack([soft, cv2.GaussianBlur(alpha, (0, 0), 1.5)]).astype(np.uint8)
