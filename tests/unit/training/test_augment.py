from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="augmentation runs on torch")

from dms.training import augment, covers, effects  # noqa: E402 - after the check that torch is there

MARKS = torch.tensor([[0.35, 0.4], [0.65, 0.4], [0.5, 0.7]])
SIZE = 96


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(4)


@pytest.fixture
def images() -> torch.Tensor:
    ramp = torch.linspace(0.2, 0.8, SIZE)[None, None, None, :].expand(16, 1, SIZE, SIZE)
    return (ramp + 0.02 * torch.randn(16, 1, SIZE, SIZE)).clamp(0, 1).contiguous()


@pytest.fixture
def marks() -> torch.Tensor:
    return MARKS.repeat(16, 1, 1)


EFFECTS = augment.LIGHT | augment.LENS | augment.SENSOR


@pytest.mark.parametrize("name", [n for n in EFFECTS if n != "8 bits"])
def test_each_effect_changes_every_picture(images: torch.Tensor, name: str) -> None:
    changed = EFFECTS[name][0](images)
    assert changed.shape == images.shape
    assert changed.isfinite().all()
    assert ((changed - images).abs().amax((1, 2, 3)) > 0.01).all()


def test_shadow_takes_light_and_sun_gives_it(images: torch.Tensor) -> None:
    assert (effects.shadow(images).mean((1, 2, 3)) < images.mean((1, 2, 3))).all()
    assert (effects.low_sun(images).mean((1, 2, 3)) > images.mean((1, 2, 3))).all()


def test_blur_keeps_the_light_and_takes_the_grain(images: torch.Tensor) -> None:
    for blurred in (effects.defocus(images), effects.motion_blur(images)):
        assert torch.allclose(blurred.mean((2, 3)), images.mean((2, 3)), atol=0.01)
        assert ((blurred[..., 1:] - blurred[..., :-1]).std((1, 2, 3)) < 0.02).all()


def test_jpeg_keeps_what_blocks_can_hold() -> None:
    flat = torch.full((4, 1, 16, 24), 0.5)
    assert torch.allclose(effects.jpeg(flat), flat, atol=0.06)
    basis = effects._cosines(flat.device)
    assert torch.allclose(basis @ basis.T, torch.eye(8), atol=1e-5)


def test_closed_eyes_have_no_bright_pupils(images: torch.Tensor, marks: torch.Tensor) -> None:
    shut = torch.zeros(16, 2)
    assert torch.equal(effects.bright_pupils(images, marks[:, :2], shut), images)
    bright = effects.bright_pupils(images, marks[:, :2], torch.ones(16, 2)) - images
    y, x = int(0.4 * SIZE), int(0.35 * SIZE)
    assert (bright[:, 0, y, x] > 0.2).all()
    assert bright[:, 0, int(0.7 * SIZE)].abs().max() < 0.01


HIDES = {"mask": [0, 0, 1], "cap peak": [0, 0, 0]}


@pytest.mark.parametrize("name", HIDES)
def test_what_is_worn_hides_its_place(images: torch.Tensor, marks: torch.Tensor, name: str) -> None:
    _, hidden = augment.COVERS[name][0](images, marks)
    at = augment.covered_at(hidden, marks)
    assert (at[:, 2] == HIDES[name][2]).all()
    if name == "mask":
        assert (at[:, :2] == 0).all()
    assert (hidden.amax((1, 2, 3)) == 1).all()


def test_dark_glasses_hide_the_eyes_and_clear_ones_do_not(images: torch.Tensor, marks: torch.Tensor) -> None:
    many = images.repeat(8, 1, 1, 1)
    worn, hidden = covers.sunglasses(many, marks.repeat(8, 1, 1))
    at = augment.covered_at(hidden, marks.repeat(8, 1, 1))
    assert (at[:, 2] == 0).all()
    assert torch.equal(at[:, 0], at[:, 1])
    assert {0.0, 1.0} <= set(at[:, 0].tolist())
    y, x = int(0.42 * SIZE), int(0.35 * SIZE)
    assert (worn[at[:, 0] == 1, 0, y, x] < 0.8 * many[at[:, 0] == 1, 0, y, x]).all()


def test_unknown_places_are_left_alone(images: torch.Tensor) -> None:
    nowhere = torch.full((16, 3, 2), float("nan"))
    for name in ("mask", "sunglasses", "cap peak", "hand"):
        worn, hidden = augment.COVERS[name][0](images, nowhere)
        assert worn.isfinite().all()
        assert hidden.isfinite().all()


def test_covers_meet_the_share_asked_for(images: torch.Tensor, marks: torch.Tensor) -> None:
    many = images.repeat(20, 1, 1, 1)
    changed, hidden = augment.occlude(many, 0.5, marks.repeat(20, 1, 1), kinds=("mask", "hand"))
    touched = (changed != many).flatten(1).any(1)
    assert 0.4 < touched.float().mean() <= 0.52
    assert (hidden.flatten(1).amax(1)[~touched] == 0).all()
    same, nothing = augment.occlude(images, 0.0)
    assert torch.equal(same, images)
    assert nothing.sum() == 0


def test_the_whole_chain_is_repeatable_and_in_range(images: torch.Tensor, marks: torch.Tensor) -> None:
    torch.manual_seed(1)
    first = augment.photometric(images, 1.0, marks)
    torch.manual_seed(1)
    assert torch.equal(augment.photometric(images, 1.0, marks), first)
    assert 0 <= first.min() <= first.max() <= 1


def test_without_strength_only_brightness_and_grain_change(images: torch.Tensor) -> None:
    calm = augment.photometric(images, 0.0)
    ratio = calm.mean((1, 2, 3)) / images.mean((1, 2, 3))
    restored = calm / ratio[:, None, None, None]
    assert (restored - images).abs().mean() < 0.05


def test_points_move_with_the_perspective() -> None:
    spots = torch.zeros(12, 1, 64, 64)
    spots[:, 0, 40, 20] = 1
    spots = torch.nn.functional.avg_pool2d(spots, 5, 1, 2)
    seen, homography = augment.perspective(spots, 0.3)
    # `grid` counts pixel centres from -1 to 1.
    points = augment.moved(torch.tensor([[[20 / 63, 40 / 63]]]).repeat(12, 1, 1), homography)[:, 0] * 63
    mass = seen / seen.sum((2, 3), keepdim=True).clamp_min(1e-6)
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    center = torch.stack([(mass[:, 0] * x).sum((1, 2)), (mass[:, 0] * y).sum((1, 2))], 1)
    assert torch.allclose(center, points, atol=0.7)
