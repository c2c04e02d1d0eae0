from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from dms.training import nets  # noqa: E402 - after the check that torch is there
from dms.training.face_task import HEIGHT, WIDTH, FaceTask, complete_iou, frame_matrix  # noqa: E402
from dms.training.geometry import to_crop  # noqa: E402


@pytest.fixture
def task() -> FaceTask:
    bare = FaceTask.__new__(FaceTask)
    bare.anchors = nets.anchors(HEIGHT, WIDTH)
    bare.levels = torch.tensor(((0.0, 34.0), (26.0, 78.0), (60.0, 1e9)))
    return bare


def target(*boxes: tuple[float, float, float, float], use: float = 1) -> dict[str, torch.Tensor]:
    box = torch.tensor([boxes], dtype=torch.float32)
    points = (box[..., :2] + box[..., 2:])[..., None, :].expand(-1, -1, 5, 2) / 2
    return {"box": box, "points": points, "use": torch.full((1, len(boxes)), use)}


@pytest.mark.parametrize(("side", "strides"), [(20, {8}), (30, {8, 16}), (50, {16}), (100, {32})])
def test_faces_go_to_the_level_of_their_size(task: FaceTask, side: float, strides: set[int]) -> None:
    face, _ = task._assign(target((100, 60, 100 + side, 60 + side)))
    assert {int(s) for s in task.anchors[face[0] >= 0, 2]} == strides


def test_a_vague_face_is_neither_asked_for_nor_punished(task: FaceTask) -> None:
    face, ignored = task._assign(target((100, 60, 130, 90), use=-1))
    assert int((face >= 0).sum()) == 0
    assert int(ignored.sum()) > 0


def test_a_perfect_answer_costs_almost_nothing(task: FaceTask) -> None:
    wanted = target((90, 40, 140, 100))
    face, _ = task._assign(wanted)
    stride, cell = task.anchors[:, 2:], task.anchors[:, :2]
    center = (wanted["box"][0, 0, :2] + wanted["box"][0, 0, 2:]) / 2
    size = wanted["box"][0, 0, 2:] - wanted["box"][0, 0, :2]
    out = {
        "score": (face >= 0).float(),
        "box": torch.cat([(center - cell) / stride, torch.log(size / stride)], 1)[None],
        "points": ((center - cell) / stride).repeat(1, 5)[None],
    }
    assert sum(float(v) for v in task.loss(out, wanted).values()) < 1e-3
    out["score"] = torch.full_like(out["score"], 0.5)
    assert float(task.loss(out, wanted)["score"]) > 1


def test_overlap_of_boxes() -> None:
    a = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]])
    b = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    iou, loss = complete_iou(a, b)
    assert iou.numpy() == pytest.approx([1, 1 / 3, 0], abs=1e-4)
    assert float(loss[0]) == pytest.approx(0, abs=1e-4)
    assert loss[0] < loss[1] < loss[2]


def test_the_frame_matrix_puts_the_face_where_it_was_asked() -> None:
    center, at = torch.tensor([[100.0, 80.0]]), torch.tensor([[30.0, 50.0]])
    matrix = frame_matrix(center, torch.tensor([2.0]), torch.tensor([0.4]), at, torch.tensor([True]))
    assert to_crop(center[:, None], matrix)[0, 0].numpy() == pytest.approx([30, 50], abs=1e-3)
