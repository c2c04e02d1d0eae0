"""ONNX Runtime's GPU providers without a GPU: each lack is told, nothing runs on the processor instead."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from dms.backends import Options, open_backend
from dms.backends.ort import OrtTensorrtBackend, cpu_session, ort_errors, providers, refusals_named
from dms.engines.manifest import load_manifest
from dms.errors import EngineError, EngineMismatch, EngineUnavailable
from dms.resources import engines_folder

GPU = {"ort-cuda": "CUDAExecutionProvider", "ort-tensorrt": "TensorrtExecutionProvider"}


KINDS = ("DeviceReset", "EngineError", "ModelRequiresCompilation", "NoModel", "NotFound", "RuntimeException")


def gpu_here():
    return Path("/dev/nvidiactl").exists() or Path("/dev/nvhost-gpu").exists()


@pytest.mark.parametrize("name", GPU)
def test_an_onnx_runtime_without_the_provider_says_which_package_has_it(name):
    if GPU[name] in providers():
        pytest.skip("onnxruntime-gpu is installed")
    path = load_manifest(engines_folder() / "fatigue").verified_path("fp32")
    with pytest.raises(EngineUnavailable, match=r"dms\[ort-gpu\].*uninstall onnxruntime"):
        open_backend(name, path)


@pytest.mark.parametrize("name", GPU)
def test_a_provider_that_cannot_be_loaded_names_the_library(name):
    if GPU[name] not in providers():
        pytest.skip("onnxruntime-gpu is not installed")
    if gpu_here():
        pytest.skip("there is a GPU here")
    path = load_manifest(engines_folder() / "fatigue").verified_path("fp32")
    with pytest.raises(EngineUnavailable, match=r"cannot be loaded: lib\S+\.so\.\d+"):
        open_backend(name, path)


@pytest.mark.parametrize(
    ("file", "fp16", "int8"),
    [
        ("model.onnx", "False", "False"),
        ("model.fp16.onnx", "True", "False"),
        ("model.trt.int8.onnx", "False", "True"),
    ],
)
def test_tensorrt_may_use_the_precision_of_the_file_and_no_less(file, fp16, int8):
    settings, _ = settings_for(Path(file), None)
    assert (settings["trt_fp16_enable"], settings["trt_int8_enable"]) == (fp16, int8)
    assert "trt_engine_cache_path" not in settings


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "eyes" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(b"onnx")
    return path


def settings_for(model, cache):
    """What TensorRT is told, and what a reader is told."""
    heard = []
    backend = OrtTensorrtBackend.__new__(OrtTensorrtBackend)
    return backend._settings(model, Options(cache=cache, told=heard.append)), heard


def test_tensorrt_goes_without_a_cache_it_cannot_write(model, caplog):
    settings, heard = settings_for(model, model)
    assert "trt_engine_cache_path" not in settings
    assert "cannot be kept" in caplog.text
    assert heard == ["building eyes/model.onnx with TensorRT, which may take minutes"]


def test_tensorrt_keeps_plans_and_timings_under_the_cache(model, tmp_path):
    settings, _ = settings_for(model, tmp_path)
    folder = Path(settings["trt_engine_cache_path"])
    assert folder.parent == tmp_path / "ort-tensorrt"
    assert settings["trt_timing_cache_path"] == str(folder)
    assert settings["trt_engine_cache_enable"] == settings["trt_timing_cache_enable"] == "True"


def test_tensorrt_tells_that_it_builds_where_no_plan_is_kept(model, tmp_path):
    settings, heard = settings_for(model, tmp_path)
    assert heard == ["building eyes/model.onnx with TensorRT, which may take minutes"]
    (Path(settings["trt_engine_cache_path"]) / "TensorrtExecutionProvider_1_sm87.engine").write_bytes(b"")
    assert settings_for(model, tmp_path) == (settings, [])


def test_plans_of_another_file_or_version_lie_apart(model, tmp_path, monkeypatch):
    folders = {settings_for(model, tmp_path)[0]["trt_engine_cache_path"]}
    monkeypatch.setattr("dms.backends.ort.ort.__version__", "1.0")
    folders.add(settings_for(model, tmp_path)[0]["trt_engine_cache_path"])
    model.write_bytes(b"trained again")
    folders.add(settings_for(model, tmp_path)[0]["trt_engine_cache_path"])
    assert len(folders) == 3


@pytest.mark.parametrize("name", KINDS)
def test_whatever_onnx_runtime_raises_is_typed(name, monkeypatch):
    kind = getattr(ort_errors, name, None) or pytest.skip(f"this ONNX Runtime has no {name}")

    def fail(*arguments, **settings):
        raise kind("it is so")

    path = load_manifest(engines_folder() / "fatigue").verified_path("fp32")
    backend = open_backend("ort", path)
    monkeypatch.setattr(backend, "_session", SimpleNamespace(run=fail))
    with pytest.raises(EngineError, match="ONNX Runtime failed: it is so"):
        backend.infer({})
    monkeypatch.setattr("onnxruntime.InferenceSession", fail)
    with pytest.raises(EngineMismatch, match="it is so"):
        cpu_session(path)


def test_a_provider_that_cannot_even_be_set_up_is_unavailable():
    def make_options():
        raise RuntimeError("no device")

    refusal = pytest.raises(EngineUnavailable, match="cannot run it whole: no device")
    with refusal, refusals_named(Path("model.onnx"), make_options, "QNN"):
        make_options()
