"""MediaPipe's face landmarker, an optional package, played the same frames as the pipeline.

It finds one face and 478 landmarks and does no more: neither blendshapes nor matrices are asked for, and
nothing is judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import psutil

from dms.errors import EngineUnavailable, InputError
from dms.files import sha256
from dms.records import Frame
from dms.tools.bench.frame import Size
from dms.tools.bench.row import rss_mb
from dms.tools.bench_pipeline.clip import Clip, Player
from dms.tools.bench_pipeline.peers_open import open_landmarker
from dms.tools.bench_pipeline.play import Block, Parts, Stopwatch, Taken

PUBLISHED = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/latest/"
    "face_landmarker.task"
)


def checked_peer(model: Path | None) -> tuple[str, Path]:
    """What the peer is (package, version and file), and its model file; both are here.

    Raises:
        EngineUnavailable: the package is not installed.
        InputError: there is no such model file.
    """
    try:
        number = version("mediapipe")
    except PackageNotFoundError as error:
        missing = "--peers needs MediaPipe, which is not installed: pip install mediapipe"
        raise EngineUnavailable(missing) from error
    if model is None or not model.is_file():
        wrong = (
            f"{model}: there is no such file" if model else "--peers needs the model of the face landmarker"
        )
        raise InputError(f"{wrong}; MediaPipe publishes it at {PUBLISHED}: give it as --peer-model FILE")
    return f"MediaPipe {number} face landmarker ({model.name} sha256:{sha256(model):.12})", model


class Peer:
    """A landmarker in video mode in this process."""

    def __init__(self, landmarker: Any, player: Player) -> None:
        self._landmarker = landmarker
        self._player = player
        self._faces = 0
        self._watch = Stopwatch(player, _as_rgb, self._judge)

    def play(self, block: Block) -> Taken:
        """Play a block; see `Stopwatch.play`."""
        return self._watch.play(block)

    def rss_mb(self) -> float:
        """Memory of the process now, without the clip's pages."""
        self._player.let_go()
        return rss_mb(psutil.Process())

    def faces(self) -> int:
        """In how many frames it has found one so far."""
        return self._faces

    def _judge(self, given: tuple[Any, int]) -> Parts:
        picture, captured_ms = given
        self._faces += bool(self._landmarker.detect_for_video(picture, captured_ms).face_landmarks)
        return Parts()


def _as_rgb(frame: Frame) -> tuple[Any, int]:
    """Its own picture type in RGB, and the time in whole milliseconds."""
    from mediapipe import Image, ImageFormat

    rgb = cv2.cvtColor(frame.image, cv2.COLOR_GRAY2RGB)
    return Image(image_format=ImageFormat.SRGB, data=rgb), round(1e3 * frame.captured_s)


@contextmanager
def open_peer(model: Path, clip: Clip, size: Size) -> Iterator[Peer]:
    """MediaPipe's landmarker with the file `model`.

    Raises:
        EngineUnavailable: this version of the package has no such landmarker, or cannot load the file.
    """
    with closing(Player(clip, size)) as player, open_landmarker(model) as landmarker:
        yield Peer(landmarker, player)
