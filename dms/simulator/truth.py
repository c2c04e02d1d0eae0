"""The exact truth of one simulated frame."""

from __future__ import annotations

from dataclasses import dataclass

from dms.records import Box
from dms.simulator.geometry import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is so in one frame; angles follow `dms.records`.

    Attributes:
        frame: number, from 0.
        captured_s: seconds from the start.
        head: yaw, pitch, roll in degrees against the line of sight.
        gaze: yaw, pitch in degrees of the eyes against the line of sight, head included.
        openness: right and left lid, 0 closed to 1; lids that follow a gaze downwards are not closing.
        mouth_open: inner-lip height over width.
        landmarks: (60, 2) pixels, order of `landmarks.NAMES`.
        visibility: right and left eye, 0 or 1.
        box: around the face, pixels.
        phone: "none", "ear" or "hand".
        mask: whether the mouth is covered.
        sunglasses: whether the eyes are.
        blocked: whether the camera sees nothing.
        absent: whether the driver is out of the picture; face, eyes and mouth then mean nothing.
        events: names of the scripted events that are going on.
    """

    frame: int
    captured_s: float
    head: tuple[float, float, float]
    gaze: tuple[float, float]
    openness: tuple[float, float]
    mouth_open: float
    landmarks: Floats
    visibility: tuple[float, float]
    box: Box
    phone: str
    mask: bool
    sunglasses: bool
    blocked: bool
    absent: bool
    events: tuple[str, ...]

    def to_dict(self, landmarks: bool = True) -> dict[str, object]:
        """Plain values for JSON, rounded; what cannot be known of an absent driver is None."""
        row: dict[str, object] = {"frame": self.frame, "captured_s": round(self.captured_s, 4)}
        row |= self._driver(landmarks) if not self.absent else dict.fromkeys(_OF_DRIVER)
        return row | {
            "phone": self.phone,
            "mask": self.mask,
            "sunglasses": self.sunglasses,
            "blocked": self.blocked,
            "absent": self.absent,
            "events": list(self.events),
        }

    def _driver(self, landmarks: bool) -> dict[str, object]:
        box = self.box
        row: dict[str, object] = {
            "head_deg": [round(v, 1) for v in self.head],
            "gaze_deg": [round(v, 1) for v in self.gaze],
            "openness": [round(v, 2) for v in self.openness],
            "visibility": [int(v) for v in self.visibility],
            "mouth_open": round(self.mouth_open, 2),
            "box": [round(v, 1) for v in (box.x1, box.y1, box.x2, box.y2)],
        }
        if landmarks:
            row["landmarks"] = [[round(float(x), 1), round(float(y), 1)] for x, y in self.landmarks]
        return row


_OF_DRIVER = ("head_deg", "gaze_deg", "openness", "visibility", "mouth_open", "box")
