"""One picture of a posed driver, and where the 60 landmarks are in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dms.landmarks import MESH_INDEX
from dms.records import Box
from dms.simulator import mesh, props
from dms.simulator.eye import eye_colours, paint_eye, paint_mouth
from dms.simulator.geometry import Floats, direction
from dms.simulator.portrait import Image, Portrait
from dms.simulator.raster import Layer, blend, paint, region
from dms.simulator.rig import Eyeball, Pose, Rig
from dms.simulator.view import View, Worn

_FAR_EYE_YAW_DEG = 50.0
"""Beyond this turn the nose and the head's own curve hide the far eye."""
_FAINT_TINT, _BLIND_TINT = 0.5, 0.85
"""Eyes are fully seen through sunglasses up to the first tint and not at all from the second on."""
_LAMP = np.array([-0.2, -0.5, -0.8], np.float32)
"""Where the light comes from when the head turns under it."""
_NECK_FOLLOWS = 0.25
"""Share of the head's slope that neck and shoulders take part in."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What is where in the picture: landmarks (60, 2) pixels, the face box, visibility of right, left eye."""

    landmarks: Floats
    box: Box
    visibility: tuple[float, float]
    mouth_open: float


class Renderer:
    """Draws one portrait in any pose."""

    def __init__(self, portrait: Portrait) -> None:
        """Prepare the rig and sample the colours of the eyes."""
        self.rig = Rig(portrait)
        photo = portrait.photo
        flat = portrait.vertices[:, :2]
        self._colours = {
            eye.points.iris: eye_colours(
                photo, flat[list(eye.points.ring)], flat[eye.points.iris], eye.iris_radius
            )
            for eye in (self.rig.right, self.rig.left)
        }
        cheeks = flat[[50, 280, 205, 425]].astype(int)
        self.skin = np.median(photo[cheeks[:, 1], cheeks[:, 0]], axis=0).astype(np.float32)
        self._masked = props.mask_triangles(self.rig)

    def render(self, frame: Image, pose: Pose, view: View, worn: Worn) -> Shape:
        """Draw the driver over `frame` (BGR, in place) and say what is where."""
        rig = self.rig
        scale = view.face_width / rig.width
        turn = pose.turn
        points = rig.vertices(pose)
        for eye in (rig.right, rig.left):
            points[eye.points.iris] = rig.iris(eye, pose)
        pixels = rig.to_image(points, turn, scale, view.center)
        light = _light(rig.normals @ turn.T, rig.photo_normals, view.side_light)
        self._body(frame, pose, view, scale)
        layer = paint(
            rig.portrait.photo, pixels, (points @ turn.T)[:, 2], light, rig.portrait.uv,
            rig.portrait.triangles, (frame.shape[1], frame.shape[0]),
        )  # fmt: skip
        if layer is not None:
            self._head(frame, layer, pixels, pose, view, worn, light)
        hand = props.draw_worn(frame, rig, points, turn, scale, view, worn, self.skin)
        return _shape(pixels, points, _visibility(pixels, pose, worn, hand))

    def _head(
        self, frame: Image, layer: Layer, pixels: Floats, pose: Pose, view: View, worn: Worn, light: Floats
    ) -> None:
        visible = np.zeros(frame.shape[:2], np.float32)
        height, width = layer.cover.shape
        hole = cv2.dilate((layer.triangle < 0).astype(np.float32), np.ones((3, 3)))
        colour = layer.colour
        visible[layer.y : layer.y + height, layer.x : layer.x + width] = hole
        cover = self._fill_holes(layer, pixels)
        if worn.mask:
            mouth = pixels[list(mesh.MOUTH_RING)]
            colour = props.cloth(layer, self._masked, mouth, light, self.rig.portrait.triangles)
        blend(frame, colour, cover, layer.x, layer.y)
        for eye in (self.rig.right, self.rig.left):
            self._eye(frame, eye, pixels, pose, view, visible, light)
        if not worn.mask:
            upper, lower = mesh.UPPER_LIP_ROWS[0], mesh.LOWER_LIP_ROWS[0]
            paint_mouth(frame, pixels[list(upper)], pixels[list(lower)], visible, float(light[mesh.NOSE_TIP]))

    def _fill_holes(self, layer: Layer, pixels: Floats) -> Floats:
        """Cover of the head with its eye and mouth openings covered, so that no seat shines through."""
        solid = (layer.cover * 255).astype(np.uint8)
        corner = np.array([layer.x, layer.y], np.float32)
        for ring in (mesh.RIGHT_EYE.ring, mesh.LEFT_EYE.ring, mesh.MOUTH_RING):
            cv2.fillPoly(solid, [np.rint(pixels[list(ring)] - corner).astype(np.int32)], 255)
        return np.asarray(solid * np.float32(1 / 255), np.float32)

    def _eye(
        self, frame: Image, eye: Eyeball, pixels: Floats, pose: Pose, view: View, visible: Floats,
        light: Floats,
    ) -> None:  # fmt: skip
        points = eye.points
        ring = pixels[list(points.ring)]
        inner_is_right = pixels[points.upper[-1], 0] > pixels[points.upper[0], 0]
        if (
            inner_is_right != (points is mesh.RIGHT_EYE)
            or region(ring, (frame.shape[1], frame.shape[0])) is None
        ):
            return
        paint_eye(
            frame, self._colours[points.iris], pixels[list(points.upper)], pixels[list(points.lower)],
            pixels[points.iris], eye.iris_radius * view.face_width / self.rig.width,
            pose.turn @ direction(pose.gaze_yaw_deg, pose.gaze_pitch_deg), visible,
            float(light[list(points.ring)].mean()), view.bright_pupil,
        )  # fmt: skip

    def _body(self, frame: Image, pose: Pose, view: View, scale: float) -> None:
        portrait = self.rig.portrait
        lean = np.radians(pose.roll_deg * _NECK_FOLLOWS)
        c, s = np.cos(lean) * scale, np.sin(lean) * scale
        x, y = self.rig.origin[:2]
        place = np.array([[c, -s, view.center[0] - c * x + s * y], [s, c, view.center[1] - s * x - c * y]])
        moved = cv2.warpAffine(portrait.body, place, (frame.shape[1], frame.shape[0]), flags=cv2.INTER_LINEAR)
        top = max(0, int(view.center[1] - 0.8 * view.face_width))
        body = np.asarray(moved[top:], np.uint8)
        blend(frame[top:], body[..., :3], body[..., 3] * np.float32(1 / 255), 0, 0)


