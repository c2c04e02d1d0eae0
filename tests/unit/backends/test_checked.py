import numpy as np
import pytest

from dms.backends.checked import CheckedBackend, check_numbers
from dms.backends.scripted import ScriptedBackend
from dms.engines.contract import CONTRACTS
from dms.errors import EngineOutputError

LARGEST = np.finfo(np.float32).max


def outputs(**changed: float) -> dict[str, np.ndarray]:
    """What an engine of two outputs gives; the last value of an output may be another."""
    results = {"score": np.ones((1, 840), np.float32), "box": np.ones((1, 840, 4), np.float32)}
    for name, value in changed.items():
        results[name].flat[-1] = value
    return results


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["score", "box"])
def test_one_bad_value_anywhere_is_refused(name: str, bad: float) -> None:
    with pytest.raises(EngineOutputError, match=f"engine face: output {name} holds"):
        check_numbers("face", outputs(**{name: bad}))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_infinities_do_not_cancel_out() -> None:
    with pytest.raises(EngineOutputError, match="output score"):
        check_numbers("face", outputs(score=np.inf, box=-np.inf))


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_huge_numbers_are_numbers() -> None:
    check_numbers("face", outputs(score=LARGEST, box=LARGEST))


def test_the_backend_hands_on_what_is_sound_and_nothing_else() -> None:
    size = CONTRACTS["fatigue"].height
    picture = {"image": np.zeros((1, 1, size, size), np.uint8)}
    sound = ScriptedBackend("fatigue", lambda _: {"state": np.zeros((1, 5), np.float32)})
    broken = ScriptedBackend("fatigue", lambda _: {"state": np.full((1, 5), np.nan, np.float32)})
    assert CheckedBackend("fatigue", sound).infer(picture)["state"].tolist() == [[0.0] * 5]
    with pytest.raises(EngineOutputError, match="engine fatigue: output state"):
        CheckedBackend("fatigue", broken).infer(picture)
