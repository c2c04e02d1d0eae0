"""How a driver is shown: where in the frame, and with what on face and in hand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """Where in the frame the driver is: neck at `center` (x, y) pixels, face `face_width` pixels wide."""

    center: tuple[float, float]
    face_width: float
    side_light: float = 0.0
    bright_pupil: float = 0.0


@dataclass(frozen=True, slots=True)
class Worn:
    """What the driver wears and holds: `phone` is "none", "ear" or "hand"; `lift` 0 to 1 raises the hand.

    `tint` is the share of the light that sunglasses keep back. `glasses` are clear ones.
    """

    sunglasses: bool = False
    tint: float = 0.95
    glasses: bool = False
    mask: bool = False
    phone: str = "none"
    phone_on_right: bool = True
    hand_on_face: bool = False
    lift: float = 1.0
