"""From the training module to `.tflite`: checked against the shipped engine, float where it must be."""

from __future__ import annotations

import errno
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra train is not installed")

import torch

from dms.backends import open_backend
from dms.calibration.inputs import inputs_of
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import Proof, load_manifest, rewrite
from dms.engines.release import LITE_NAMES, place_int8, put
from dms.engines.running import infer_with, over_batches
from dms.engines.storage import read_model
from dms.engines.table import RANGES, load_ranges
from dms.errors import ConfigError, EngineMismatch, InputError
from dms.evaluation.labelled import open_labelled
from dms.resources import configs_folder, engines_folder
from dms.training import checkpoint, record, tflite
from dms.training.folding import fused
from dms.training.nets import ConvBn
from dms.training.recipe import make_net, recipe

RECIPES = configs_folder() / "training"
CALIBRATION = engines_folder().parent / "calib_data"
converter = pytest.mark.skipif(
    not (find_spec("litert_torch") and find_spec("ai_edge_quantizer")),
    reason="the extra lite-convert is not installed",
)


def shape(net: str) -> dict:
    return recipe(RECIPES / f"{net}.yaml").net


def model(net: str):
    return read_model(load_manifest(engines_folder() / net).verified_path("fp32"), net)


def calibrating(net: str, most: int):
    return inputs_of(net, open_labelled(CALIBRATION), CALIBRATION, most)


@pytest.fixture
def engines(tmp_path: Path) -> Path:
    """A copy of the smallest engine, to write beside."""
    shutil.copytree(engines_folder() / "fatigue", tmp_path / "fatigue")
    return tmp_path


def trained(folder: Path, name: str, net: torch.nn.Module | None = None) -> Path:
    """A folder as `fit` leaves it, of a net that was never trained unless one is given."""
    folder.mkdir()
    how = recipe(RECIPES / f"{name}.yaml")
    record.write(folder, name, how, "0" * 64, {})
    checkpoint.save(folder / checkpoint.WEIGHTS, (net or make_net(name, how.net)).state_dict())
    return folder


def unfolded(name: str) -> torch.nn.Module:
    """A net with batch norms that folds into the shipped engine."""
    net, folded = make_net(name, shape(name)), tflite.shipped_module(model(name), name, RECIPES).state_dict()
    net.load_state_dict({k: v for k, v in folded.items() if "conv.bias" not in k}, strict=False)
    for path, part in net.named_modules():
        if isinstance(part, ConvBn):
            part.norm.weight.data = (part.norm.running_var + part.norm.eps).sqrt()
            part.norm.bias.data = folded[f"{path}.conv.bias"]
    return net


@pytest.mark.parametrize("net", CONTRACTS)
def test_the_module_with_the_shipped_weights_is_the_shipped_engine(net: str) -> None:
    module = tflite.shipped_module(model(net), net, RECIPES)
    images, shipped = calibrating(net, 4), engines_folder() / net / "model.onnx"
    assert len(images) == 4
    tflite.require_same(module, shipped, images)
    next(module.parameters()).data *= 1.1
    with pytest.raises(EngineMismatch, match="different trainings"):
        tflite.require_same(module, shipped, images)


def test_another_net_is_told_before_it_is_converted() -> None:
    module = fused(make_net("fatigue", shape("fatigue")))
    images = calibrating("fatigue", 4)
    with pytest.raises(EngineMismatch, match=r"another state than .*model\.onnx.*different trainings"):
        tflite.require_same(module, engines_folder() / "fatigue" / "model.onnx", images)


def test_a_recipe_of_another_shape_is_told(tmp_path: Path) -> None:
    other = tmp_path / "wide.yaml"
    other.write_text("steps: 1\nseconds: 1\nnet: {channels: [16, 32, 64, 96, 192]}\n", encoding="utf-8")
    with pytest.raises(EngineMismatch, match=r"wide\.yaml is of another shape.*--config"):
        tflite.shipped_module(model("fatigue"), "fatigue", other)


def test_trained_weights_are_rounded_as_the_float_files_are(tmp_path: Path) -> None:
    module = tflite.trained_module(trained(tmp_path / "run", "fatigue"), "fatigue")
    large = module.state_dict()["embed.dense.weight"]
    assert torch.equal(large, large.half().float())
    small = module.state_dict()["head.weight"]
    assert not torch.equal(small, small.half().float())


