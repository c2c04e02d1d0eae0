"""Rotations and angles in the convention of `dms.records`, and the camera of the simulator.

Axes: x to the image's right, y down, z away from the camera; a face at rest looks along -z.
Roll is the slope of the line between the eyes in the image (clockwise +), not an Euler angle, so that it
means the same at every yaw.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def _about_x(angle_rad: float) -> NDArray[np.float64]:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _about_y(angle_rad: float) -> NDArray[np.float64]:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _about_z(angle_rad: float) -> NDArray[np.float64]:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> Floats:
    """Rotation matrix (3, 3) of a head with these angles; inverse of `angles`."""
    yaw, pitch, tan_roll = np.radians(yaw_deg), np.radians(pitch_deg), np.tan(np.radians(roll_deg))
    twist = np.arctan2(np.cos(yaw) * tan_roll, np.cos(pitch) - np.sin(yaw) * np.sin(pitch) * tan_roll)
    turned: NDArray[np.float64] = _about_y(-yaw) @ _about_x(-pitch) @ _about_z(twist)
    return turned.astype(np.float32)


def direction(yaw_deg: float, pitch_deg: float) -> Floats:
    """Unit vector (3,) of a gaze or nose pointing to these angles."""
    yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
    vector = [np.sin(yaw) * np.cos(pitch), -np.sin(pitch), -np.cos(yaw) * np.cos(pitch)]
    return np.array(vector, dtype=np.float32)


def direction_angles(vector: Floats) -> tuple[float, float]:
    """Yaw and pitch in degrees of a direction (3,); inverse of `direction`."""
    x, y, z = (float(v) for v in vector / np.linalg.norm(vector))
    return float(np.degrees(np.arctan2(x, -z))), float(np.degrees(np.arcsin(np.clip(-y, -1, 1))))


def angles(turn: Floats) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees of a rotation matrix (3, 3)."""
    yaw, pitch = direction_angles(-turn[:, 2])
    return yaw, pitch, float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))


def project(points: Floats, distance: float) -> Floats:
    """Pixels (n, 2) around the axis of points (n, 3) seen by a camera `distance` in front of the origin."""
    return np.asarray(points[:, :2] * (distance / (distance + points[:, 2:])), dtype=np.float32)


def unproject(points: Floats, distance: float) -> Floats:
    """Points (n, 3) whose first two columns are pixels become points in space; inverse of `project`."""
    grown = points[:, :2] * ((distance + points[:, 2:]) / distance)
    return np.column_stack([grown, points[:, 2]]).astype(np.float32)


def smooth(x: Floats) -> Floats:
    """Smooth step from 0 to 1 over the unit interval."""
    t = np.clip(x, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)
