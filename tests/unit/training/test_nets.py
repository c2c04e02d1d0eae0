from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
import onnxruntime as ort  # noqa: E402 - after the check that the tools are there

from dms.engines.contract import CONTRACTS  # noqa: E402
from dms.stages.face import anchor_grid  # noqa: E402
from dms.training.export import export, fused  # noqa: E402
from dms.training.nets import NETS, anchors  # noqa: E402


def images(net: str) -> np.ndarray:
    contract = CONTRACTS[net]
    return np.random.default_rng(0).integers(0, 255, (3, 1, contract.height, contract.width), dtype=np.uint8)


@pytest.mark.parametrize("net", CONTRACTS)
def test_outputs_are_the_contracts(net: str) -> None:
    out = NETS[net]().eval()(torch.from_numpy(images(net)))
    assert {name: tuple(t.shape[1:]) for name, t in out.items()} == CONTRACTS[net].outputs


@pytest.mark.parametrize("net", CONTRACTS)
def test_the_exported_file_says_what_the_net_says(net: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    module = NETS[net]()
    module.train()(torch.from_numpy(images(net)))  # gives the batch norms something to fold
    path = tmp_path / "model.onnx"
    export(net, module, path)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    said = session.run(None, {"image": images(net)})
    with torch.no_grad():
        meant = module.eval()(torch.from_numpy(images(net)))
    assert [o.name for o in session.get_outputs()] == list(CONTRACTS[net].outputs)
    for name, value in zip(CONTRACTS[net].outputs, said, strict=True):
        assert value == pytest.approx(meant[name].numpy(), abs=2e-3), name


def test_folding_leaves_the_original_alone() -> None:
    module = NETS["fatigue"]()
    fused(module)
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in module.modules())


def test_anchors_are_the_run_times() -> None:
    contract = CONTRACTS["face"]
    ours = anchors(contract.height, contract.width).numpy()
    assert ours == pytest.approx(anchor_grid(contract.height, contract.width))


def test_the_eyes_net_takes_points_from_the_finer_stage_too() -> None:
    shape = {"channels": (8, 8, 16, 16, 24), "depths": (1, 1, 1, 1), "thin": 8, "wide": 32}
    coarse, fine = NETS["eyes"](**shape), NETS["eyes"](**shape, fine=8)
    assert fine.embed.dense.in_features == coarse.embed.dense.in_features + 8 * 7 * 7
    flat = NETS["eyes"](channels=(8, 8, 16, 16), depths=(1, 1, 1), thin=8, wide=32)
    for net in (fine, flat):
        out = net.eval()(torch.from_numpy(images("eyes")))
        assert {name: tuple(t.shape[1:]) for name, t in out.items()} == CONTRACTS["eyes"].outputs
