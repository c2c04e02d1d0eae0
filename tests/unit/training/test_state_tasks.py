from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training extra")

from dms.engines.contract import ACTIVITIES  # noqa: E402 - after the check that torch is there
from dms.training.state_tasks import known, swap_halves  # noqa: E402

N, SIDE = 400, 16


def labels(first: str) -> torch.Tensor:
    """Half the rows the named activity, half `none`."""
    allowed = torch.zeros(N, len(ACTIVITIES))
    allowed[: N // 2, ACTIVITIES.index(first)] = 1
    allowed[N // 2 :, ACTIVITIES.index("none")] = 1
    return allowed


def halves(direction: tuple[float, float]) -> tuple[torch.Tensor, ...]:
    """Bright pictures with an activity on one side, dark ones without, after swapping."""
    torch.manual_seed(0)
    images = torch.zeros(N, 1, SIDE, SIDE)
    images[: N // 2] = 1
    side = torch.zeros(N, 2)
    side[: N // 2] = torch.tensor(direction)
    return swap_halves(images, labels("phone_at_ear"), side, share=0.8)


@pytest.mark.parametrize(
    ("direction", "here", "there"),
    [((1, 0), (8, -1), (8, 0)), ((-1, 0), (8, 0), (8, -1)), ((0, 1), (-1, 8), (0, 8))],
)
def test_a_half_with_the_phone_keeps_its_label_and_an_emptied_one_loses_it(
    direction: tuple[float, float], here: tuple[int, int], there: tuple[int, int]
) -> None:
    images, allowed, whole = halves(direction)
    changed = whole == 0
    phone = allowed[:, 0] > 0
    kept, emptied = changed & phone, changed & ~phone
    assert min(int(kept.sum()), int(emptied.sum())) > 40
    near, far = images[:, 0, here[0], here[1]], images[:, 0, there[0], there[1]]
    assert near[kept].min() > 0.99
    assert far[kept].max() < 0.01
    assert near[emptied].max() < 0.01
    assert far[emptied].min() > 0.99
    assert torch.equal(allowed[emptied].sum(0), torch.tensor([0, 0, 0, 0, 1, 1]) * emptied.sum())


def test_pictures_without_a_known_side_stay_as_they_are() -> None:
    images, allowed, whole = halves((0, 0))
    assert whole.all()
    assert torch.equal(allowed, labels("phone_at_ear"))
    assert (images[: N // 2] == 1).all()


def test_where_everything_is_allowed_nothing_is_known() -> None:
    allowed = torch.tensor([[1.0] * 6, [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1]])
    assert known(allowed).tolist() == [0, 1, 1]