def test_trained_weights_that_the_engine_was_made_of_pass(tmp_path: Path) -> None:
    module = tflite.trained_module(trained(tmp_path / "run", "fatigue", unfolded("fatigue")), "fatigue")
    images, shipped = calibrating("fatigue", 4), engines_folder() / "fatigue" / "model.onnx"
    tflite.require_same(module, shipped, images)
    with torch.no_grad():
        found = module(torch.from_numpy(images))["state"].numpy()
    assert found == pytest.approx(infer_with(shipped.read_bytes())(images)["state"], abs=tflite.TOLERANCE)


def test_layers_that_stay_in_float_are_known_by_their_biases() -> None:
    whole = model("eyes")
    noted = load_manifest(engines_folder() / "eyes").float_nodes
    assert [len(bias) for bias in tflite.biases(whole, noted)] == [32, 194]


def test_a_missing_converter_names_its_extra(monkeypatch: pytest.MonkeyPatch, engines: Path) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)
    before = (engines / "fatigue" / "manifest.json").read_bytes()
    with pytest.raises(ConfigError, match=r"pip install 'dms\[lite-convert\]'"):
        tflite.convert("fatigue", engines, CALIBRATION, RECIPES)
    assert (engines / "fatigue" / "manifest.json").read_bytes() == before


def test_what_litert_was_converted_with_stays_known_when_int8_is_made_anew(engines: Path) -> None:
    folder = engines / "fatigue"
    note = load_manifest(folder)
    put(folder, note, {"lite.int8": b"converted"}, {"litert-torch": "0.1"})
    note = load_manifest(folder)
    assert note.verified_path("lite.int8").name == "model.int8.tflite"
    place_int8("fatigue", engines, load_ranges(folder / RANGES), note.float_nodes)
    again = load_manifest(folder)
    assert (again.tools["litert-torch"], bool(again.tools["onnx"])) == ("0.1", True)
    assert again.verified_path("lite.int8").read_bytes() == b"converted"
    assert "trt.int8" not in again.proofs


def test_files_and_manifest_change_together_or_not_at_all(
    engines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = engines / "fatigue"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    real = Path.replace

    def refuses(path: Path, target: Path) -> Path:
        if target.name == "manifest.json":
            raise OSError(errno.EACCES, "Permission denied")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", refuses)
    monkeypatch.setattr(tflite, "_require_converter", lambda: None)
    monkeypatch.setattr(tflite, "version", lambda name: "0.1")
    for step, content in (("converted", b"plain"), ("halved", b"float"), ("quantized", b"small")):
        monkeypatch.setattr(tflite, step, lambda *args, content=content: content)
    with pytest.raises(InputError, match=r"manifest\.json: Permission denied; what was there is unchanged"):
        tflite.convert("fatigue", engines, CALIBRATION, RECIPES)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@converter
def test_both_files_are_written_vouched_for_and_right(engines: Path) -> None:
    folder = engines / "fatigue"
    proof: Proof = next(iter(load_manifest(folder).proofs["fp16"].values()))
    rewrite(folder, proofs={"lite.int8": {"litert": proof}}, speed_ms={"litert": {"lite.int8": 9.0}})
    sizes = tflite.convert("fatigue", engines, CALIBRATION, RECIPES)

    note = load_manifest(folder)
    assert sizes == {artefact: note.verified_path(artefact).stat().st_size for artefact in LITE_NAMES}
    assert sizes["lite.int8"] < 0.6 * sizes["lite.fp32"]
    assert "litert-torch" in note.tools
    assert not note.proofs  # what older files showed
    assert not note.speed_ms

    images = calibrating("fatigue", 16)
    right = over_batches(open_backend("ort", note.verified_path("fp32")))(images)["state"]
    whole = over_batches(open_backend("litert", note.verified_path("lite.fp32")))(images)["state"]
    small = over_batches(open_backend("litert", note.verified_path("lite.int8")))(images)["state"]
    assert whole == pytest.approx(right, abs=1e-4)
    assert 0 < np.abs(small - right).mean() < 0.02


@converter
def test_other_weights_than_the_engines_are_not_converted(engines: Path, tmp_path: Path) -> None:
    before = (engines / "fatigue" / "model.int8.tflite").read_bytes()
    run = trained(tmp_path / "run", "fatigue")
    with pytest.raises(EngineMismatch, match="different trainings"):
        tflite.convert("fatigue", engines, CALIBRATION, RECIPES, run)
    assert (engines / "fatigue" / "model.int8.tflite").read_bytes() == before


@converter
def test_a_layer_named_float_that_the_converter_changed_is_told() -> None:
    module = tflite.shipped_module(model("fatigue"), "fatigue", RECIPES)
    images = calibrating("fatigue", 2)
    with pytest.raises(EngineMismatch, match="no layer of the converted net has the 7 biases"):
        tflite.quantized(tflite.converted(module, "fatigue"), images, [np.zeros(7, np.float32)])
