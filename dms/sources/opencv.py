"""What every use of OpenCV's video input shares."""

from __future__ import annotations

import os

import cv2

_SILENT = 0


def hush_opencv() -> None:
    """Keep OpenCV and FFmpeg from writing to stderr: our errors say the same with the cure.

    Whoever wants to hear them sets OPENCV_LOG_LEVEL or OPENCV_FFMPEG_LOGLEVEL. Both are settings of the
    process; FFmpeg's is read once, when the first file is opened.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if "OPENCV_LOG_LEVEL" not in os.environ:
        # OpenCV 5 moved it.
        set_level = cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel
        set_level(_SILENT)
