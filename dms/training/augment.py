"""What a cabin does to a batch of pictures on the GPU: how often each of `effects` and `covers` is met.

Images are float (n, 1, height, width), 0 to 1. Randomness comes from torch's default generator, seeded once
by the trainer. `strength` (0 to 1) multiplies the shares: the loop lowers it towards the end of a run. Where
a task knows the eyes and the mouth (`Marks`: right eye, left eye, mouth in crop units), covers are worn where
they belong; without marks only patches and the wheel's rim are laid over the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from dms.training import covers, effects
from dms.training.covers import Marks

Effect = Callable[[Tensor], Tensor]
Cover = Callable[[Tensor, Marks], tuple[Tensor, Tensor]]

LIGHT: dict[str, tuple[Effect, float]] = {
    "tone": (effects.tone, 1.0), "low sun": (effects.low_sun, 0.2), "shadow": (effects.shadow, 0.1),
    "dark": (effects.dark, 0.12), "overexposed": (effects.overexposed, 0.06),
    "near infrared": (effects.infrared, 0.3),
}  # fmt: skip
"""Light, in the order it is met, and the share of the hard-lit pictures that meets it."""
HARD = 0.67
"""Share of a batch in hard light; the rest only varies a little in brightness."""
LENS: dict[str, tuple[Effect, float]] = {
    "defocus": (effects.defocus, 0.2), "motion blur": (effects.motion_blur, 0.2),
    "small face": (effects.coarse, 0.15),
}  # fmt: skip
SENSOR: dict[str, tuple[Effect, float]] = {
    "1 lux": (effects.night, 0.06), "noise": (effects.noisy, 0.1), "8 bits": (effects.sensor, 1.0),
    "JPEG": (effects.jpeg, 0.12),
}  # fmt: skip
COVERS: dict[str, tuple[Cover, float]] = {
    "patch": (covers.patch, 0.4), "wheel rim": (covers.wheel_rim, 0.1), "hand": (covers.hand, 0.15),
    "mask": (covers.mask, 0.08), "cap peak": (covers.cap_peak, 0.09), "sunglasses": (covers.sunglasses, 0.1),
    "second face": (covers.neighbour, 0.04), "printed face": (covers.print_beside, 0.04),
}  # fmt: skip
"""What covers a face, and its share among the covers; all but the first two need marks."""
ANYWHERE = ("patch", "wheel rim")
GLINTS = 0.05


def _rows(images: Tensor, share: float) -> Tensor:
    """Rows of a random share of the batch. The count is drawn on the host: nothing waits for the device."""
    count = int(len(images) * share + float(torch.rand(())))
    return torch.randperm(len(images), device=images.device)[:count]


def _met(images: Tensor, effect: Effect, share: float) -> Tensor:
    """The effect on a share of the batch, the rest as it was."""
    if share >= 1:
        return effect(images)
    rows = _rows(images, share)
    if not len(rows):
        return images
    return images.index_copy(0, rows, effect(images[rows]))


def photometric(images: Tensor, strength: float = 1.0, marks: Marks | None = None) -> Tensor:
    """Light, glints, lens, sensor; a third of the batch stays nearly as it was.

    Args:
        images: (n, 1, height, width), 0 to 1; sides are multiples of 8.
        strength: multiplies the share of pictures that meet an effect.
        marks: where the eyes are, for the glints; anywhere if None.
    """
    images = light(images, strength)
    rows = _rows(images, GLINTS * strength)
    if len(rows):
        eyes = None if marks is None else marks[rows, :2]
        images = images.index_copy(0, rows, effects.glints(images[rows], eyes))
    for effect, share in [*LENS.values(), *SENSOR.values()]:
        images = _met(images, effect, share if share == 1 else share * strength)
    return images.clamp(0, 1)


def light(images: Tensor, strength: float = 1.0) -> Tensor:
    """Another camera, sun, shadow, dusk, infrared lamp; a little brightness on the rest."""
    images = images * torch.exp(0.15 * effects.normal(images))
    return _met(images, _hard_light, HARD * strength)


def _hard_light(images: Tensor) -> Tensor:
    for effect, share in LIGHT.values():
        images = _met(images, effect, share)
    return images


def occlude(
    images: Tensor, share: float, marks: Marks | None = None, kinds: Sequence[str] | None = None
) -> tuple[Tensor, Tensor]:
    """Lay something over a share of the faces.

    Args:
        images: (n, 1, height, width), 0 to 1.
        share: of the batch.
        marks: right eye, left eye, mouth in crop units (n, 3, 2).
        kinds: names out of `COVERS`; all, or `ANYWHERE` without marks. Leave out what a net is asked for:
            no drawn hands for activities, no further faces for the detector unless they are labelled.

    Returns:
        The images and how much is hidden (n, 1, height, width), 0 to 1.
    """
    kinds = kinds or (ANYWHERE if marks is None else tuple(COVERS))
    where = torch.full((len(images), 3, 2), float("nan"), device=images.device) if marks is None else marks
    whole = sum(COVERS[k][1] for k in kinds)
    hidden = torch.zeros_like(images)
    order, start = torch.randperm(len(images), device=images.device), 0
    for name in kinds:
        put, part = COVERS[name]
        end = start + int(len(images) * share * part / whole + float(torch.rand(())))
        rows, start = order[start:end], end
        if len(rows):
            changed, cover = put(images[rows], where[rows])
            images, hidden = images.index_copy(0, rows, changed), hidden.index_copy(0, rows, cover)
    return images, hidden


def perspective(images: Tensor, amount: float = 0.2) -> tuple[Tensor, Tensor]:
    """Seen from a dash or pillar camera: one side or the lower edge nearer than the other.

    Returns:
        The images and homographies (n, 3, 3) for `moved`; labels that are points must move along.
    """
    n, device = len(images), images.device
    tilt = (torch.rand(n, 2, device=device) * 2 - 1) * amount
    home = torch.eye(3, device=device).repeat(n, 1, 1)
    home[:, 2, :2] = tilt
    x, y = effects.grid(images)
    flat = torch.stack([x[0, 0], y[0, 0], torch.ones_like(x[0, 0])]).flatten(1)
    seen = torch.einsum("nij,jk->nik", home, flat)
    where = (seen[:, :2] / seen[:, 2:]).transpose(1, 2).reshape(n, *images.shape[2:], 2)
    # Align the corners: `grid` counts pixel centres from -1 to 1.
    return F.grid_sample(images, where, padding_mode="border", align_corners=True), torch.linalg.inv(home)


def moved(points: Tensor, homography: Tensor) -> Tensor:
    """Points (n, k, 2) in crop units, where `perspective` brought them."""
    flat = torch.cat([points * 2 - 1, torch.ones_like(points[..., :1])], 2)
    seen = torch.einsum("nij,nkj->nki", homography, flat)
    return (seen[..., :2] / seen[..., 2:] + 1) / 2


def surround(images: Tensor, mask: Tensor, backgrounds: Tensor) -> Tensor:
    """Fill what lies beyond the picture: with a background, plain grey, or black as the run time does."""
    kind = effects.uniform(images)
    fill = torch.where(
        kind < 0.5, backgrounds, torch.where(kind < 0.7, effects.uniform(images), torch.zeros_like(kind))
    )
    return images * mask + fill * (1 - mask)


def covered_at(cover: Tensor, unit: Tensor) -> Tensor:
    """How much of points (n, k, 2) in crop units lies hidden under the cover, shape (n, k)."""
    height, width = cover.shape[2:]
    x = (unit[..., 0] * width).long().clamp(0, width - 1)
    y = (unit[..., 1] * height).long().clamp(0, height - 1)
    return cover[:, 0].flatten(1).gather(1, y * width + x)
