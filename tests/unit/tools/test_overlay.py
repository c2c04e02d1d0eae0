import dataclasses
import resource
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dms import landmarks
from dms.assess import SIGNALS
from dms.errors import InputError
from dms.records import (
    Alert,
    Assessment,
    Box,
    Direction,
    DriverState,
    Eye,
    Eyes,
    Face,
    Judgement,
    Observation,
    Phase,
    Severity,
    Signal,
    UnknownCause,
)
from dms.tools.overlay import _GAUGES as GAUGES
from dms.tools.overlay import SEVERITY_COLORS, STATE_COLORS, OverlayWriter, draw

SIZES = [(360, 640), (960, 540), (720, 1280)]
OPEN_EYE = Eye(0.9, 0.1, 1.0)
NOTHING_SEEN = Judgement(Observation(1.0, 1), Assessment(1.0, DriverState.UNKNOWN), (), {})


def face_points(height, width):
    """Landmarks spread over an ellipse in the middle: enough of a face to draw."""
    angle = np.linspace(0, 2 * np.pi, landmarks.COUNT)
    reach = 0.2 * min(height, width)
    return np.stack([width / 2 + reach * np.cos(angle), height / 2 + reach * np.sin(angle)], 1).astype(
        np.float32
    )


def judgement(height=360, width=640, state=DriverState.ATTENTIVE, eye=OPEN_EYE, alerts=(), **signals):
    points = face_points(height, width)
    eyes = Eyes(
        captured_s=1.0,
        landmarks=points,
        landmark_sigma=np.ones(landmarks.COUNT, np.float32),
        right=eye,
        left=eye,
        gaze=Direction(10.0, -5.0, 2.0),
        head=Direction(20.0, 5.0, 2.0, 3.0),
        presence=1.0,
    )
    face = Face(1.0, Box(*points.min(0).tolist(), *points.max(0).tolist()), 0.9, tracked=True)
    values = {name: Signal(signals.get(name)) for name in SIGNALS}
    seen = Observation(1.0, 1, face=face, eyes=eyes)
    return Judgement(seen, Assessment(1.0, state, (), values, 1.0, "gaze"), alerts, {"eyes": 0.003})


def alert(severity, cause="eyes closed", phase=Phase.START):
    return Alert("1", "fatigue.sleep", phase, severity, 0.0, 1.0, 1.0, cause, {}, "test")


def has_color(image, color, tolerance=12):
    return bool((np.abs(image.astype(int) - color).max(-1) <= tolerance).any())


def changed(one, other):
    return np.abs(one.astype(int) - other).max(-1) > 12


@pytest.mark.parametrize(("height", "width"), [*SIZES, (16, 16), (4320, 7680), (33, 17)])
def test_any_size_is_drawn_and_the_picture_stays(height, width):
    image = np.full((height, width), 90, np.uint8)
    drawn = draw(image, judgement(height, width), [alert(Severity.URGENT)])
    assert drawn.shape == (height, width, 3)
    assert drawn.dtype == np.uint8
    assert (image == 90).all()


def test_a_colour_picture_keeps_its_colours():
    image = np.full((360, 640, 3), (10, 120, 200), np.uint8)
    drawn = draw(image, NOTHING_SEEN)
    assert (drawn[180, 320] == (10, 120, 200)).all()
    assert (image == (10, 120, 200)).all()


@pytest.mark.parametrize("state", DriverState)
def test_the_state_is_told_by_its_colour(state):
    drawn = draw(
        np.full((360, 640), 90, np.uint8),
        dataclasses.replace(NOTHING_SEEN, assessment=Assessment(1.0, state)),
    )
    assert has_color(drawn[:60, :200], STATE_COLORS[state])


@pytest.mark.parametrize("severity", Severity)
def test_an_alert_is_told_by_its_colour_and_an_ended_one_is_not(severity):
    blank = np.full((360, 640), 90, np.uint8)
    banner = slice(295, 322)
    running = draw(blank, NOTHING_SEEN, [alert(severity)])
    ended = draw(blank, dataclasses.replace(NOTHING_SEEN, alerts=(alert(severity, phase=Phase.END),)))
    assert has_color(running[banner], SEVERITY_COLORS[severity])
    np.testing.assert_array_equal(ended, draw(blank, NOTHING_SEEN))


def test_the_worst_alert_is_next_to_the_signals():
    blank = np.full((360, 640), 90, np.uint8)
    both = (alert(Severity.EMERGENCY), alert(Severity.CAUTION))
    drawn = draw(blank, NOTHING_SEEN, both)
    assert has_color(drawn[305:315, :8], SEVERITY_COLORS[Severity.EMERGENCY])
    assert has_color(drawn[282:292, :8], SEVERITY_COLORS[Severity.CAUTION])


def test_a_long_cause_stays_inside_the_picture():
    blank = np.full((360, 640), 90, np.uint8)
    drawn = draw(blank, NOTHING_SEEN, [alert(Severity.CAUTION, "closed " * 60)])
    assert not has_color(drawn[300:320, -8:], (245, 245, 245), 60)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_every_landmark_is_marked(height, width):
    drawn = draw(np.full((height, width), 90, np.uint8), judgement(height, width))
    without = draw(np.full((height, width), 90, np.uint8), NOTHING_SEEN)
    for x, y in face_points(height, width).round().astype(int):
        assert changed(drawn, without)[y - 2 : y + 3, x - 2 : x + 3].any()


