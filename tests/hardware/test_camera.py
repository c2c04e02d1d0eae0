import itertools
import os
import statistics

import pytest

from dms.config import SourceConfig
from dms.sources import open_source
from dms.sources.v4l2 import list_devices

DEVICE = os.environ.get("DMS_CAMERA", "/dev/video0")

pytestmark = [
    pytest.mark.hardware,
    pytest.mark.skipif(
        not os.path.exists(DEVICE),
        reason=f"no camera at {DEVICE} (set DMS_CAMERA; devices here: {list_devices() or 'none'})",
    ),
]


@pytest.fixture
def camera():
    camera = open_source(SourceConfig(uri=DEVICE))
    yield camera
    camera.close()


def test_a_second_of_frames_at_about_the_rate_asked_for(camera):
    camera.newest(10.0)
    frames = [camera.newest(2.0) for _ in range(30)]
    periods_s = [later.captured_s - earlier.captured_s for earlier, later in itertools.pairwise(frames)]
    assert min(periods_s) > 0
    assert 1 / statistics.median(periods_s) == pytest.approx(30, rel=0.2)


def test_the_picture_is_no_flat_grey(camera):
    frame = [camera.newest(10.0) for _ in range(10)][-1]
    assert frame.image.std() > 2


def test_it_opens_again_after_closing(camera):
    camera.newest(10.0)
    camera.close()
    again = open_source(SourceConfig(uri=DEVICE))
    assert again.newest(10.0).image.ndim == 2
    again.close()
