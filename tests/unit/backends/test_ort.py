"""ONNX Runtime's GPU providers without a GPU: each lack is told, nothing runs on the processor instead."""

from pathlib import Path

import pytest

from dms.backends import Options, open_backend
from dms.backends.ort import OrtTensorrtBackend, providers
from dms.engines.manifest import load_manifest
from dms.errors import EngineUnavailable
from dms.resources import engines_folder

GPU = {"ort-cuda": "CUDAExecutionProvider", "ort-tensorrt": "TensorrtExecutionProvider"}


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
    backend = OrtTensorrtBackend.__new__(OrtTensorrtBackend)
    settings = backend._settings(Path(file), Options())
    assert (settings["trt_fp16_enable"], settings["trt_int8_enable"]) == (fp16, int8)
    assert "trt_engine_cache_path" not in settings


def test_tensorrt_goes_without_a_cache_it_cannot_write(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    backend = OrtTensorrtBackend.__new__(OrtTensorrtBackend)
    settings = backend._settings(Path("model.onnx"), Options(cache=tmp_path / "file"))
    assert "trt_engine_cache_path" not in settings
    assert "cannot be kept" in caplog.text


def test_tensorrt_keeps_plans_and_timings_under_the_cache(tmp_path):
    backend = OrtTensorrtBackend.__new__(OrtTensorrtBackend)
    settings = backend._settings(Path("model.onnx"), Options(cache=tmp_path))
    assert (
        settings["trt_engine_cache_path"]
        == settings["trt_timing_cache_path"]
        == str(tmp_path / "ort-tensorrt")
    )
    assert settings["trt_engine_cache_enable"] == settings["trt_timing_cache_enable"] == "True"
