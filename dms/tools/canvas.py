"""Drawing with one unit for all sizes: smooth lines, text and panels that scale with the picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]
"""Blue, green, red."""
Image = NDArray[np.uint8]

WHITE: Color = (245, 245, 245)
GREY: Color = (170, 170, 170)
DARK: Color = (26, 24, 22)

_FONTS = {False: cv2.FONT_HERSHEY_SIMPLEX, True: cv2.FONT_HERSHEY_DUPLEX}
_CAP_HEIGHT = 21.0
_SUBPIXEL_BITS = 4
_SUBPIXELS = 1 << _SUBPIXEL_BITS


class Canvas:
    """A BGR picture to draw on. Sizes are in units of `unit` pixels; places are in pixels."""

    def __init__(self, image: Image, unit: float) -> None:
        self.image = image
        self.unit = unit

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.image.shape[0])

    def px(self, units: float) -> int:
        """Whole pixels of a length in units, at least one."""
        return max(1, round(units * self.unit))

    def text(
        self, text: str, x: float, y: float, size: float, color: Color = WHITE, *, bold: bool = False
    ) -> None:
        """Write from (x, y), the left end of the base line; `size` is the height of capitals in units."""
        scale = size * self.unit / _CAP_HEIGHT
        at = (round(x), round(y))
        cv2.putText(self.image, text, at, _FONTS[bold], scale, color, 1, cv2.LINE_AA)

    def text_width(self, text: str, size: float, *, bold: bool = False) -> int:
        """Pixels that `text` takes."""
        (width, _), _ = cv2.getTextSize(text, _FONTS[bold], size * self.unit / _CAP_HEIGHT, 1)
        return int(width)

    def fitted(self, text: str, width: float, size: float) -> str:
        """`text`, cut with dots where it is wider than `width` pixels."""
        if self.text_width(text, size) <= width:
            return text
        while text and self.text_width(f"{text}...", size) > width:
            text = text[:-1]
        return f"{text.rstrip()}..." if text else ""

    def panel(
        self, x1: float, y1: float, x2: float, y2: float, color: Color = DARK, alpha: float = 0.62
    ) -> None:
        """A translucent rectangle."""
        left, top = max(0, round(x1)), max(0, round(y1))
        part: NDArray[Any] = self.image[top : max(0, round(y2)), left : max(0, round(x2))]
        if part.size:
            part[:] = cv2.addWeighted(part, 1 - alpha, np.full_like(part, color), alpha, 0)

    def fill(self, x1: float, y1: float, x2: float, y2: float, color: Color) -> None:
        """An opaque rectangle."""
        if x2 > x1 and y2 > y1:
            self.panel(x1, y1, x2, y2, color, 1.0)

    def line(self, points: NDArray[Any], color: Color, width: float = 1.0, *, closed: bool = False) -> None:
        """A smooth line through points (n, 2) in pixels."""
        fixed = np.rint(np.clip(points, -1e4, 1e5) * _SUBPIXELS).astype(np.int32)
        cv2.polylines(self.image, [fixed], closed, color, self.px(width), cv2.LINE_AA, _SUBPIXEL_BITS)

    def dots(self, points: NDArray[Any], radius: float, color: Color, *, ring: bool = False) -> None:
        """A disc, or a ring, at each of points (n, 2) in pixels."""
        thickness = self.px(1) if ring else cv2.FILLED
        for x, y in np.rint(np.clip(points, -1e4, 1e5) * _SUBPIXELS).astype(int).tolist():
            reach = round(radius * self.unit * _SUBPIXELS)
            cv2.circle(self.image, (x, y), reach, color, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)

    def arrow(self, tail: NDArray[Any], tip: NDArray[Any], color: Color, width: float = 2.0) -> None:
        """An arrow on a dark rim, so that it stands out on skin and on sky."""
        if np.hypot(*np.subtract(tip, tail, dtype=np.float64)) < 3 * width * self.unit:
            self.dots(tip[None], width, color)  # it points at the viewer
            return
        for rim_color, rim in ((DARK, 1.5), (color, 0.0)):
            self.line(np.stack([tail, tip]), rim_color, width + rim)
            self.line(_arrow_head(tail, tip, 6 * self.unit), rim_color, width + rim)


def _arrow_head(tail: NDArray[Any], tip: NDArray[Any], size_px: float) -> NDArray[Any]:
    along = np.subtract(tip, tail, dtype=np.float64)
    length = float(np.hypot(*along))
    along = along / length
    size_px = min(size_px, length * 0.6)
    across = np.array([-along[1], along[0]])
    back = tip - along * size_px
    return np.stack([back + across * size_px * 0.6, tip, back - across * size_px * 0.6])
