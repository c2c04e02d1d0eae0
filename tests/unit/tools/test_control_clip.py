"""A clip in memory as a live camera."""

import time

import numpy as np
import pytest

from dms.config import Config
from dms.errors import InputError, SourceLost
from dms.tools.control.clip import ClipCamera, at_rate, stretch, with_precision

IMAGES = [np.full((4, 4), value, np.uint8) for value in range(3)]


def test_frames_come_at_their_rate_round_and_round():
    camera = ClipCamera(IMAGES, fps=100.0)
    frames = [camera.newest(1.0) for _ in range(5)]

    assert all(frame.image is IMAGES[frame.id % 3] for frame in frames)
    gaps_s = np.diff([frame.captured_s for frame in frames]) / np.diff([frame.id for frame in frames])
    assert gaps_s == pytest.approx(0.01)
    assert camera.captured == frames[-1].id + 1
    assert camera.dropped == camera.captured - len(frames)


def test_a_slow_taker_gets_the_newest_and_the_rest_is_counted():
    camera = ClipCamera(IMAGES, fps=200.0)
    camera.newest(1.0)
    time.sleep(0.1)
    frame = camera.newest(1.0)

    assert frame.id >= 15
    assert camera.dropped == frame.id - 1


def test_a_frame_too_far_away_is_told():
    camera = ClipCamera(IMAGES, fps=0.5)
    camera.newest(1.0)

    with pytest.raises(SourceLost, match="the next frame comes in"):
        camera.newest(0.01)
    assert camera.dropped == 0


def test_a_stretch_of_the_demo():
    frames = stretch(Config(), 0.5)

    assert len(frames) == 15
    assert frames[-1].captured_s < 0.5
    assert frames[0].image.shape == (360, 640)


def test_an_empty_stretch_is_refused(tmp_path):
    with pytest.raises(InputError, match="no frame in its first"):
        stretch(Config(), 0.0)


def test_configurations_are_derived_not_changed():
    config = Config()
    changed = at_rate(with_precision(config, "fp32"), 60.0)

    assert changed.source.fps == 60.0
    assert changed.engines.eyes.precision == changed.engines.face.precision == "fp32"
    assert config.engines.eyes.precision == "int8"