def _light(normals: Floats, photo_normals: Floats, side: float) -> Floats:
    """Light on every vertex: the photograph's own, changed by the turn and by a lamp from one side."""
    soft = 1 + 0.22 * ((normals - photo_normals) @ _LAMP)
    return np.asarray(np.clip(soft * (1 + side * normals[:, 0] * 0.85), 0.12, 2.2), np.float32)


def _visibility(pixels: Floats, pose: Pose, worn: Worn, hand: Floats | None) -> tuple[float, float]:
    """Right and left eye: 0 behind dark glasses or a hand, or on the far side of a turned head."""
    seen = []
    through = float(np.clip((_BLIND_TINT - worn.tint) / (_BLIND_TINT - _FAINT_TINT), 0, 1))
    for eye, far in ((mesh.RIGHT_EYE, -pose.yaw_deg), (mesh.LEFT_EYE, pose.yaw_deg)):
        covered = hand is not None and _at(hand, pixels[eye.iris]) > 0.5
        bare = 0.0 if covered or far > _FAR_EYE_YAW_DEG else 1.0
        seen.append(bare * through if worn.sunglasses else bare)
    return seen[0], seen[1]


def _at(cover: Floats, point: Floats) -> float:
    x, y = (int(v) for v in np.rint(point))
    inside = 0 <= y < cover.shape[0] and 0 <= x < cover.shape[1]
    return float(cover[y, x]) if inside else 0.0


def _shape(pixels: Floats, points: Floats, visibility: tuple[float, float]) -> Shape:
    face = pixels[list(mesh.OVAL)]
    height = np.linalg.norm(points[14] - points[13])
    width = np.linalg.norm(points[308] - points[78])
    return Shape(
        landmarks=pixels[list(MESH_INDEX)],
        box=Box(*(float(v) for v in (*face.min(0), *face.max(0)))),
        visibility=visibility,
        mouth_open=float(height / max(width, 1e-6)),
    )
