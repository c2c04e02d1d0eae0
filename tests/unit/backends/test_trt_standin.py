"""The stand-in says nothing that TensorRT does not: its names and parameters are those of the real bindings.

`trt_bindings.json` was read from the bindings themselves by `tests/platforms/trt_bindings.py`; that
TensorRT-RTX has the same is proved on the installed library in `tests/platforms/test_tensorrt_rtx.py`.
"""

import inspect
import json
from pathlib import Path

import pytest

from tests.platforms.trt_bindings import CALLS, NAMES
from tests.unit.backends import trt_standin

BINDINGS = json.loads((Path(__file__).parent / "trt_bindings.json").read_text())
GONE_IN_11 = {"FP16", "INT8"}


def parameters(method):
    return list(inspect.signature(method).parameters)[1:]


def test_the_versions_span_what_is_supported():
    assert set(BINDINGS) == {"10.3.0", "10.13.3.9", "10.16.1.11", "11.4.0.106"}


@pytest.mark.parametrize("version", BINDINGS)
def test_every_call_of_ours_is_there_in_every_version(version):
    calls = BINDINGS[version]["calls"]
    assert set(calls) == {f"{kind}.{name}" for kind, names in CALLS.items() for name in names}
    assert all(overloads is None or overloads for overloads in calls.values())
    names = {kind: set(wanted) for kind, wanted in NAMES.items()}
    if version.startswith("11"):
        names["BuilderFlag"] -= GONE_IN_11
    assert {kind: set(found) for kind, found in BINDINGS[version]["names"].items()} == names


@pytest.mark.parametrize("version", BINDINGS)
@pytest.mark.parametrize("kind", trt_standin.KINDS, ids=lambda kind: kind.__name__)
def test_each_method_takes_what_the_real_one_takes(kind, version):
    calls = BINDINGS[version]["calls"]
    own = {n: m for n, m in vars(kind).items() if inspect.isfunction(m) and not n.startswith("_")}
    if f"{kind.__name__}.__init__" in calls:
        own["__init__"] = kind.__init__
    for name, method in own.items():
        assert parameters(method) in calls[f"{kind.__name__}.{name}"], name


def test_the_stand_in_has_all_that_we_call():
    kinds = {kind.__name__: kind for kind in trt_standin.KINDS}
    calls = BINDINGS["10.3.0"]["calls"]
    for kind, names in CALLS.items():
        for name in names:
            if calls[f"{kind}.{name}"] is not None and (kind, name) != ("ILogger", "log"):
                assert callable(getattr(kinds[kind], name)), f"{kind}.{name}"
