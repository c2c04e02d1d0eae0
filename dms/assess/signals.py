"""The names alert rules are written over, with their meaning and unit."""

from __future__ import annotations

from types import MappingProxyType

SIGNALS = MappingProxyType(
    {
        "openness": "Lid opening of the more open eye against this driver's open level, 0 to 1.",
        "closure_s": "Seconds both eyes have been closed in this closure; 0 while open.",
        "mean_closure_s": "Mean length of the closures of the last minute, blinks included, seconds.",
        "blinks_per_min": "Blinks per minute of seen eyes, over the last minute.",
        "perclos_60s": "Share (0 to 1) of the seen time of the last 60 s with lids 80 % closed, no blinks.",
        "perclos_180s": "The same over the last 180 s.",
        "yawn_s": "Seconds of the present yawn; 0 while none.",
        "yawns_10min": "Yawns in the last ten minutes.",
        "off_road_s": "Seconds of the present glance off the road; 0 while on the road.",
        "off_road_30s": "Seconds off the road in the last 30 s, emptied by 2 s on the road (VATS).",
        "phone_s": "Seconds of the present phone use; 0 while none.",
        "no_face_s": "Seconds without a face.",
        "eyes_hidden_s": "Seconds with a face whose two eyes cannot be read.",
        "blocked_s": "Seconds with a picture that shows nothing.",
        "stale_s": "Seconds without fresh results although there is a face.",
        "calibrating": "1 while this driver's baseline is not yet usable, else 0.",
    }
)
