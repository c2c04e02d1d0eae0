"""Moving the mesh: lids, jaw, eyeballs and the whole head, in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dms.simulator import mesh
from dms.simulator.geometry import Floats, direction, direction_angles, project, rotation, smooth, unproject
from dms.simulator.portrait import Portrait

_JAW_MAX_RAD = np.radians(20.0)
_JAW_MAX_SLIDE = 0.11
"""A full yawn turns the jaw by about this much and lets it slide down, in face widths."""
_LID_MEET = 0.8
"""The lids meet at this share of the opening, from above: the upper lid travels most of the way."""
_EYE_PER_IRIS = 2.05
"""Radius of the eyeball over that of the iris (12 mm / 5.85 mm)."""
_UPPER_FOLLOWS, _LOWER_FOLLOWS = 0.95, 0.5
"""How far the lids go along with a gaze that rises or falls, over the way of the eyeball's front: the upper
lid keeps its distance from the pupil, the lower one goes about half of the way."""


@dataclass(frozen=True, slots=True)
class Pose:
    """What the driver's head does.

    Attributes:
        yaw_deg, pitch_deg, roll_deg: head against the line of sight from the camera.
        gaze_yaw_deg, gaze_pitch_deg: eyes against the head.
        open_right, open_left: lids, 0 closed to 1 as open as in the portrait. Lids lowered because the gaze
            goes down do not count as closing.
        jaw: 0 lips together to 1 a full yawn.
    """

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    gaze_yaw_deg: float = 0.0
    gaze_pitch_deg: float = 0.0
    open_right: float = 1.0
    open_left: float = 1.0
    jaw: float = 0.0

    @property
    def turn(self) -> Floats:
        """Rotation of the head, (3, 3)."""
        return rotation(self.yaw_deg, self.pitch_deg, self.roll_deg)

    @property
    def gaze_in_camera(self) -> tuple[float, float]:
        """Total yaw and pitch of the gaze against the line of sight, degrees."""
        return direction_angles(self.turn @ direction(self.gaze_yaw_deg, self.gaze_pitch_deg))


@dataclass(frozen=True, slots=True, eq=False)
class Eyeball:
    """One eye of the rig, in head axes and portrait pixels."""

    points: mesh.EyePoints
    center: Floats
    radius: float
    iris_radius: float
    width: float
    close: Floats  # (n, 3): where full closure moves every vertex
    upper_drop: Floats  # (n,): how far every vertex sinks with the middle of the upper lid
    lower_drop: Floats  # (n,): the same for the lower lid

    def lids(self, opening: float, gaze_pitch_deg: float) -> Floats:
        """Displacement (n, 3) of all vertices: both lids follow the gaze, then close towards each other."""
        closed = 1 - float(np.clip(opening, 0, 1.2))
        way = -self.radius * float(np.sin(np.radians(gaze_pitch_deg)))
        upper, lower = _UPPER_FOLLOWS * way, _LOWER_FOLLOWS * way
        meet = _LID_MEET * lower + (1 - _LID_MEET) * upper
        motion: Floats = self.close * np.float32(closed)
        motion[:, 1] += self.upper_drop * (upper + (meet - upper) * closed)
        motion[:, 1] += self.lower_drop * (lower + (meet - lower) * closed)
        return motion


class Rig:
    """A portrait prepared for moving: everything that does not depend on the pose is computed once."""

    def __init__(self, portrait: Portrait) -> None:
        """Bring the portrait into head axes (origin at the neck, face along -z)."""
        self.portrait = portrait
        turn = rotation(*portrait.pose)
        vertices = portrait.vertices
        ears = vertices[[mesh.RIGHT_EAR, mesh.LEFT_EAR]]
        self.width = float(np.linalg.norm(ears[1] - ears[0]))
        self.origin = ears.mean(0) + turn @ np.array([0, 0.25, 0.1], np.float32) * self.width
        space = unproject(vertices - self.origin, portrait.distance) @ turn
        self.right = _eyeball(space, mesh.RIGHT_EYE)
        self.left = _eyeball(space, mesh.LEFT_EYE)
        self.jaw_weight = _jaw_weight(space)
        self.rest = space + _lips_together(space)
        self.hinge = space[[mesh.RIGHT_EAR, mesh.LEFT_EAR]].mean(0)
        self.normals = _normals(space, portrait.triangles)
        self.photo_normals = self.normals @ turn.T

    def vertices(self, pose: Pose) -> Floats:
        """All vertices (n, 3) in head axes with lids and jaw moved."""
        points = self._with_jaw(float(np.clip(pose.jaw, 0, 1)))
        for eye, opening in ((self.right, pose.open_right), (self.left, pose.open_left)):
            points = points + eye.lids(opening, pose.gaze_pitch_deg)
        return points

    def _with_jaw(self, jaw: float) -> Floats:
        if jaw == 0:
            return self.rest
        angle = jaw * _JAW_MAX_RAD * self.jaw_weight
        arm = self.rest - self.hinge
        c, s = np.cos(angle), np.sin(angle)
        opened: Floats = self.rest.copy()
        slide = jaw * _JAW_MAX_SLIDE * self.width * self.jaw_weight
        opened[:, 1] = self.hinge[1] + c * arm[:, 1] - s * arm[:, 2] + slide
        opened[:, 2] = self.hinge[2] + s * arm[:, 1] + c * arm[:, 2]
        _narrow(opened, jaw)
        return opened

    def iris(self, eye: Eyeball, pose: Pose) -> Floats:
        """Centre (3,) of the iris in head axes."""
        gaze = direction(pose.gaze_yaw_deg, pose.gaze_pitch_deg)
        return np.asarray(eye.center + 0.92 * eye.radius * gaze, np.float32)

    def to_image(self, points: Floats, turn: Floats, scale: float, center: tuple[float, float]) -> Floats:
        """Pixels (n, 2) of points (n, 3) in head axes; `center` is where the neck is."""
        return project(points @ turn.T, self.portrait.distance) * scale + np.array(center, np.float32)


def _eyeball(space: Floats, points: mesh.EyePoints) -> Eyeball:
    corners = space[[points.upper[0], points.upper[-1]]]
    width = float(np.linalg.norm(corners[1] - corners[0]))
    rim = space[list(points.iris_rim), :2] - space[points.iris, :2]
    iris_radius = float(np.clip(np.linalg.norm(rim, axis=1).mean(), 0.17 * width, 0.24 * width))
    radius = _EYE_PER_IRIS * iris_radius
    lids = space[list(points.ring)].mean(0)
    center = np.array([corners[:, 0].mean(), 0.5 * (corners[:, 1].mean() + lids[1]), lids[2] + 0.72 * radius])
    upper, lower = _lid_weights(space, points, width)
    close = _closure(space, points, upper, lower)
    arch = _arch(space, points)
    return Eyeball(
        points, center.astype(np.float32), radius, iris_radius, width, close, upper * arch, lower * arch
    )


def _lid_weights(space: Floats, points: mesh.EyePoints, width: float) -> tuple[Floats, Floats]:
    """How much every vertex (n,) goes along with the upper and the lower lid; skin beyond them does too."""
    lids = [space[list(points.upper)], space[list(points.lower)]]
    order = np.argsort(lids[0][:, 0])
    x = space[:, 0]
    fade = smooth(1 - (np.abs(x - lids[0][:, 0].mean()) - 0.5 * width) / (0.2 * width))
    weights = []
    for lid, own, sign, reach in (
        (lids[0], points.upper, 1.0, 0.60 * width), (lids[1], points.lower, -1.0, 0.35 * width),
    ):  # fmt: skip
        height = sign * (np.interp(x, lid[order, 0], lid[order, 1]) - space[:, 1]) / reach
        weight = np.where((height >= -1e-4) & (height < 1), (1 - np.clip(height, 0, 1)) ** 2, 0) * fade
        weight[list(points.ring)] = 0
        weight[list(own[1:-1])] = 1
        weight[[points.iris, *points.iris_rim]] = 0
        weights.append(np.asarray(weight, np.float32))
    return weights[0], weights[1]


def _closure(space: Floats, points: mesh.EyePoints, upper_share: Floats, lower_share: Floats) -> Floats:
    """Displacement (n, 3) of all vertices at full closure; skin above comes down with the lid."""
    upper, lower = space[list(points.upper)], space[list(points.lower)]
    meet = lower * _LID_MEET + upper * (1 - _LID_MEET)
    order = np.argsort(upper[:, 0])
    motion = np.zeros_like(space)
    for lid, share in ((upper, upper_share), (lower, lower_share)):
        move = (meet - lid)[order]
        for axis in range(3):
            motion[:, axis] += share * np.interp(space[:, 0], lid[order, 0], move[:, axis])
    return motion


def _arch(space: Floats, points: mesh.EyePoints) -> Floats:
    """How far a vertex (n,) follows the middle of a lid: all of it there, nothing at the corners."""
    corners = space[[points.upper[0], points.upper[-1]], 0]
    across = (space[:, 0] - corners.mean()) / (0.5 * np.ptp(corners))
    return np.asarray(np.clip(1 - across**2, 0, 1), np.float32)


def _jaw_weight(space: Floats) -> NDArray[np.float32]:
    """How much of the jaw's turn each vertex takes part in, 0 to 1."""
    right, left = space[mesh.MOUTH_RIGHT], space[mesh.MOUTH_LEFT]
    mouth, chin = (right + left) / 2, space[mesh.CHIN]
    half = float(left[0] - right[0]) / 2
    below = (space[:, 1] - mouth[1]) / (chin[1] - mouth[1])
    side = np.clip(1 - (np.abs(space[:, 0] - mouth[0]) / (3.2 * half)) ** 2, 0.0, 1)
    weight = smooth(below * 1.25 + 0.15) * (0.35 + 0.65 * side)
    weight[(space[:, 1] < mouth[1] - 0.3 * half)] = 0
    for row in mesh.UPPER_LIP_ROWS:
        weight[list(row)] = 0
    for row in mesh.LOWER_LIP_ROWS:
        points = space[list(row)]
        across = np.clip(np.abs(points[:, 0] - mouth[0]) / half, 0, 1)
        weight[list(row)] = np.maximum(0.95 * np.sqrt(1 - across**2.4), 0.0)
    corners = [row[i] for row in mesh.LOWER_LIP_ROWS for i in (0, -1)]
    weight[corners] = 0.42
    behind = smooth((space[:, 2] - space[mesh.RIGHT_EAR, 2]) / (0.5 * half) - 0.2)
    return np.asarray(weight * (1 - behind), dtype=np.float32)


