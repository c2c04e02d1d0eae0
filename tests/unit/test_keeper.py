"""A keeper and what it keeps; what devices make of it is shown where they are."""

import pytest

from dms.keeper import Keeper
from tests.pulse import until


class Broken:
    """A device whose code is wrong."""

    def work(self):
        raise ZeroDivisionError("a mistake")

    def close(self):
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_by_a_mistake_is_told_as_such_and_as_nothing_else():
    keeper = Keeper("broken", lambda wake: Broken())
    assert "has ended" in until(keeper.fault)
    keeper.close()
    assert keeper.fault() is None
