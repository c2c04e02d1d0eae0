"""OpenVINO: the shipped engines, what is kept of them, and files it cannot read."""

import numpy as np
import onnx
import pytest

from dms.backends import Options, open_backend
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import load_manifest
from dms.errors import EngineMismatch, EngineUnavailable
from dms.resources import engines_folder

pytest.importorskip("openvino", reason="the extra intel is not installed")

import openvino

from dms.backends.openvino import OpenVinoBackend


def engine(net, precision):
    return load_manifest(engines_folder() / net).verified_path(precision)


def picture(net):
    contract = CONTRACTS[net]
    ramp = np.linspace(20, 235, contract.width, dtype=np.uint8)
    return {"image": np.tile(ramp, (1, 1, contract.height, 1))}


def refuse(*arguments, **settings):
    raise RuntimeError("no plug-in")


@pytest.mark.parametrize("net", CONTRACTS)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "trt.int8"])
def test_what_was_compiled_is_kept_and_gives_the_same(precision, net, tmp_path):
    path, options = engine(net, precision), Options(cache=tmp_path)
    answers = [OpenVinoBackend(path, o).infer(picture(net)) for o in (Options(), options, options)]
    assert [file.suffix for file in (tmp_path / "openvino").iterdir()] == [".compiled"]
    for name in CONTRACTS[net].outputs:
        assert np.array_equal(answers[0][name], answers[1][name]), name
        assert np.array_equal(answers[0][name], answers[2][name]), name


def test_the_kept_form_is_what_runs_the_next_time(tmp_path, monkeypatch):
    path, heard = engine("fatigue", "trt.int8"), []
    options = Options(cache=tmp_path, told=heard.append)
    first = OpenVinoBackend(path, options).infer(picture("fatigue"))
    assert heard == ["compiling fatigue/model.trt.int8.onnx for this processor"]
    monkeypatch.setattr(openvino.Core, "compile_model", refuse)
    second = OpenVinoBackend(path, options).infer(picture("fatigue"))
    assert np.array_equal(first["state"], second["state"])
    assert len(heard) == 1


@pytest.mark.parametrize("broken", ["__init__", "get_property", "get_versions"])
def test_an_openvino_without_its_plugin_is_no_bad_file(broken, monkeypatch):
    monkeypatch.setattr(openvino.Core, broken, refuse)
    with pytest.raises(EngineUnavailable, match=r"nothing for this processor \(no plug-in\).*backend `ort`"):
        OpenVinoBackend(engine("fatigue", "fp32"), Options())


def test_a_damaged_compiled_form_is_made_again(tmp_path):
    path, options = engine("face", "trt.int8"), Options(cache=tmp_path)
    right = OpenVinoBackend(path, options).infer(picture("face"))
    (kept,) = (tmp_path / "openvino").iterdir()
    whole = kept.read_bytes()
    middle = len(whole) // 2
    kept.write_bytes(whole[:middle] + b"\xff" * 3000 + whole[middle + 3000 :])
    again = OpenVinoBackend(path, options).infer(picture("face"))
    assert np.array_equal(again["box"], right["box"])


def test_another_setting_compiles_anew(tmp_path):
    path = engine("fatigue", "trt.int8")
    OpenVinoBackend(path, Options(cache=tmp_path, threads=1))
    (kept,) = (tmp_path / "openvino").iterdir()
    one = kept.read_bytes()
    OpenVinoBackend(path, Options(cache=tmp_path, threads=2))
    assert kept.read_bytes() != one


def test_an_operator_it_lacks_is_named(tmp_path):
    helper, kinds = onnx.helper, onnx.TensorProto
    image = helper.make_tensor_value_info("image", kinds.UINT8, ["batch", 1, 8, 8])
    state = helper.make_tensor_value_info("state", kinds.FLOAT, None)
    odd = helper.make_node("Unheard", ["image"], ["state"], domain="of")
    graph = helper.make_graph([odd], "odd", [image], [state])
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("of", 1)]
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString())
    with pytest.raises(EngineMismatch, match=r"model\.onnx: .*of\.Unheard.* backend `ort`"):
        open_backend("openvino", path)
