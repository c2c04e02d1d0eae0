"""LiteRT: every shipped `.tflite` runs and agrees with ONNX Runtime; delegates are loaded or refused."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

from dms.backends import Options, open_backend
from dms.calibration.inputs import calibration_inputs
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import check_signature, load_manifest
from dms.engines.running import over_batches
from dms.errors import EngineMismatch, EngineUnavailable
from dms.evaluation.labelled import open_labelled
from dms.resources import engines_folder

pytest.importorskip("ai_edge_litert", reason="the extra lite is not installed")

LARGEST_BYTES = 4_000_000
DELEGATE = """
#include <stddef.h>
#include <stdint.h>
#include <string.h>
typedef struct Delegate {
  void *data;
  int (*prepare)(void *context, struct Delegate *self);
  void *from_handle, *to_handle, *free_handle;
  int64_t flags;
  void *builder;
} Delegate;
int prepared = 0;
char told[4096] = "";
static int prepare(void *context, Delegate *self) { prepared++; return STATUS; }
static Delegate one = {.prepare = prepare};
void *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
  if (REFUSES) { report("no accelerator in this machine"); return NULL; }
  for (size_t i = 0; i < count; i++) { strcat(told, keys[i]); strcat(told, "="); strcat(told, values[i]); }
  return &one;
}
void tflite_plugin_destroy_delegate(void *delegate) {}
"""
"""A delegate that takes no operation: `-DSTATUS=1` fails to prepare, `-DREFUSES=1` does not start."""


@pytest.fixture(scope="module")
def pack():
    return open_labelled(engines_folder().parent / "calib_data")


@pytest.fixture
def delegate(tmp_path):
    compiler = shutil.which("cc") or pytest.skip("no C compiler to make a delegate with")

    def build(*, status=0, refuses=0):
        source, library = tmp_path / "delegate.c", tmp_path / f"libdelegate{status}{refuses}.so"
        source.write_text(DELEGATE, encoding="utf-8")
        options = ["-shared", "-fPIC", f"-DSTATUS={status}", f"-DREFUSES={refuses}"]
        subprocess.run([compiler, *options, "-o", library, source], check=True)
        return library

    return build


def artefact(net, precision):
    return load_manifest(engines_folder() / net).verified_path(precision)


def answers(backend, path, images):
    running = open_backend(backend, path)
    found = over_batches(running)(images)
    running.close()
    return found


@pytest.mark.parametrize("net", CONTRACTS)
def test_the_float_file_gives_what_onnx_runtime_gives(net, pack):
    images = calibration_inputs(net, pack, 24)
    right = answers("ort", artefact(net, "fp32"), images)
    for name, values in answers("litert", artefact(net, "lite.fp32"), images).items():
        assert values == pytest.approx(right[name], rel=1e-4, abs=1e-4), name


@pytest.mark.parametrize("net", CONTRACTS)
def test_int8_is_about_as_far_from_float_as_that_of_onnx_runtime(net, pack):
    images = calibration_inputs(net, pack, 24)
    right = answers("ort", artefact(net, "fp32"), images)
    onnx = answers("ort", artefact(net, "cpu.int8"), images)
    for name, values in answers("litert", artefact(net, "lite.int8"), images).items():
        apart, theirs = (np.abs(v - right[name]).mean() for v in (values, onnx[name]))
        assert 0 < apart < 2 * theirs + 1e-3, name


@pytest.mark.parametrize("net", CONTRACTS)
@pytest.mark.parametrize("precision", ["lite.fp32", "lite.int8"])
def test_a_file_has_the_contracts_names_and_stays_small(net, precision):
    path = artefact(net, precision)
    assert path.stat().st_size < LARGEST_BYTES
    running = open_backend("litert", path)
    check_signature(running.inputs, running.outputs, load_manifest(engines_folder() / net))


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_truncated_file_is_refused(share, tmp_path):
    whole, cut = artefact("fatigue", "lite.int8").read_bytes(), tmp_path / "model.tflite"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(EngineMismatch, match=r"model\.tflite: LiteRT cannot load it"):
        open_backend("litert", cut)


def test_more_threads_give_the_same(pack):
    images, path = calibration_inputs("eyes", pack, 2), artefact("eyes", "lite.int8")
    one, two = (open_backend("litert", path, Options(threads=t)).infer({"image": images}) for t in (1, 2))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_delegate_is_asked_and_the_rest_runs_on_the_processor(delegate, pack):
    library, images = delegate(), calibration_inputs("fatigue", pack, 2)
    path = artefact("fatigue", "lite.int8")
    running = open_backend("litert", path, Options(delegate=library))
    assert ctypes.c_int.in_dll(ctypes.CDLL(str(library)), "prepared").value == 1
    assert np.array_equal(running.infer({"image": images})["state"], answers("litert", path, images)["state"])


def test_a_delegate_is_told_where_its_compiled_form_lies(delegate, tmp_path):
    library, model = delegate(), tmp_path / "model.int8.tflite"
    shutil.copy(artefact("fatigue", "lite.int8"), model)
    (tmp_path / "model.int8.artifacts").mkdir()
    open_backend("litert", model, Options(delegate=library))
    told = (ctypes.c_char * 4096).in_dll(ctypes.CDLL(str(library)), "told").value.decode()
    assert told == f"artifacts_folder={tmp_path / 'model.int8.artifacts'}"


@pytest.mark.parametrize("how", [{"status": 1}, {"refuses": 1}])
def test_a_delegate_that_cannot_serve_is_named_with_a_cure(how, delegate):
    library = delegate(**how)
    with pytest.raises(EngineUnavailable, match=rf"{library.name}.*leave `delegate` out"):
        open_backend("litert", artefact("fatigue", "lite.int8"), Options(delegate=library))


def test_a_delegate_that_is_not_there_is_named_with_a_cure(tmp_path):
    library = tmp_path / "libtidl_tfl_delegate.so"
    with pytest.raises(EngineUnavailable, match=r"libtidl_tfl_delegate\.so cannot be loaded.*Processor SDK"):
        open_backend("litert", artefact("fatigue", "lite.int8"), Options(delegate=library))


def test_a_library_that_is_no_delegate_is_told_so(tmp_path):
    compiler = shutil.which("cc") or pytest.skip("no C compiler to make a library with")
    source, library = tmp_path / "other.c", tmp_path / "libother.so"
    source.write_text("int nothing = 0;\n", encoding="utf-8")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    with pytest.raises(EngineUnavailable, match=r"libother\.so is no LiteRT delegate"):
        open_backend("litert", artefact("fatigue", "lite.int8"), Options(delegate=library))
