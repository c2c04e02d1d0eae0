"""The 60 named face points of the `eyes` engine, and the groups other modules use.

Left and right are the subject's own: the right eye is on the left side of an unmirrored image.
Each point also names its index in the 478-point face mesh, which is where its training labels come from.
"""

from __future__ import annotations

from types import MappingProxyType

_MESH_INDEX_BY_NAME = {
    # right eye: corners, upper lid (outer to inner), lower lid (outer to inner), iris centre
    "right_eye_outer": 33, "right_eye_inner": 133,
    "right_upper_lid_outer": 160, "right_upper_lid_mid": 159, "right_upper_lid_inner": 158,
    "right_lower_lid_outer": 144, "right_lower_lid_mid": 145, "right_lower_lid_inner": 153,
    "right_iris": 468,
    # left eye, same order
    "left_eye_outer": 263, "left_eye_inner": 362,
    "left_upper_lid_outer": 387, "left_upper_lid_mid": 386, "left_upper_lid_inner": 385,
    "left_lower_lid_outer": 373, "left_lower_lid_mid": 374, "left_lower_lid_inner": 380,
    "left_iris": 473,
    # brows, outer to inner
    "right_brow_0": 70, "right_brow_1": 63, "right_brow_2": 105, "right_brow_3": 66, "right_brow_4": 107,
    "left_brow_0": 300, "left_brow_1": 293, "left_brow_2": 334, "left_brow_3": 296, "left_brow_4": 336,
    # nose
    "nose_bridge": 168, "nose_tip": 1, "nose_base": 2,
    "right_nostril": 98, "left_nostril": 327,
    # mouth: outer ring, then inner ring
    "mouth_right": 61, "mouth_left": 291, "lip_top": 0, "lip_bottom": 17,
    "lip_top_right": 39, "lip_top_left": 269, "lip_bottom_right": 181, "lip_bottom_left": 405,
    "inner_mouth_right": 78, "inner_mouth_left": 308, "inner_lip_top": 13, "inner_lip_bottom": 14,
    "inner_lip_top_right": 82, "inner_lip_top_left": 312,
    "inner_lip_bottom_right": 87, "inner_lip_bottom_left": 317,
    # jaw, from the right temple over the chin to the left temple
    "right_temple": 127, "right_jaw_0": 234, "right_jaw_1": 132, "right_jaw_2": 172, "right_jaw_3": 150,
    "chin": 152,
    "left_jaw_3": 379, "left_jaw_2": 397, "left_jaw_1": 361, "left_jaw_0": 454, "left_temple": 356,
}  # fmt: skip

NAMES: tuple[str, ...] = tuple(_MESH_INDEX_BY_NAME)
MESH_INDEX: tuple[int, ...] = tuple(_MESH_INDEX_BY_NAME.values())
INDEX = MappingProxyType({name: i for i, name in enumerate(NAMES)})
COUNT = len(NAMES)


def indices(*names: str) -> tuple[int, ...]:
    """Positions of the named points in a landmark array; KeyError on a name that is no landmark."""
    return tuple(INDEX[name] for name in names)


def _swap_side(name: str) -> str:
    if "right" in name:
        return name.replace("right", "left")
    return name.replace("left", "right")


MIRROR: tuple[int, ...] = tuple(INDEX[_swap_side(name)] for name in NAMES)
"""Where each point goes when the image is mirrored left to right."""

RIGHT_EYE = indices(*(n for n in NAMES if n.startswith(("right_eye", "right_upper", "right_lower"))))
LEFT_EYE = indices(*(n for n in NAMES if n.startswith(("left_eye", "left_upper", "left_lower"))))
OUTER_EYE_CORNERS = indices("right_eye_outer", "left_eye_outer")
INNER_MOUTH = indices("inner_lip_top", "inner_lip_bottom", "inner_mouth_right", "inner_mouth_left")
