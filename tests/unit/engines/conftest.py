import pytest


@pytest.fixture(autouse=True, scope="package")
def _coarse_histograms():
    """The search for the least entropy takes a second a tensor at full fineness."""
    from dms.engines import ranges

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "BINS", 256)
        yield
