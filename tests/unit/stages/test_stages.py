from __future__ import annotations

import numpy as np
import pytest

from dms import landmarks as lm
from dms.backends.scripted import ScriptedBackend
from dms.config import TrackingConfig
from dms.engines.contract import ACTIVITIES, CONTRACTS, FATIGUE_STATES
from dms.errors import EngineOutputError
from dms.records import Box, Direction, Eye, Eyes, Face, Frame, FrameState, Observation
from dms.stages import filled
from dms.stages.distraction import DistractionStage
from dms.stages.eyes import EyesStage
from dms.stages.face import FaceStage, anchor_grid, decode
from dms.stages.fatigue import FatigueStage
from dms.stages.views import CutView

FRAME = Frame(7, 1.5, np.full((360, 640), 128, np.uint8))


def state(due: str = "", previous: Observation | None = None, **seen: object) -> FrameState:
    observation = Observation(FRAME.captured_s, FRAME.id, **seen)  # type: ignore[arg-type]
    return FrameState(FRAME, observation, previous, frozenset(due.split()))


def eyes_at(box: Box, presence: float = 0.9) -> Eyes:
    points = np.zeros((lm.COUNT, 2), np.float32)
    points[:] = box.center
    points[0], points[1] = (box.x1, box.y1), (box.x2, box.y2)
    eye = Eye(0.9, 0.1, 0.9)
    return Eyes(
        1.4, points, np.ones(lm.COUNT, np.float32), eye, eye, Direction(0, 0, 5), Direction(0, 0, 3), presence
    )


def detector(*faces: tuple[float, float, float, float, float]) -> ScriptedBackend:
    """A `face` engine that finds (centre x, centre y, width, height, score) in pixels of its input."""
    contract = CONTRACTS["face"]
    grid = anchor_grid(contract.height, contract.width)
    score = np.zeros((1, len(grid)), np.float32)
    box = np.zeros((1, len(grid), 4), np.float32)
    for x, y, width, height, confidence in faces:
        row = int(np.argmin(np.hypot(grid[:, 0] - x, grid[:, 1] - y) + (grid[:, 2] != 16) * 1e3))
        stride = grid[row, 2]
        score[0, row] = confidence
        box[0, row] = [
            (x - grid[row, 0]) / stride,
            (y - grid[row, 1]) / stride,
            np.log(width / stride),
            np.log(height / stride),
        ]
    return ScriptedBackend("face", lambda _: {"score": score, "box": box})


def face_stage(*faces: tuple[float, float, float, float, float]) -> FaceStage:
    return FaceStage(CutView("face", detector(*faces)), TrackingConfig())


def test_a_stage_fills_its_field_and_leaves_the_rest() -> None:
    before = state(
        due="eyes", previous=Observation(1.4, 6), face=Face(1.5, Box(0, 0, 1, 1), 0.9, tracked=True)
    )
    after = filled(before, eyes=eyes_at(Box(0, 0, 10, 10)))
    assert after.seen.eyes is not None
    assert (after.frame, after.previous, after.due) == (before.frame, before.previous, before.due)
    assert filled(after, eyes=None).seen == before.seen


def test_detection_comes_back_in_pixels_of_the_frame() -> None:
    # The 640x360 frame lies in the 256x160 input at scale 0.4 below 8 black rows.
    face = face_stage((128, 80, 40, 50, 0.9)).run(state(due="face")).seen.face
    assert face is not None
    assert not face.tracked
    assert face.box.center == pytest.approx((320, 180), abs=0.1)
    assert (face.box.width, face.box.height) == pytest.approx((100, 125), abs=0.1)


def test_weak_detections_are_no_faces() -> None:
    assert face_stage((128, 80, 40, 50, 0.3)).run(state(due="face")).seen.face is None


def test_the_largest_face_is_the_driver() -> None:
    face = face_stage((60, 80, 20, 25, 0.99), (180, 80, 50, 60, 0.7)).run(state(due="face")).seen.face
    assert face is not None
    assert face.box.center[0] == pytest.approx(450, abs=0.1)


def test_no_detector_run_while_tracking() -> None:
    track = eyes_at(Box(100, 100, 200, 220))
    previous = Observation(1.4, 6, eyes=track)
    face = face_stage((200, 80, 60, 60, 0.99)).run(state(previous=previous)).seen.face
    assert face is not None
    assert face.tracked
    assert face.box == Box(100, 100, 200, 220)


@pytest.mark.parametrize(("presence", "tracked"), [(0.95, True), (0.55, False)])
def test_a_doubtful_track_yields_to_a_face_elsewhere(presence: float, tracked: bool) -> None:
    previous = Observation(1.4, 6, eyes=eyes_at(Box(100, 100, 200, 220), presence))
    face = face_stage((200, 80, 60, 60, 0.99)).run(state(due="face", previous=previous)).seen.face
    assert face is not None
    assert face.tracked is tracked


