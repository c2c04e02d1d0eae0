"""Names for the parts of the 478-point face mesh that the simulator moves.

Left and right are the subject's own. Indices follow the public 478-point face mesh topology.
"""

from __future__ import annotations

from dataclasses import dataclass

FACE_POINTS = 478

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The rim of the face, clockwise in the image from the middle of the hairline."""


@dataclass(frozen=True, slots=True)
class EyePoints:
    """One eye: lid rims from the outer to the inner corner (corners included), the iris and its rim."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    iris: int
    iris_rim: tuple[int, ...]

    @property
    def ring(self) -> tuple[int, ...]:
        """The rim of the opening as a closed polygon."""
        return self.upper + self.lower[-2:0:-1]


RIGHT_EYE = EyePoints(
    upper=(33, 246, 161, 160, 159, 158, 157, 173, 133),
    lower=(33, 7, 163, 144, 145, 153, 154, 155, 133),
    iris=468,
    iris_rim=(469, 470, 471, 472),
)
LEFT_EYE = EyePoints(
    upper=(263, 466, 388, 387, 386, 385, 384, 398, 362),
    lower=(263, 249, 390, 373, 374, 380, 381, 382, 362),
    iris=473,
    iris_rim=(474, 475, 476, 477),
)

# Lip rows from the subject's right corner to the left one, from the opening outwards.
UPPER_LIP_ROWS = (
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292),
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
)
LOWER_LIP_ROWS = (
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292),
    (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
)
MOUTH_RING = UPPER_LIP_ROWS[0] + LOWER_LIP_ROWS[0][-2:0:-1]

RIGHT_EAR, LEFT_EAR = 234, 454
RIGHT_TEMPLE, LEFT_TEMPLE = 127, 356
FOREHEAD, CHIN = 10, 152
MOUTH_RIGHT, MOUTH_LEFT = 61, 291
NOSE_BRIDGE, NOSE_MID, NOSE_TIP = 168, 195, 1
