from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dms.engines.contract import ACTIVITIES

COUNT = 24
Tables = dict[str, dict[str, np.ndarray]]


def tables(rng: np.random.Generator) -> Tables:
    """Made-up labels of `COUNT` pictures for all nets."""
    odd = np.arange(COUNT) % 2 == 1
    common = {
        "image": np.arange(COUNT), "crop": np.tile([80.0, 60, 90, 0], (COUNT, 1)).astype(np.float32),
        "simulated": odd, "face": np.where(odd, -1, np.arange(COUNT)),
        "val": np.arange(COUNT) >= 12, "draw": np.ones(COUNT, np.float32),
    }  # fmt: skip
    ones = np.ones((COUNT, 60), np.float32)
    eyes = common | {
        "detected_crop": common["crop"], "landmarks": rng.uniform(40, 110, (COUNT, 60, 2)).astype(np.float32),
        "landmarks_w": ones, "openness": ones[:, :2], "openness_w": ones[:, :2], "visibility": ones[:, :2],
        "gaze": ones[:, :2], "gaze_w": ones[:, 0], "head": ones[:, :3], "head_w": ones[:, 0],
        "mesh": np.ones(COUNT, bool),
    }  # fmt: skip
    state = np.tile((np.arange(COUNT) // 2 % 2)[:, None], (1, 5)).astype(np.float32)
    parts = np.tile(np.array([[60, 50], [95, 50], [78, 80]], np.float32), (COUNT, 1, 1))
    fatigue = common | {"parts": parts, "state": state, "state_w": np.ones_like(state)}
    points = np.tile(np.array([[60, 50], [95, 50], [78, 62], [65, 80], [90, 80]], np.float32), (COUNT, 1, 1))
    allowed = np.eye(len(ACTIVITIES), dtype=np.float32)[np.arange(COUNT) % len(ACTIVITIES)]
    box = np.zeros((COUNT, 6, 4), np.float32)
    box[:, 0] = 50, 30, 110, 100
    use = np.zeros((COUNT, 6), np.float32)
    use[:-4, 0] = 1
    face = {
        "image": np.arange(COUNT), "box": box, "points": np.tile(points[:, None], (1, 6, 1, 1)), "use": use,
        "val": common["val"], "draw": (use[:, 0] > 0).astype(np.float32),
        "negative": np.isin(np.arange(COUNT), [3, COUNT - 1]),
    }  # fmt: skip
    side = np.zeros((COUNT, 2), np.float32)
    return {
        "face": face, "eyes": eyes, "fatigue": fatigue,
        "distraction": common | {"allowed": allowed, "points": points, "side": side},
        "images": {
            "set": np.full(COUNT, "seat_belt"), "landmarks68": np.full((COUNT, 68, 2), np.nan, np.float32),
        },
        "faces": {"eyes": np.array(["open", "closed"] * (COUNT // 2)), "yawn": np.full(COUNT, "")},
    }  # fmt: skip


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of a few random pictures with made-up labels."""
    import cv2

    from dms.evaluation import pack

    rng = np.random.default_rng(5)
    out = tmp_path_factory.mktemp("pack")
    pictures = [rng.integers(0, 255, (120, 160), dtype=np.uint8) for _ in range(COUNT)]
    pack.write_images((cv2.imencode(".jpg", p)[1].tobytes() for p in pictures), out)
    pack.write_tables(tables(rng), out)
    return out