def test_a_track_outlives_a_detector_that_sees_nothing() -> None:
    previous = Observation(1.4, 6, eyes=eyes_at(Box(100, 100, 200, 220), 0.55))
    face = face_stage().run(state(due="face", previous=previous)).seen.face
    assert face is not None
    assert face.tracked


def test_a_broken_detector_is_told_and_leaves_a_track_alone() -> None:
    def broken(_: object) -> dict[str, np.ndarray]:
        raise EngineOutputError("engine face: output score holds NaN or infinity")

    stage = FaceStage(CutView("face", ScriptedBackend("face", broken)), TrackingConfig())
    followed = stage.run(state(due="face", previous=Observation(1.4, 6, eyes=eyes_at(Box(1, 1, 9, 9))))).seen
    assert followed.face is not None
    assert followed.face.tracked
    assert "NaN" in followed.faults["face"]
    lost = stage.run(state(due="face")).seen
    assert lost.face is None
    assert "NaN" in lost.faults["face"]


def test_decode_suppresses_doubles() -> None:
    outputs = detector((128, 80, 40, 50, 0.9), (132, 82, 40, 50, 0.8)).infer(
        {"image": np.zeros((1, 1, 160, 256))}
    )
    found = decode(outputs, anchor_grid(160, 256), 0.5)
    assert [round(score, 3) for _, score in found] == [0.9]


def test_iou() -> None:
    assert Box(0, 0, 2, 2).iou(Box(1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert Box(0, 0, 1, 1).iou(Box(2, 2, 3, 3)) == 0


def eyes_stage(presence: float) -> EyesStage:
    answer = {
        "landmarks": np.full((1, lm.COUNT, 2), 0.5, np.float32),
        "landmark_sigma": np.full((1, lm.COUNT), 0.01, np.float32),
        "openness": np.array([[0.2, 0.8]], np.float32),
        "head": np.array([[10, -5, 3]], np.float32),
        "gaze": np.array([[4, 2]], np.float32),
        "presence": np.array([[presence]], np.float32),
    }
    return EyesStage(CutView("eyes", ScriptedBackend("eyes", lambda _: answer)), TrackingConfig())


def test_landmarks_come_back_in_pixels_of_the_frame() -> None:
    face = Face(1.5, Box(200, 100, 300, 220), 0.9, tracked=False)
    eyes = eyes_stage(0.9).run(state(face=face)).seen.eyes
    assert eyes is not None
    assert eyes.landmarks == pytest.approx(np.tile([250, 160], (lm.COUNT, 1)), abs=1e-3)
    assert eyes.landmark_sigma[0] == pytest.approx(0.01 * 1.5 * 120)
    assert (eyes.right.openness, eyes.left.openness) == pytest.approx((0.2, 0.8))
    assert (eyes.head.yaw_deg, eyes.head.pitch_deg, eyes.head.roll_deg) == pytest.approx((10, -5, 3))
    assert eyes.captured_s == 1.5


def test_a_crop_without_a_face_is_unknown() -> None:
    face = Face(1.5, Box(200, 100, 300, 220), 0.9, tracked=True)
    assert eyes_stage(0.2).run(state(face=face)).seen.eyes is None
    assert eyes_stage(0.9).run(state()).seen.eyes is None


def test_fatigue_and_distraction_name_their_outputs() -> None:
    eyes = eyes_at(Box(200, 100, 300, 220))
    states = np.linspace(0.1, 0.5, len(FATIGUE_STATES), dtype=np.float32)[None]
    fatigue = FatigueStage(CutView("fatigue", ScriptedBackend("fatigue", lambda _: {"state": states})))
    seen = fatigue.run(state(due="fatigue", eyes=eyes)).seen.fatigue
    assert seen is not None
    assert (seen.closed_right, seen.yawn, seen.squint) == pytest.approx((0.1, 0.3, 0.5))
    activity = np.eye(len(ACTIVITIES), dtype=np.float32)[:1]
    distraction = DistractionStage(
        CutView("distraction", ScriptedBackend("distraction", lambda _: {"activity": activity}))
    )
    found = distraction.run(state(due="distraction", eyes=eyes)).seen.distraction
    assert found is not None
    assert (found.phone_at_ear, found.none) == (1, 0)


@pytest.mark.parametrize("stage", [FatigueStage, DistractionStage])
def test_sub_rate_results_are_kept_until_due_and_dropped_without_a_face(stage: type[FatigueStage]) -> None:
    net = stage.__name__.removesuffix("Stage").lower()
    backend = ScriptedBackend(net, lambda _: {})
    eyes = eyes_at(Box(200, 100, 300, 220))
    earlier = stage(CutView(net, backend)).run(state(due=net, eyes=eyes)).seen
    kept = getattr(earlier, net)
    assert getattr(stage(CutView(net, backend)).run(state(eyes=eyes, **{net: kept})).seen, net) is kept
    assert getattr(stage(CutView(net, backend)).run(state(**{net: kept})).seen, net) is None
