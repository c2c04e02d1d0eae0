import os

import pytest

from dms.errors import EngineError, InputError
from dms.tools.bench.apart import apart
from tests.unit.tools import bench_works


def test_work_is_done_elsewhere_and_tells_on_the_way():
    words = []
    assert apart(bench_works.double, 21, told=words.append, limit_s=60) == 42
    assert words == ["begun", "done"]


def test_what_a_runtime_prints_does_not_get_among_the_report(capfd):
    assert apart(bench_works.chatty, limit_s=60) != os.getpid()
    assert capfd.readouterr().out == ""


def test_an_error_of_ours_comes_back_with_its_text():
    with pytest.raises(EngineError, match="no such hardware here"):
        apart(bench_works.refused, limit_s=60)


def test_the_kind_of_an_error_comes_back_too():
    with pytest.raises(InputError, match="no such clip"):
        apart(bench_works.malformed, limit_s=60)


@pytest.mark.parametrize(("work", "end"), [(bench_works.die, "SIGSEGV"), (bench_works.leave, "exit code 3")])
def test_a_runtime_that_dies_takes_nothing_with_it(work, end):
    with pytest.raises(EngineError, match=end):
        apart(work, limit_s=60)


def test_work_without_an_end_is_ended_and_the_caller_has_its_turns():
    turns = []
    with pytest.raises(EngineError, match=r"no answer within 0\.4 s"):
        apart(bench_works.hang, meanwhile=lambda: turns.append(1), limit_s=0.4)
    assert len(turns) == 4
