"""The kernels through the real compiler, which needs no GPU, and the folder of compiled kernels."""

import sys

import pytest

from dms.backends.cuda import crops
from dms.backends.cuda.kernels import Compiler
from dms.errors import EngineUnavailable


@pytest.fixture
def compiler():
    pytest.importorskip("cuda.bindings", reason="the CUDA bindings are not installed")
    try:
        return Compiler()
    except EngineUnavailable as error:
        pytest.skip(str(error))


def supported(compiler, arch):
    return int(arch.removeprefix("sm_")) in compiler._ask(compiler._nvrtc.nvrtcGetSupportedArchs())


@pytest.mark.parametrize("arch", ["sm_75", "sm_86", "sm_87", "sm_89", "sm_90", "sm_110", "sm_120"])
def test_compiles_for_every_gpu_it_may_meet(compiler, arch):
    if not supported(compiler, arch):
        pytest.skip(f"NVRTC {compiler.version} does not know {arch}")
    code = compiler.cubin(crops.source(), crops.OPTIONS, arch)
    assert code.startswith(b"\x7fELF")
    assert all(name in code for name in (b"cut", b"place", b"idle"))


def test_a_device_it_does_not_know_is_a_typed_error(compiler):
    with pytest.raises(EngineUnavailable, match="sm_12"):
        compiler.cubin(crops.source(), crops.OPTIONS, "sm_12")


def test_a_wrong_source_is_a_typed_error_with_the_compilers_log(compiler):
    with pytest.raises(EngineUnavailable, match=r"kernels\.cu\(1\): error"):
        compiler.cubin("int x = ;", crops.OPTIONS, "sm_90")


def test_kept_kernels_need_no_compiler(compiler, tmp_path, monkeypatch):
    first = crops.cubin("sm_90", tmp_path / "kernels")
    monkeypatch.setitem(sys.modules, "cuda.bindings.nvrtc", None)  # a device without the toolkit
    assert crops.cubin("sm_90", tmp_path / "kernels") == first
    with pytest.raises(EngineUnavailable):
        crops.cubin("sm_87", tmp_path / "kernels")


@pytest.mark.parametrize("harm", [lambda b: b[:-40], lambda b: b"", lambda b: b[:100] + b"x" + b[101:]])
def test_a_damaged_file_is_compiled_anew(compiler, tmp_path, harm):
    first = crops.cubin("sm_90", tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(harm(whole))
    assert crops.cubin("sm_90", tmp_path) == first
    assert path.read_bytes() == whole


def test_each_device_and_each_source_has_a_file_of_its_own(compiler, tmp_path, monkeypatch):
    crops.cubin("sm_90", tmp_path)
    crops.cubin("sm_87", tmp_path)
    monkeypatch.setattr(crops, "OPTIONS", (*crops.OPTIONS, "-DOTHER"))
    crops.cubin("sm_90", tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_that_cannot_be_written_to_only_costs_time(compiler, tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert crops.cubin("sm_90", blocked / "kernels").startswith(b"\x7fELF")
    assert "compiles them anew" in caplog.text
