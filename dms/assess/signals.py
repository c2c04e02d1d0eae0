"""The names alert rules are written over, with their meaning, unit and range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

from dms.records import Signal

UNKNOWN = Signal(None)
"""The signal of what is not known."""
NOTHING = Signal(0.0)
"""The signal of what does not last."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a signal tells, with its unit, and between which values it lies, both ends included."""

    text: str
    most: float = math.inf
    least: float = 0.0

    @property
    def range(self) -> str:
        """The range in words."""
        return f"{self.least:g} and more" if math.isinf(self.most) else f"{self.least:g} to {self.most:g}"


LIDS = MappingProxyType(
    {
        "openness": Meaning(
            "Lid opening of the more open eye against this driver's open level, 0 to 1.", most=1.0
        ),
        "closure_s": Meaning("Seconds both eyes have been closed in this closure; 0 while open."),
        "closure_lost_s": Meaning(
            "Seconds since the face was lost in the middle of a closure; 0 where it was not."
        ),
        "mean_closure_s": Meaning(
            "Mean length of the closures of the last minute, blinks included, seconds."
        ),
        "blinks_per_min": Meaning("Blinks per minute of seen eyes, over the last minute."),
        "blink_s": Meaning(
            "Median length of the last minute's blinks, seconds; unknown below 15 frames a second."
        ),
        "long_blink_share": Meaning(
            "Share (0 to 1) of the closures of the last minute that lasted above 0.5 s.", most=1.0
        ),
        "perclos_60s": Meaning(
            "Share (0 to 1) of the seen time of the last 60 s with lids 80 % closed, no blinks.", most=1.0
        ),
        "perclos_180s": Meaning("The same over the last 180 s.", most=1.0),
        "yawn_s": Meaning("Seconds of the present yawn, hand before the mouth or not; 0 while none."),
        "yawns_10min": Meaning("Yawns in the last ten minutes."),
        "nods_10min": Meaning(
            "Nods, the head sinking with the lids low and jerking up, in the last ten minutes."
        ),
        "kss_low": Meaning(
            "Lower end of the estimated band on the Karolinska Sleepiness Scale, 1 to 9.", most=9.0, least=1.0
        ),
        "kss_high": Meaning("Upper end of that band.", most=9.0, least=1.0),
        "kss_confidence": Meaning("Confidence in that band, 0 to 1.", most=1.0),
    }
)
"""Of eyes, mouth and drowsiness."""

GLANCES = MappingProxyType(
    {
        "off_road_s": Meaning(
            "Seconds of the present glance off the road; the first on a mirror or gauge is free."
        ),
        "off_road_30s": Meaning(
            "Seconds off the road in the last 30 s, emptied by 2 s on the road (VATS).", most=30.0
        ),
        "glance_s": Meaning(
            "Seconds of the present glance off the road, whatever it is on; 0 while on the road."
        ),
        "off_task_s": Meaning(
            "Seconds since the driver last watched road, mirrors or windows for 0.2 s (R171)."
        ),
        "area3_s": Meaning("Seconds of the gaze more than 30 degrees down, within 55 to each side (ADDW)."),
        "attend_buffer_s": Meaning("What is left of the AttenD buffer: 2 s full, 0 s distracted.", most=2.0),
        "glances_60s": Meaning("Glances off the road in the last minute."),
        "mean_glance_s": Meaning("Mean length of the glances of the last minute, seconds."),
        "phone_s": Meaning("Seconds of the present phone use; 0 while none."),
        "eating_s": Meaning("Seconds of the present eating or drinking; 0 while none."),
        "smoking_s": Meaning("Seconds of the present smoking; 0 while none."),
    }
)
"""Of gaze, head and hands."""

SENSING = MappingProxyType(
    {
        "no_face_s": Meaning("Seconds without a face."),
        "two_drivers_s": Meaning("Seconds with two faces of which either may be the driver's."),
        "eyes_hidden_s": Meaning("Seconds with a face whose two eyes cannot be read."),
        "glare_s": Meaning("Seconds with so much of the picture saturated that the driver is not seen well."),
        "dark_s": Meaning("Seconds too dark to see the driver."),
        "blocked_s": Meaning("Seconds with a picture that shows nothing."),
        "frozen_s": Meaning("Seconds with the same picture again and again."),
        "defocused_s": Meaning("Seconds without fine detail in the picture."),
        "camera_moved_s": Meaning(
            "Seconds since the view changed for good, until it is learned anew; 0 otherwise."
        ),
        "stale_s": Meaning("Seconds without fresh results although there is a face."),
        "overload_s": Meaning("Seconds with fewer judgements than closures need (5 a second)."),
        "fault_s": Meaning("Seconds with an engine failing or no picture from the camera."),
        "calibrating": Meaning("1 while this driver's baseline is not yet usable, else 0.", most=1.0),
        "unknown_s": Meaning(
            "Seconds the driver has not been fully judged, whatever the cause; 0 while he is."
        ),
    }
)
"""Of what can be judged at all."""

DRIVING = MappingProxyType(
    {
        "speed_kmh": Meaning("Speed of the vehicle, km/h; unknown counts as fast.", most=500.0),
        "speed_unknown_s": Meaning(
            "Seconds without a trustworthy speed although a source of it is configured."
        ),
        "reversing": Meaning("1 while the vehicle reverses, else 0.", most=1.0),
    }
)
"""Of the vehicle."""

SIGNALS = MappingProxyType({**LIDS, **GLANCES, **SENSING, **DRIVING})
"""All of them."""
