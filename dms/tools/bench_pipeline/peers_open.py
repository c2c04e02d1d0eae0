"""MediaPipe's face landmarker alone, in as little of a process as it needs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from dms.errors import EngineUnavailable


def open_landmarker(model: Path) -> AbstractContextManager[Any]:
    """One face, landmarks only, video mode, its own defaults elsewhere.

    Raises:
        EngineUnavailable: this version of the package has no such landmarker, or cannot load the file.
    """
    try:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(model)),
            running_mode=vision.RunningMode.VIDEO,
            num_faces=1,
        )
        landmarker: AbstractContextManager[Any] = vision.FaceLandmarker.create_from_options(options)
    except (ImportError, AttributeError, RuntimeError, ValueError) as error:
        raise EngineUnavailable(
            f"MediaPipe cannot open a face landmarker with {model}: {error}; take mediapipe 0.10 or newer "
            "and the model file that it publishes"
        ) from error
    return landmarker
