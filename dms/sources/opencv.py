"""Settings of OpenCV, which hold for the whole process."""

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


def keep_to_one_thread() -> None:
    """Keep OpenCV from splitting its work among threads.

    A frame is too small to share: its second thread costs more than it saves, above all at a camera's pace,
    where it must be woken for every frame (docs/performance.md).
    """
    cv2.setNumThreads(1)
