"""QNN on the emulator of Hexagon that its x86-64 wheel carries: every shipped engine, whole."""

import platform

import numpy as np
import onnxruntime as ort
import pytest

from dms.backends import Options, open_backend
from dms.cli.engine_data import engine_inputs, open_data, shipped_data
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import load_manifest
from dms.errors import EngineUnavailable
from dms.resources import engines_folder

pytest.importorskip("onnxruntime_qnn", reason="the extra qualcomm is not installed")
if platform.machine() != "x86_64":
    pytest.skip("the emulator is in the x86-64 wheel alone", allow_module_level=True)

from dms.backends.qnn import QnnBackend


class IntegerChip(QnnBackend):
    """QCM6490, whose Hexagon v68 has no floating point."""

    emulated_soc = "35"


def engine(net, precision):
    return load_manifest(engines_folder() / net).verified_path(precision)


def picture(net, batch=1):
    contract = CONTRACTS[net]
    ramp = np.linspace(20, 235, contract.width, dtype=np.uint8)
    return {"image": np.tile(ramp, (batch, 1, contract.height, 1))}


@pytest.fixture(scope="module", params=list(CONTRACTS))
def seen(request):
    """A net and what it is shown in a car."""
    source = shipped_data()
    return request.param, {"image": engine_inputs(request.param, open_data(source), source, 4)}


def far(here, right):
    """Mean difference in parts of the values' own size or spread, the largest of all outputs."""
    sizes = {name: max(np.abs(v).mean(), v.std(axis=0).mean()) for name, v in right.items()}
    return max(np.abs(here[name] - v).mean() / sizes[name] for name, v in right.items())


@pytest.mark.parametrize("chip", [QnnBackend, IntegerChip])
def test_int8_runs_whole_with_and_without_floating_point(chip, seen):
    net, images = seen
    path = engine(net, "qnn.int8")
    assert far(chip(path, Options()).infer(images), open_backend("ort", path).infer(images)) < 0.2


def test_fp16_runs_whole_and_is_near_fp32(seen):
    net, images = seen
    here = QnnBackend(engine(net, "fp16"), Options()).infer(images)
    assert far(here, open_backend("ort", engine(net, "fp32")).infer(images)) < 0.05


def test_nothing_is_left_to_the_processor(monkeypatch):
    made = []
    real = ort.InferenceSession
    monkeypatch.setattr(ort, "InferenceSession", lambda *a, **k: made.append(real(*a, **k)) or made[-1])
    QnnBackend(engine("fatigue", "qnn.int8"), Options())
    here, there = made
    assert here.get_providers()[0] == "QNN"
    assert there.get_providers() == ["CPUExecutionProvider"]  # what its answer is compared with


def test_a_node_that_is_not_for_the_chip_is_named():
    with pytest.raises(EngineUnavailable, match=r"trunk\.0/conv/Conv.*choose another precision"):
        IntegerChip(engine("fatigue", "fp16"), Options())


def test_nodes_left_over_are_named_with_their_operator():
    with pytest.raises(EngineUnavailable, match=r"does not take .*\(DequantizeLinear\).* and \d+ more"):
        QnnBackend(engine("fatigue", "trt.int8"), Options())


@pytest.mark.parametrize("precision", ["fp32", "cpu.int8"])
def test_a_file_it_computes_wrongly_is_refused(precision):
    with pytest.raises(EngineUnavailable, match=r"does not compute what .* choose the precision int8"):
        QnnBackend(engine("eyes", precision), Options())


def test_what_was_compiled_is_kept_and_gives_the_same(tmp_path):
    heard = []
    options = Options(cache=tmp_path, told=heard.append)
    path = engine("fatigue", "qnn.int8")
    first = QnnBackend(path, options).infer(picture("fatigue"))
    second = QnnBackend(path, options).infer(picture("fatigue"))
    assert heard == ["compiling fatigue/model.qnn.int8.onnx for Hexagon"]
    assert np.array_equal(first["state"], second["state"])


def test_another_chip_compiles_anew(tmp_path):
    heard = []
    options = Options(cache=tmp_path, told=heard.append)
    for chip in (QnnBackend, IntegerChip):
        chip(engine("fatigue", "qnn.int8"), options)
    assert len(heard) == 2


def test_a_damaged_compiled_form_is_made_again(tmp_path):
    path = engine("fatigue", "qnn.int8")
    right = QnnBackend(path, Options(cache=tmp_path)).infer(picture("fatigue"))
    (kept,) = (tmp_path / "qnn").iterdir()
    whole = kept.read_bytes()
    middle = len(whole) // 2
    damaged = whole[:middle] + b"\xff" * 1000 + whole[middle + 1000 :]
    kept.write_bytes(damaged)
    again = QnnBackend(path, Options(cache=tmp_path)).infer(picture("fatigue"))
    assert np.array_equal(again["state"], right["state"])
    assert kept.read_bytes() != damaged


def test_all_four_engines_open_in_one_process():
    backends = [QnnBackend(engine(net, "qnn.int8"), Options()) for net in CONTRACTS]
    for net, backend in zip(CONTRACTS, backends, strict=True):
        assert {n: a.shape[1:] for n, a in backend.infer(picture(net)).items()} == CONTRACTS[net].outputs
