"""What QNN answers at its first run decides whether an engine is taken; that needs no plug-in."""

import numpy as np
import pytest

from dms.backends.ort import cpu_session, ort_errors
from dms.backends.qnn import _check_answers
from dms.engines.manifest import load_manifest
from dms.errors import EngineUnavailable
from dms.resources import engines_folder


class Chip:
    """A session on a chip: the processor's, with its answers spoilt."""

    def __init__(self, path, spoil):
        self._session, self._spoil = cpu_session(path), spoil

    def get_inputs(self):
        """One picture, as what was compiled takes it."""
        (image,) = self._session.get_inputs()
        return [type("Input", (), {"shape": [1, *image.shape[1:]]})]

    def run(self, names, feeds):
        """As ONNX Runtime's."""
        return [self._spoil(answer) for answer in self._session.run(names, feeds)]


@pytest.fixture
def path():
    return load_manifest(engines_folder() / "fatigue").verified_path("fp32")


def fails(answer):
    raise ort_errors.Fail("QNN_GRAPH_ERROR")


def test_right_answers_are_taken(path):
    _check_answers(Chip(path, lambda answer: answer), path)


def test_a_chip_that_fails_at_the_first_run_is_for_another_runtime(path):
    with pytest.raises(EngineUnavailable, match=r"first run on QNN.*QNN_GRAPH_ERROR.*backend `ort`"):
        _check_answers(Chip(path, fails), path)


@pytest.mark.parametrize("wrong", [np.nan, 9.0])
def test_wrong_answers_and_none_at_all_are_refused(path, wrong):
    with pytest.raises(EngineUnavailable, match="does not compute what ONNX Runtime does"):
        _check_answers(Chip(path, lambda answer: answer + wrong), path)
