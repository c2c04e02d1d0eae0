import numpy as np
import pytest

from dms.engines.running import Task, infer_with
from tests.unit.engines.tiny import pictures, tiny_net


@pytest.fixture(autouse=True, scope="package")
def _coarse_histograms():
    """The search for the least entropy takes a second a tensor at full fineness."""
    from dms.engines import ranges

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "BINS", 256)
        yield


@pytest.fixture(scope="module")
def task() -> Task:
    """Closeness to what the float net says: 1 is equal; a hundredth apart costs a point."""
    images = pictures()
    truth = infer_with(tiny_net().SerializeToString())(images)["state"]
    return Task(
        lambda infer: {"likeness": 1 - float(np.abs(infer(images)["state"] - truth).mean())}, "likeness", 1
    )
