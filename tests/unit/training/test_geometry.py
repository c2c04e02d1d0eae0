from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from dms.stages.tensors import Crop, cut  # noqa: E402 - after the check that torch is there
from dms.training import geometry  # noqa: E402
from dms.training.datasets.bank import ImageBank  # noqa: E402

CROP = Crop(101.5, 90.25, 130.0, 0.3)


def row(crop: Crop) -> torch.Tensor:
    return torch.tensor([[crop.center_x, crop.center_y, crop.side, crop.angle_rad]])


def picture() -> np.ndarray:
    noise = np.random.default_rng(4).integers(0, 255, (20, 24), dtype=np.uint8)
    return cv2.resize(noise, (240, 200), interpolation=cv2.INTER_CUBIC)


def bank(image: np.ndarray) -> ImageBank:
    blob = cv2.imencode(".png", image)[1].tobytes()
    return ImageBank([blob], torch.device("cpu"))


def test_matrix_is_the_run_times() -> None:
    assert geometry.crop_matrix(row(CROP), 112)[0].numpy() == pytest.approx(CROP.to_frame(112), abs=1e-4)


def test_batched_crops_are_the_run_times() -> None:
    image, out = picture(), np.zeros((96, 96), np.uint8)
    cut(image, CROP, out)
    crop, _ = bank(image).sample(torch.tensor([0]), geometry.crop_matrix(row(CROP), 96), 96, 96)
    # OpenCV rounds positions to 1/32 pixel.
    assert np.abs(crop[0, 0].numpy() - out).mean() < 1.0


def test_beyond_the_picture_is_black_and_masked() -> None:
    crop, mask = bank(picture()).sample(
        torch.tensor([0]), geometry.crop_matrix(row(Crop(0, 0, 100)), 50), 50, 50
    )
    assert float(crop[0, 0, :20, :20].abs().max()) == 0
    assert float(mask[0, 0, :20, :20].max()) == 0
    assert float(mask[0, 0, 30:, 30:].min()) == 1


def test_a_flipped_crop_is_the_mirror_image() -> None:
    store, index = bank(picture()), torch.tensor([0])
    plain, _ = store.sample(index, geometry.crop_matrix(row(CROP), 64), 64, 64)
    flip = torch.tensor([True])
    mirrored, _ = store.sample(index, geometry.crop_matrix(row(CROP), 64, flip), 64, 64)
    assert mirrored.flip(3).numpy() == pytest.approx(plain.numpy(), abs=0.05)


def test_crop_units_span_the_pixels_outer_edges() -> None:
    crop = Crop(50, 40, 20)
    corners = torch.tensor([[[40.0, 30.0], [60.0, 50.0], [50.0, 40.0]]])
    unit = geometry.to_unit(corners, geometry.crop_matrix(row(crop), 112), 112)
    assert unit[0].numpy() == pytest.approx(np.array([[0, 0], [1, 1], [0.5, 0.5]]), abs=1e-4)


@pytest.mark.parametrize(
    ("angle_deg", "flip", "expected"),
    [(0, False, (20, 10, 5)), (0, True, (-20, 10, -5)), (15, False, None)],
)
def test_turning_a_head(angle_deg: float, flip: bool, expected: tuple[float, ...] | None) -> None:
    head = torch.tensor([[20.0, 10.0, 5.0]])
    turned = geometry.turn_head(head, torch.deg2rad(torch.tensor([angle_deg])), torch.tensor([flip]))[0]
    if expected is not None:
        assert turned.numpy() == pytest.approx(expected, abs=1e-3)
    else:
        assert float(turned[2]) == pytest.approx(5 - angle_deg, abs=1e-4)


def test_a_quarter_turn_makes_right_into_up() -> None:
    look = torch.tensor([[30.0, 0.0]])
    turned = geometry.turn_direction(look, torch.tensor([torch.pi / 2]), torch.tensor([False]))[0]
    assert turned.numpy() == pytest.approx([0, 30], abs=1e-3)
