from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from dms.config.assess import AvailabilityConfig
from dms.records import Box, Face, Frame, FrameState, ImageQuality, Luma, Observation
from dms.stages.quality import QualityStage
from dms.stages.scenery import RELEARN_S

FPS = 10
CONFIG = AvailabilityConfig()
DRIVER = Box(260.0, 100.0, 380.0, 260.0)


def cabin(seed: int = 0) -> Luma:
    """Edges all over, as in a cabin: blocks of many brightnesses, softened as by a lens."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(20, 220, (18, 32)).astype(np.uint8)
    return cv2.GaussianBlur(cv2.resize(blocks, (640, 360), interpolation=cv2.INTER_NEAREST), (0, 0), 0.7)


def noisy(image: Luma, seed: int, sigma: float = 1.5) -> Luma:
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def watched(
    images: Sequence[Luma], driver: Box | None = DRIVER, config: AvailabilityConfig = CONFIG
) -> list[ImageQuality]:
    stage, found = QualityStage(config), []
    for number, image in enumerate(images):
        now_s = number / FPS
        face = Face(now_s, driver, 0.9, tracked=True) if driver else None
        state = FrameState(
            Frame(number, now_s, image), Observation(now_s, number), Observation(now_s, 0, face=face)
        )
        quality = stage.run(state).seen.quality
        assert quality is not None
        found.append(quality)
    return found


def drive(seconds: float, image: Luma, first: int = 0) -> list[Luma]:
    return [noisy(image, first + number) for number in range(int(seconds * FPS))]


def test_levels_are_those_of_a_sparse_grid() -> None:
    image = cabin()
    image[:, :160] = 255
    [quality] = watched([image])
    grid = image[::8, ::8]
    assert quality.contrast == pytest.approx(grid.std(), rel=1e-9)
    assert quality.brightness == pytest.approx(grid.mean(), rel=1e-9)
    assert quality.saturated == pytest.approx(0.25, abs=0.01)


def test_a_picture_of_one_grey_has_no_contrast_and_no_detail() -> None:
    [quality] = watched([np.full((360, 640), 128, np.uint8)])
    assert (quality.contrast, quality.sharpness) == (0.0, 0.0)


@pytest.mark.parametrize("shape", [(2, 2), (45, 8), (360, 640), (1080, 1920)])
def test_any_size_can_be_measured(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 255, shape, dtype=np.uint8)
    assert watched([image, image])[1].contrast > 0


def test_blur_takes_the_detail() -> None:
    sharp, soft = (
        watched([cabin()])[0].sharpness,
        watched([cv2.GaussianBlur(cabin(), (0, 0), 6)])[0].sharpness,
    )
    assert sharp is not None
    assert soft is not None
    assert soft < 0.4 * sharp


def test_only_the_same_picture_again_has_no_change() -> None:
    image, other = cabin(), cabin()
    other[3, 3] += 1  # beside the grid
    changes = [quality.change for quality in watched([image, image, image, other, image, noisy(image, 1)])]
    assert changes[0] is None
    assert changes[2] == 0.0
    assert all(change is not None and change > 0 for change in (changes[1], *changes[3:]))


def test_noise_alone_is_a_change() -> None:
    assert all(quality.change != 0.0 for quality in watched(drive(3, cabin())))


def view(images: Sequence[Luma]) -> float:
    found = watched(images)[-1].view
    assert found is not None
    return found


def shifted(image: Luma, x_px: int, y_px: int) -> Luma:
    return np.roll(image, (y_px, x_px), axis=(0, 1))


@pytest.mark.parametrize("shift_px", [(60, 0), (-60, 0), (0, 60)])
def test_a_turned_camera_sees_another_view(shift_px: tuple[int, int]) -> None:
    known = drive(10, cabin())
    assert view(known) > 0.95
    assert view([*known, *drive(1, shifted(cabin(), *shift_px))]) < 0.5


@pytest.mark.parametrize(
    "change",
    [
        lambda image: (image * 0.5).astype(np.uint8),
        lambda image: np.clip(image * 1.15, 0, 255).astype(np.uint8),
        lambda image: (image * np.linspace(0.6, 1.1, 640) * 0.9).astype(np.uint8),
    ],
    ids=["half the light", "more light", "light from one side"],
)
def test_other_light_is_the_same_view(change: Callable[[Luma], Luma]) -> None:
    assert view([*drive(10, cabin()), *drive(1, change(cabin()))]) > 0.8


def test_neither_the_driver_nor_the_scenery_behind_a_window_is_the_view() -> None:
    images = drive(10, cabin())
    for number, image in enumerate(images):
        image[80:, 240:400] = cabin(100 + number)[80:, 240:400]
        image[:120, 400:] = cabin(200 + number)[:120, 400:]
    assert min(found.view for found in watched(images) if found.view is not None) > 0.9


def test_before_a_plain_wall_nothing_can_be_told() -> None:
    wall = np.tile(np.linspace(90, 140, 640), (360, 1)).astype(np.uint8)
    assert all(quality.view is None for quality in watched(drive(10, wall)))


def test_the_new_view_is_learned_in_time() -> None:
    images = [*drive(10, cabin()), *drive(RELEARN_S + 7, cabin(9))]
    found = [quality.view for quality in watched(images)]
    assert found[15 * FPS] is not None
    assert found[15 * FPS] < 0.5  # type: ignore[operator]
    assert found[-1] is not None
    assert found[-1] > 0.9


@pytest.mark.parametrize("limit", [{"dark_brightness": 200.0}, {"glare_saturated": 0.001}], ids=str)
def test_what_is_configured_as_dark_or_glaring_teaches_no_view(limit: dict[str, float]) -> None:
    images = drive(10, cabin())
    for image in images:
        image[:40, :40] = 255
    assert watched(images)[-1].view is not None
    assert {quality.view for quality in watched(images, config=AvailabilityConfig(**limit))} == {None}
