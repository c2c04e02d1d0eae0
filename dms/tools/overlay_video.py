"""Writes the overlay as a video that is either whole or not there."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
from numpy.typing import NDArray

from dms.errors import InputError
from dms.sources.opencv import hush_opencv
from dms.tools.canvas import Image

SUFFIXES = (".mp4", ".mkv", ".mov", ".avi")
# MPEG-4 part 2: the one encoder that OpenCV's wheels bring everywhere and that keeps pace (4 ms at 1280x720,
# where VP9 takes 400).
_CODEC = cv2.VideoWriter.fourcc(*"mp4v")


class OverlayWriter:
    """Writes pictures into a video of constant rate; the file appears under its name on `close`.

    The first picture sets the size; later ones of another size are resized.

    Raises:
        InputError: a suffix that is no video's, or a folder that is missing or cannot be written to.
    """

    def __init__(self, path: Path, fps: float) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"cannot write a video to {path}: its name must end in {', '.join(SUFFIXES)}")
        self._path = path
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._fps = fps
        self._size = (0, 0)
        self._writer: cv2.VideoWriter | None = None
        try:
            self._partial.touch()
        except OSError as e:
            raise InputError(f"cannot write to {path}: {e.strerror}") from e

    def write(self, image: Image) -> None:
        """Append a BGR picture.

        Raises:
            InputError: the video cannot be written at this size.
        """
        writer = self._writer or self._open(image)
        # The codec halves its colour: sides are even, the odd row or column is left out.
        writer.write(self._sized(image))

    def close(self) -> None:
        """Finish the video and give it its name; without a picture there is no file. May be called twice.

        Raises:
            InputError: the file came out broken, because the disk is full for instance.
        """
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                writer.release()
                self._name()
        finally:
            self._discard()

    def _open(self, image: Image) -> cv2.VideoWriter:
        hush_opencv()
        height, width = image.shape[:2]
        self._size = (width & ~1, height & ~1)
        writer = cv2.VideoWriter(str(self._partial), cv2.CAP_FFMPEG, _CODEC, self._fps, self._size)
        if not writer.isOpened():
            self._discard()
            raise InputError(f"cannot write a video of {width}x{height} at {self._fps:g} fps to {self._path}")
        self._writer = writer
        return writer

    def _name(self) -> None:
        if not _holds_frames(self._partial):
            raise InputError(f"{self._path} could not be written: is the disk full?")
        try:
            self._partial.replace(self._path)
        except OSError as e:
            raise InputError(f"{self._path} could not be written: {e.strerror}") from e

    def _discard(self) -> None:
        with suppress(OSError):  # a disk that turned read-only refuses it even where nothing is left
            self._partial.unlink(missing_ok=True)

    def _sized(self, image: Image) -> NDArray[Any]:
        width, height = self._size
        even = image[: image.shape[0] & ~1, : image.shape[1] & ~1]
        return even if even.shape[:2] == (height, width) else cv2.resize(image, self._size)


def _holds_frames(path: Path) -> bool:
    """Whether the file can be opened and its first frame decoded: the index is written last."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        return capture.isOpened() and capture.grab()
    finally:
        capture.release()
