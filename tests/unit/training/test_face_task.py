from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from dms.evaluation import by_eye  # noqa: E402
from dms.training import nets  # noqa: E402 - after the check that torch is there
from dms.training.face_task import FaceTask, complete_iou, likeness  # noqa: E402
from dms.training.face_windows import HEIGHT, WIDTH, HardWindows, Windows, frame_matrix  # noqa: E402
from dms.training.geometry import to_crop  # noqa: E402


@pytest.fixture
def task() -> FaceTask:
    bare = FaceTask.__new__(FaceTask)
    bare.anchors = nets.anchors(HEIGHT, WIDTH)
    bare.levels = torch.tensor(((0.0, 34.0), (26.0, 78.0), (60.0, 1e9)))
    bare.hard = HardWindows(8, torch.device("cpu"))
    return bare


def target(*boxes: tuple[float, float, float, float], use: float = 1) -> dict[str, torch.Tensor]:
    box = torch.tensor([boxes], dtype=torch.float32)
    points = (box[..., :2] + box[..., 2:])[..., None, :].expand(-1, -1, 5, 2) / 2
    return {
        "box": box, "points": points, "use": torch.full((1, len(boxes)), use),
        "image": torch.tensor([3]), "matrix": torch.eye(2, 3)[None], "empty": torch.tensor([use == 0]),
    }  # fmt: skip


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


def test_a_loud_window_without_a_face_is_remembered_and_shown_again(task: FaceTask) -> None:
    wanted = target((90, 40, 140, 100), use=0)
    count = len(task.anchors)
    out = {
        "score": torch.full((1, count), 0.1),
        "box": torch.zeros(1, count, 4),
        "points": torch.zeros(1, count, 10),
    }
    out["score"][0, 17] = 0.9
    quiet = float(task.loss(out | {"score": torch.full((1, count), 0.1)}, wanted)["loudest"])
    assert float(task.loss(out, wanted)["loudest"]) > 5 * quiet
    assert float(task.hard.score[0]) == pytest.approx(0.9)
    n = 64
    fresh = Windows(
        torch.zeros(n).long(), torch.zeros(n, 2, 3), torch.zeros(n).bool(), torch.arange(n) % 2 == 0
    )
    mixed = task.hard.mixed_in(fresh)
    assert set(mixed.image[::2].tolist()) == {0, 3}
    assert set(mixed.image[1::2].tolist()) == {0}


def test_a_window_that_no_longer_looks_like_a_face_is_forgotten() -> None:
    hard = HardWindows(2, torch.device("cpu"))
    matrix = torch.eye(2, 3).expand(2, 2, 3)
    hard.keep(torch.tensor([1, 2]), matrix, torch.tensor([0.5, 0.6]))
    for _ in range(200):
        hard.keep(torch.tensor([7, 8]), matrix, torch.tensor([0.0, 0.0]))
    assert float(hard.score.max()) < 0.1
    hard.keep(torch.tensor([9, 10]), matrix, torch.tensor([0.3, 0.0]))
    assert 9 in hard.image.tolist()


def test_erased_faces_are_no_faces(task: FaceTask) -> None:
    task.erased = 0.5
    wanted = target((90, 40, 140, 100))
    twice = {k: torch.cat([v, v]) for k, v in wanted.items()}
    images, behind = torch.ones(2, 1, HEIGHT, WIDTH), torch.zeros(2, 1, HEIGHT, WIDTH)
    images, use = task._erase(images, behind, twice["box"], twice["use"])
    assert use[:, 0].tolist() == [0, 1]
    assert float(images[0, 0, 40:100, 90:140].max()) == 0
    assert float(images[0, 0, :20].min()) == 1
    assert float(images[1].min()) == 1


@pytest.mark.parametrize(("stem", "kernel"), [((32,), 4), ((32,), 8), ((16, 32), 8)])
def test_every_stem_leads_to_one_row_an_anchor(stem: tuple[int, ...], kernel: int) -> None:
    net = nets.FaceNet(stem, (16, 24, 32), (1, 2, 1), 16, kernel).eval()
    out = net(torch.zeros(2, 1, HEIGHT, WIDTH, dtype=torch.uint8))
    count = len(nets.anchors(HEIGHT, WIDTH))
    assert {k: tuple(v.shape) for k, v in out.items()} == {
        "score": (2, count), "box": (2, count, 4), "points": (2, count, 10),
    }  # fmt: skip


def test_faces_judged_by_eye_are_told_in_full() -> None:
    table = by_eye.rows("training/faces_by_eye.csv")
    assert list(table[0]) == ["picture", "face", "use", "seen"]
    assert {row["use"] for row in table} <= {"-1", "0", "1"}
    assert len({(row["picture"], row["face"]) for row in table}) == len(table)
    assert all(len(row["seen"]) > 2 for row in table)


def test_the_eye_overrules_the_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas", reason="the training's tables are read with pandas")
    from dms.training.datasets.samples import _faces_use, _turned

    hair, other = "images/here/1.jpg", "images/elsewhere/1.jpg"
    seen = {"picture": by_eye.picture_key(hair), "face": "1", "use": "0"}
    monkeypatch.setattr(by_eye, "rows", lambda name: [seen])
    rows = [(hair, 0, 0.9), (hair, 1, 0.76), (other, 0, 0.8), (other, 1, 0.6)]
    assert _faces_use(pandas.DataFrame(rows, columns=["path", "face", "score"])).tolist() == [1, 0, 1, -1]
    assert _turned(torch.tensor([[10.0, -20], [60, 70], [-40, -45]]).numpy()).tolist() == pytest.approx(
        [0, 1, 0.5]
    )


def test_a_face_lost_in_the_dark_resembles_nothing() -> None:
    torch.manual_seed(0)
    clean = torch.nn.functional.interpolate(torch.rand(1, 1, 20, 32), (HEIGHT, WIDTH), mode="bilinear")
    box = torch.tensor([[[40.0, 30, 90, 100], [150, 20, 170, 44]]])
    seen = [likeness(clean, other, box)[0] for other in (clean, 0.2 * clean**2, torch.rand_like(clean))]
    assert seen[0].tolist() == pytest.approx([1, 1], abs=1e-3)
    assert float(seen[1].min()) > 0.8
    assert float(seen[2].abs().max()) < 0.35
    assert likeness(clean, torch.zeros_like(clean), box)[0].tolist() == [0, 0]
