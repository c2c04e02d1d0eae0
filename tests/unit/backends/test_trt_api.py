"""Which TensorRT is taken, and what is said where there is none."""

import sys
from types import SimpleNamespace

import pytest

from dms.backends.trt_api import FULL, RTX, TensorRt, created, load_tensorrt, new_logger
from dms.errors import EngineUnavailable
from tests.unit.backends.trt_standin import Script, Severity, stand_in


@pytest.fixture
def installed(monkeypatch):
    def install(**versions):
        for flavour in (FULL, RTX):
            version = versions.get(flavour)
            module = SimpleNamespace(__version__=version) if version else None
            monkeypatch.setitem(sys.modules, flavour, module)

    return install


@pytest.mark.parametrize("version", ["10.3.0", "10.16.2.1", "11.4.1.2"])
def test_the_versions_of_jetpack_are_taken(installed, version):
    installed(tensorrt=version, tensorrt_rtx="1.7.1.116")
    assert str(load_tensorrt()) == f"TensorRT {version}"


def test_rtx_is_taken_where_the_other_is_absent_or_unknown(installed):
    installed(tensorrt_rtx="1.7.1.116")
    assert load_tensorrt().is_rtx
    installed(tensorrt="8.6.1", tensorrt_rtx="1.7.1.116")
    assert str(load_tensorrt()) == "TensorRT-RTX 1.7.1.116"


def test_without_any_the_ways_to_one_are_named(installed):
    installed()
    with pytest.raises(EngineUnavailable) as caught:
        load_tensorrt()
    for word in ("python3-libnvinfer", "pip install tensorrt", "tensorrt_rtx", "another backend"):
        assert word in str(caught.value)


@pytest.mark.parametrize("version", ["10.2.0", "8.6.1", "12.0.0", "dev"])
def test_a_version_that_nobody_has_seen_is_refused_by_number(installed, version):
    installed(tensorrt=version)
    with pytest.raises(EngineUnavailable, match=rf"{version}, needed is 10\.3 or newer, below 12\.0"):
        load_tensorrt()


def test_a_package_without_its_libraries_is_no_tensorrt(installed, monkeypatch):
    installed()
    monkeypatch.setattr(
        "dms.backends.trt_api.import_module", lambda name: (_ for _ in ()).throw(OSError("libnvinfer.so.10"))
    )
    with pytest.raises(EngineUnavailable, match=r"libnvinfer\.so\.10"):
        load_tensorrt()


def test_the_logger_keeps_the_last_lines_and_tells_errors_before_warnings():
    logger = new_logger(TensorRt(stand_in(Script()), FULL, "10.3.0"))
    assert logger.last() == "its log is empty"
    logger.log(Severity.VERBOSE, "chatter")
    logger.log(Severity.WARNING, "a\n warning")
    assert logger.last() == "a warning"
    for number in range(20):
        logger.log(Severity.ERROR, f"error {number}")
    assert logger.last() == "; ".join(f"error {n}" for n in range(12, 20))


@pytest.mark.parametrize(("at", "kind"), [("builder", "Builder"), ("runtime", "Runtime")])
def test_an_object_that_was_made_in_error_is_never_touched(at, kind):
    api = TensorRt(
        stand_in(Script(trouble="CUDA initialization failure with error: 35", at=at)), FULL, "11.4"
    )
    with pytest.raises(EngineUnavailable, match=r"TensorRT 11\.4 cannot start here: CUDA init.*error: 35"):
        created(api, getattr(api.module, kind), new_logger(api))


def test_older_bindings_that_give_nothing_are_told_alike():
    api = TensorRt(stand_in(Script()), FULL, "10.3.0")

    def nothing(logger):
        raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(EngineUnavailable, match="nullptr"):
        created(api, nothing, new_logger(api))


def test_where_only_tensorrt_rtx_will_do_only_that_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, RTX, None)
    with pytest.raises(EngineUnavailable, match="pip install tensorrt_rtx, whose builder") as told:
        load_tensorrt((RTX,))
    assert "libnvinfer" not in str(told.value)
