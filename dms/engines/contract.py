"""What every engine takes and gives: the one place where training and run time agree.

All engines take `image`, uint8 luma of shape (N, 1, height, width), scaled inside the graph.

`face`         the whole frame, letterboxed (`stages.tensors.letterbox`). One row an anchor point, strides 8,
               16, 32 in that order, each row-major: `score` (N, A) is the face probability; `box` (N, A, 4)
               holds (centre x, centre y) as offsets from the cell's centre and log(width), log(height), all
               in units of the stride; `points` (N, A, 10) five (x, y) offsets in strides: right eye, left
               eye, nose, right and left mouth corner. Decoding and suppression happen in `stages.face`.
`eyes`         a square crop of the face (`stages.tensors.eyes_crop`). `landmarks` (N, 60, 2) in units of the
               crop (0 to 1), order of `landmarks.NAMES`; `landmark_sigma` (N, 60) in the same unit;
               `openness` (N, 2), `openness_sigma` (N, 2), `visibility` (N, 2): right eye, left eye;
               `gaze` (N, 2) yaw, pitch in degrees; `gaze_sigma` (N, 1); `head` (N, 3) yaw, pitch, roll in
               degrees; `head_sigma` (N, 1); `presence` (N, 1) probability that the crop holds a face.
`fatigue`      a roll-aligned crop of eyes and mouth (`stages.tensors.fatigue_crop`). `state` (N, 5)
               probabilities: closed right, closed left, yawn, mouth covered, squint.
`distraction`  the driver region (`stages.tensors.distraction_crop`). `activity` (N, 6) probabilities that sum
               to 1: phone at ear, phone in hand, eating or drinking, smoking, hand on face, none.
"""

from __future__ import annotations

from dataclasses import dataclass

from dms import landmarks

STRIDES = (8, 16, 32)
FATIGUE_STATES = ("closed_right", "closed_left", "yawn", "mouth_covered", "squint")
ACTIVITIES = ("phone_at_ear", "phone_in_hand", "eating_drinking", "smoking", "hand_on_face", "none")


@dataclass(frozen=True, slots=True)
class EngineContract:
    """Input size in pixels and the shape of each output without its batch dimension."""

    height: int
    width: int
    outputs: dict[str, tuple[int, ...]]


def _anchors(height: int, width: int) -> int:
    return sum((height // s) * (width // s) for s in STRIDES)


CONTRACTS: dict[str, EngineContract] = {
    "face": EngineContract(
        160,
        256,
        {
            "score": (_anchors(160, 256),),
            "box": (_anchors(160, 256), 4),
            "points": (_anchors(160, 256), 10),
        },
    ),
    "eyes": EngineContract(
        112,
        112,
        {
            "landmarks": (landmarks.COUNT, 2),
            "landmark_sigma": (landmarks.COUNT,),
            "openness": (2,),
            "openness_sigma": (2,),
            "visibility": (2,),
            "gaze": (2,),
            "gaze_sigma": (1,),
            "head": (3,),
            "head_sigma": (1,),
            "presence": (1,),
        },
    ),
    "fatigue": EngineContract(96, 96, {"state": (len(FATIGUE_STATES),)}),
    "distraction": EngineContract(128, 128, {"activity": (len(ACTIVITIES),)}),
}
