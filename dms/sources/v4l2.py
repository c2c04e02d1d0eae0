"""Cameras of Linux (V4L2): which there are, which pixel format to ask for, and luma from the raw buffer."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.config import SourceConfig
from dms.errors import SourceLost
from dms.records import Luma
from dms.sources.luma import to_luma
from dms.sources.opencv import hush_opencv

# The luma of video formats runs from 16 to 235 (ITU-R BT.601); grey and JPEG run from 0 to 255.
_BLACK, _GAIN = 16, 255 / (235 - 16)

FORMATS = ("GREY", "NV12", "YUYV", "MJPG")
"""Asked for in this order: least work first. MJPG is what USB cameras need for their full rate."""


def list_devices(dev: Path = Path("/dev")) -> list[str]:
    """Paths of the video devices, in order."""
    return [str(path) for path in sorted(dev.glob("video*"), key=lambda p: (len(p.name), p.name))]


def device_path(uri: str) -> str:
    """`0` → `/dev/video0`; a path stays."""
    return f"/dev/video{int(uri)}" if uri.isdecimal() else uri


def open_device(config: SourceConfig) -> V4l2Reader:
    """Open and set up a camera.

    Raises:
        SourceLost: not there, not allowed, busy, or no camera; the text holds the cure.
    """
    path = device_path(config.uri)
    if (trouble := _trouble(path)) is not None:
        raise SourceLost(trouble)
    hush_opencv()
    capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
    if not capture.isOpened():
        raise SourceLost(
            f"{path} does not open as a camera: another program may hold it (`fuser -v {path}`), "
            f"or it is the metadata node of a camera (devices here: {', '.join(list_devices()) or 'none'})"
        )
    return V4l2Reader(capture, config)


def _trouble(path: str) -> str | None:
    if not Path(path).exists():
        here = list_devices()
        others = f"or name one that is here: {', '.join(here)}" if here else "there is none here at all"
        return f"no camera at {path}: plug it in, {others}"
    if not os.access(path, os.R_OK | os.W_OK):
        return (
            f"no permission to open {path}: add this user to the group 'video' "
            "(`sudo usermod -aG video $USER`, then log in again)"
        )
    return None


class V4l2Reader:
    """Reads luma from an opened device, undecoded by OpenCV where the format's luma can be taken as it is."""

    def __init__(self, capture: cv2.VideoCapture, config: SourceConfig) -> None:
        self._capture = capture
        self._fourcc = _set_up(capture, config)
        self._size = (int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)))
        self._raw = self._fourcc in _LUMA and capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def __str__(self) -> str:
        height, width = self._size
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        return f"{self._fourcc} {width}x{height} at {rate:g} fps, {'raw' if self._raw else 'converted'}"

    def grab(self) -> bool:
        """Wait for the next frame; False when the device fails or times out."""
        return self._capture.grab()

    def luma(self) -> Luma | None:
        """The grabbed frame; None when its data is broken."""
        retrieved, image = self._capture.retrieve()
        if not retrieved:
            return None
        if not self._raw:
            return to_luma(image)
        luma = raw_luma(cast(NDArray[np.uint8], image), self._fourcc, *self._size)
        if luma is None and self._fourcc != "MJPG":
            # Not the layout its format should have: let OpenCV convert from the next frame on.
            self._raw = not self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 1)
        return luma

    def release(self) -> None:
        """Close the device."""
        self._capture.release()


def _set_up(capture: cv2.VideoCapture, config: SourceConfig) -> str:
    """Ask for size, rate and the first format that keeps the rate; returns the format it settled on."""
    for fourcc in FORMATS:
        if not capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*fourcc)):
            continue
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, config.width_px)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, config.height_px)
        capture.set(cv2.CAP_PROP_FPS, config.fps)
        if capture.get(cv2.CAP_PROP_FPS) >= config.fps - 1:
            break
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    # OpenCV answers -1 or 0 where the driver does not say.
    return code.to_bytes(4, "little").decode("latin-1") if code > 0 else "unknown format"


def raw_luma(buffer: NDArray[np.uint8], fourcc: str, height: int, width: int) -> Luma | None:
    """Luma of a raw V4L2 buffer.

    Args:
        buffer: what OpenCV hands out with CAP_PROP_CONVERT_RGB off; its shape depends on the format.
        fourcc: a format of `FORMATS`, or one laid out alike (UYVY, NV21, YU12, YV12).
        height: rows of the picture.
        width: columns of the picture.

    Returns:
        (height, width) uint8, 0 to 255; None when the buffer does not hold such a picture.
    """
    luma = _LUMA[fourcc](buffer, height, width)
    return luma if luma is not None and luma.shape == (height, width) else None


def _plane(buffer: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8] | None:
    """The first plane: all of a grey picture, the luma of a planar one."""
    flat = buffer.reshape(-1)
    return flat[: height * width].reshape(height, width) if flat.size >= height * width else None


def _grey(buffer: NDArray[np.uint8], height: int, width: int) -> Luma | None:
    return _plane(buffer, height, width)


def _planar(buffer: NDArray[np.uint8], height: int, width: int) -> Luma | None:
    plane = _plane(buffer, height, width)
    return None if plane is None else _stretched(plane)


def _packed(channel: int) -> Callable[[NDArray[np.uint8], int, int], Luma | None]:
    def luma(buffer: NDArray[np.uint8], height: int, width: int) -> Luma | None:
        if buffer.size != height * width * 2:
            return None
        plane = cv2.extractChannel(buffer.reshape(height, width, 2), channel)
        return _stretched(plane, out=plane)

    return luma


def _jpeg(buffer: NDArray[np.uint8], height: int, width: int) -> Luma | None:
    """JPEG holds luma apart from colour: the decoder hands it out as it is, full range."""
    if not buffer.size:
        return None
    return cast("Luma | None", cv2.imdecode(buffer.reshape(-1), cv2.IMREAD_GRAYSCALE))


def _stretched(limited: NDArray[Any], out: NDArray[Any] | None = None) -> Luma:
    """From limited to full range; a weighted sum saturates and takes half the time of a table."""
    return cast(Luma, cv2.addWeighted(limited, _GAIN, limited, 0, -_BLACK * _GAIN, out))


_LUMA: Mapping[str, Callable[[NDArray[np.uint8], int, int], Luma | None]] = MappingProxyType(
    {
        "GREY": _grey,
        "NV12": _planar,
        "NV21": _planar,
        "YU12": _planar,
        "YV12": _planar,
        "YUYV": _packed(0),
        "UYVY": _packed(1),
        "MJPG": _jpeg,
    }
)
