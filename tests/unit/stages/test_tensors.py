from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from dms import landmarks as lm
from dms.records import Box
from dms.stages.tensors import Crop, cut, distraction_crop, eyes_crop, fatigue_crop, landmark_box, letterbox


def upright_face(center: tuple[float, float] = (300, 200), eye_distance: float = 80) -> np.ndarray:
    """Landmarks that matter for cropping: a level face, mouth 70 px below the eyes."""
    points = np.tile(np.array(center, np.float32), (lm.COUNT, 1))
    x, y = center
    points[[*lm.OUTER_EYE_CORNERS]] = [[x - eye_distance / 2, y], [x + eye_distance / 2, y]]
    points[lm.INDEX["mouth_right"]] = [x - 25, y + 70]
    points[lm.INDEX["mouth_left"]] = [x + 25, y + 70]
    return points


def rotated(points: np.ndarray, angle_rad: float) -> np.ndarray:
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return (points @ np.array([[c, s], [-s, c]])).astype(np.float32)


def test_crop_matrix_takes_the_crops_center_and_edges_to_the_frame() -> None:
    matrix = Crop(50, 40, 20).to_frame(10)
    assert matrix @ [4.5, 4.5, 1] == pytest.approx([50, 40])
    # Pixel centres of the first and last column lie half a crop pixel inside the square.
    assert matrix @ [0, 4.5, 1] == pytest.approx([41, 40])
    assert matrix @ [9, 4.5, 1] == pytest.approx([59, 40])


def test_cut_takes_the_square_and_blackens_what_lies_outside() -> None:
    image = np.full((100, 100), 200, np.uint8)
    out = np.empty((32, 32), np.uint8)
    cut(image, Crop(0, 50, 40), out)
    assert out[16, 28] == 200
    assert out[16, 2] == 0
    cut(image, Crop(-900, -900, 40), out)
    assert not out.any()


def test_cut_turns_a_tilted_face_upright() -> None:
    image = np.zeros((200, 200), np.uint8)
    angle = math.radians(30)
    tip = (round(100 + 60 * math.cos(angle)), round(100 + 60 * math.sin(angle)))
    cv2.line(image, (100, 100), tip, 255, 5)
    out = np.empty((64, 64), np.uint8)
    cut(image, Crop(100, 100, 140, angle), out)
    assert out[31:33, 35:55].mean() > 200  # the tilted line now runs level to the right


@pytest.mark.parametrize("angle_deg", [0, 25, -40])
def test_fatigue_crop_follows_the_roll_of_the_head(angle_deg: float) -> None:
    crop = fatigue_crop(rotated(upright_face(), math.radians(angle_deg)))
    assert math.degrees(crop.angle_rad) == pytest.approx(angle_deg, abs=0.1)
    assert crop.side == pytest.approx(80 + 70)


def test_fatigue_crop_stays_defined_in_profile() -> None:
    crop = fatigue_crop(upright_face(eye_distance=1))
    assert math.degrees(crop.angle_rad) == pytest.approx(0, abs=1)
    assert crop.side > 70


def test_boxes_and_crops_scale_with_the_face() -> None:
    box = landmark_box(np.array([[10, 20], [50, 80], [30, 30]], np.float32))
    assert box == Box(10, 20, 50, 80)
    assert eyes_crop(box).side == pytest.approx(90)
    assert distraction_crop(box).center_y > box.center[1]


@pytest.mark.parametrize("shape", [(360, 640), (960, 540), (16, 16), (2160, 3840), (1, 700)])
def test_letterbox_maps_frame_corners_into_the_input(shape: tuple[int, int]) -> None:
    out = np.full((160, 256), 99, np.uint8)
    fit = letterbox(np.full(shape, 255, np.uint8), out)
    x2, y2 = shape[1] * fit.scale + fit.pad_x, shape[0] * fit.scale + fit.pad_y
    assert 0 <= fit.pad_x <= x2 <= 256.5
    assert 0 <= fit.pad_y <= y2 <= 160.5
    assert set(np.unique(out)) <= {0, 255}