def _lips_together(space: Floats) -> Floats:
    """Displacement (n, 3) that closes the lips of a portrait that smiles."""
    motion = np.zeros_like(space)
    for rows, share in ((mesh.UPPER_LIP_ROWS, 0.45), (mesh.LOWER_LIP_ROWS, -0.55)):
        gap = space[list(mesh.LOWER_LIP_ROWS[0])] - space[list(mesh.UPPER_LIP_ROWS[0])]
        for row in rows:
            motion[list(row)] = gap * share * 0.94
    gap_y = float(space[14, 1] - space[13, 1])
    mouth = space[[13, 14]].mean(0)
    half = float(space[mesh.MOUTH_LEFT, 0] - space[mesh.MOUTH_RIGHT, 0]) / 2
    lips = np.array([i for rows in (mesh.UPPER_LIP_ROWS, mesh.LOWER_LIP_ROWS) for row in rows for i in row])
    skin = np.setdiff1d(np.arange(len(space)), lips)
    offset = (space[skin, :2] - mouth[:2]) / half
    near = smooth(1.0 - (np.hypot(offset[:, 0], offset[:, 1]) - 0.5) / 0.9)
    motion[skin, 1] = np.where(offset[:, 1] < 0, 0.45, -0.55) * near * gap_y * 0.94
    return motion


def _narrow(points: Floats, jaw: float) -> None:
    """A mouth that opens wide becomes narrower."""
    mouth_x = float(points[[mesh.MOUTH_RIGHT, mesh.MOUTH_LEFT], 0].mean())
    lips = np.unique(np.concatenate([*mesh.UPPER_LIP_ROWS, *mesh.LOWER_LIP_ROWS]))
    points[lips, 0] += (mouth_x - points[lips, 0]) * 0.24 * jaw


def _normals(space: Floats, triangles: NDArray[np.int32]) -> Floats:
    """Unit normals (n, 3) of the vertices, pointing out of the head."""
    a, b, c = (space[triangles[:, i]] for i in range(3))
    normal = -np.cross(b - a, c - a)
    total = np.zeros_like(space)
    for i in range(3):
        np.add.at(total, triangles[:, i], normal)
    return np.asarray(
        total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-6), dtype=np.float32
    )
