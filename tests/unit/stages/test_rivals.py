from __future__ import annotations

import pytest

from dms.config import TrackingConfig
from dms.records import Box, Face
from dms.stages.face import FaceStage

DRIVER = Box(200.0, 100.0, 300.0, 220.0)


def at(x: float, y: float, scale: float = 1.0) -> Box:
    return Box(x, y, x + 100 * scale, y + 120 * scale)


def settled(*boxes: Box, track: Box | None = None, presence: float = 0.95) -> Face | None:
    stage = FaceStage(None, TrackingConfig())  # type: ignore[arg-type]
    followed = Face(1.0, track, presence, tracked=True) if track else None
    return stage._settle(followed, [Face(1.0, box, 0.9, tracked=False) for box in boxes])


@pytest.mark.parametrize(
    ("others", "rival"),
    [
        ((), 0.0),
        ((at(420, 100),), 1.0),
        ((at(400, 100, 0.5),), 0.25),
        ((at(400, 100, 0.5), at(90, 90, 0.7)), 0.49),
        ((at(600, 100),), 0.0),
    ],
    ids=["alone", "beside", "in the rear", "the larger of two", "in the other seat"],
)
@pytest.mark.parametrize("track", [DRIVER, None], ids=["followed", "found"])
def test_the_rival_is_the_largest_other_face_near(
    others: tuple[Box, ...], rival: float, track: Box | None
) -> None:
    face = settled(DRIVER, *others, track=track)
    assert face is not None
    assert face.box == DRIVER
    assert face.rival == pytest.approx(rival)


def test_a_track_that_the_detector_misses_has_its_rivals_too() -> None:
    face = settled(at(420, 100), track=DRIVER)
    assert face is not None
    assert (face.tracked, face.rival) == (True, 1.0)


def test_a_track_cut_smaller_than_its_detection_is_measured_by_the_detection() -> None:
    face = settled(DRIVER, at(420, 100), track=Box(215, 120, 285, 200))
    assert face is not None
    assert face.rival == pytest.approx(1.0)


def test_where_the_detector_saw_nothing_it_saw_no_rival() -> None:
    face = settled(track=DRIVER)
    assert face is not None
    assert face.rival == 0.0
    assert settled() is None