def test_gaze_is_drawn_only_for_open_seen_eyes():
    blank = np.full((360, 640), 90, np.uint8)
    gaze_yellow = (60, 200, 250)
    assert has_color(draw(blank, judgement()), gaze_yellow)
    assert not has_color(draw(blank, judgement(eye=Eye(0.9, 0.1, 0.1))), gaze_yellow)
    assert not has_color(draw(blank, judgement(eye=Eye(0.05, 0.1, 1.0))), gaze_yellow)


def test_the_gauges_are_signals_that_exist():
    assert {gauge.signal for gauge in GAUGES} <= set(SIGNALS)


@pytest.mark.parametrize("gauge", GAUGES, ids=lambda gauge: gauge.signal)
def test_a_gauge_shows_its_signal(gauge):
    blank = np.full((360, 640), 90, np.uint8)
    strip = slice(322, 360)
    unknown = draw(blank, judgement())[strip]
    full = draw(blank, judgement(**{gauge.signal: gauge.full}))[strip]
    cells = np.array_split(changed(full, unknown), len(GAUGES), axis=1)
    assert [cell.any() for cell in cells] == [other is gauge for other in GAUGES]
    assert has_color(full, (64, 64, 240))


def test_unknown_causes_and_faults_are_told():
    blank = np.full((360, 640), 90, np.uint8)
    assessment = Assessment(1.0, DriverState.UNKNOWN, (UnknownCause.NO_FACE,), calibration=0.4)
    told = draw(blank, Judgement(Observation(1.0, 1, faults={"eyes": "NaN"}), assessment, (), {}))
    assert changed(told, draw(blank, NOTHING_SEEN))[35:50, :200].any()


def test_points_far_outside_do_no_harm():
    wild = judgement()
    eyes = wild.observation.eyes
    eyes.landmarks[:] = 1e30
    assert draw(np.full((360, 640), 90, np.uint8), wild).shape == (360, 640, 3)


def frames_of(path):
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = []
    while capture.grab():
        frames.append(capture.retrieve()[1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (33, 17), (16, 16)])
def test_a_video_holds_what_was_written(tmp_path, height, width):
    path = tmp_path / "seen.mp4"
    writer = OverlayWriter(path, 12.5)
    for level in (50, 100, 150):
        writer.write(np.full((height, width, 3), level, np.uint8))
    assert not path.exists()
    writer.close()
    writer.close()
    frames, fps = frames_of(path)
    assert [round(float(frame.mean()), -1) for frame in frames] == [50, 100, 150]
    assert frames[0].shape == (height & ~1, width & ~1, 3)
    assert fps == pytest.approx(12.5)
    assert list(tmp_path.iterdir()) == [path]


def test_pictures_of_another_size_are_fitted(tmp_path):
    writer = OverlayWriter(tmp_path / "seen.mp4", 25.0)
    writer.write(np.full((48, 64, 3), 50, np.uint8))
    writer.write(np.full((96, 32, 3), 150, np.uint8))
    writer.close()
    assert [frame.shape for frame in frames_of(tmp_path / "seen.mp4")[0]] == [(48, 64, 3)] * 2


def test_no_picture_means_no_file(tmp_path):
    writer = OverlayWriter(tmp_path / "seen.mp4", 25.0)
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_an_older_video_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "seen.mp4"
    path.write_bytes(b"older")
    writer = OverlayWriter(path, 25.0)
    writer.write(np.zeros((48, 64, 3), np.uint8))
    assert path.read_bytes() == b"older"
    writer.close()
    assert len(frames_of(path)[0]) == 1


@pytest.mark.parametrize(
    ("name", "why"), [("seen.txt", "must end in .mp4"), ("gone/seen.mp4", "No such file")]
)
def test_where_nothing_can_be_written_says_so(tmp_path, name, why):
    with pytest.raises(InputError, match=why):
        OverlayWriter(tmp_path / name, 25.0)


def test_a_picture_too_small_for_the_codec_says_so(tmp_path):
    writer = OverlayWriter(tmp_path / "seen.mp4", 25.0)
    with pytest.raises(InputError, match="1x1"):
        writer.write(np.zeros((1, 1, 3), np.uint8))
    writer.close()
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from dms.errors import InputError
from dms.tools.overlay import OverlayWriter

writer = OverlayWriter(Path(sys.argv[1]), 25.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
random = np.random.default_rng(1)
try:
    for _ in range(40):
        writer.write(random.integers(0, 256, (240, 320, 3), np.uint8))
    writer.close()
except InputError as e:
    sys.exit(f"told: {e}")
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit of file size on this system")
def test_a_full_disk_leaves_no_half_video(tmp_path):
    path = tmp_path / "seen.mp4"
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert "told:" in run.stderr
    assert "is the disk full?" in run.stderr
    assert list(tmp_path.iterdir()) == []
