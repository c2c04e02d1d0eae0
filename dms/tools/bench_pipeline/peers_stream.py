"""MediaPipe's face landmarker as a process of its own on one video file: what `dms run` is compared with.

Run as `python -m dms.tools.bench_pipeline.peers_stream FILE MODEL`. It imports OpenCV, MediaPipe and little
else, plays the file at its pace, over and over, and tells as a service does when a frame is done.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from dms.service import Notifier
from dms.tools.bench_pipeline.peers_open import open_landmarker


def play(path: Path, model: Path) -> None:
    """Play the file without end."""
    from mediapipe import Image, ImageFormat

    with closing(Notifier.from_environment()) as notifier, open_landmarker(model) as landmarker:
        told_ready = False
        for captured_s, rgb in _paced(path):
            picture = Image(image_format=ImageFormat.SRGB, data=rgb)
            landmarker.detect_for_video(picture, round(1e3 * captured_s))
            if not told_ready:
                notifier.ready()
                told_ready = True
            notifier.watchdog()


def _paced(path: Path) -> Iterator[tuple[float, Any]]:
    """Frames in RGB when their time has come; those that are late by more than a period are left out."""
    import cv2

    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    period_s = 1 / capture.get(cv2.CAP_PROP_FPS)
    begun_s, captured_s = time.monotonic(), 0.0
    while True:
        if not capture.grab():
            capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            continue
        captured_s += period_s
        wait_s = begun_s + captured_s - time.monotonic()
        if wait_s < -period_s:
            continue
        time.sleep(max(0.0, wait_s))
        decoded, picture = capture.retrieve()
        if decoded:
            yield captured_s, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


if __name__ == "__main__":
    play(Path(sys.argv[1]), Path(sys.argv[2]))
