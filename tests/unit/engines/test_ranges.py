from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from dms.engines.limits import LEAST_IMAGES, METHODS
from dms.engines.ranges import _best_range, find_ranges, observe
from dms.engines.storage import model_hash, read_model
from dms.engines.table import RangesTable, load_ranges
from dms.errors import ConfigError, EngineMismatch, InputError
from tests.unit.engines.tiny import pictures, tiny_net, trained


@pytest.fixture(scope="module")
def observed():
    return observe(tiny_net(), "fatigue", pictures())


def test_minmax_is_what_the_net_really_reaches(observed) -> None:
    net = tiny_net()
    net.graph.output.append(onnx.helper.make_tensor_value_info("c1", onnx.TensorProto.FLOAT, None))
    session = ort.InferenceSession(net.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(["c1"], {"image": pictures()})[0]
    low, high = observed.table("minmax").tensors["c1"]
    assert (low, high) == pytest.approx((values.min(), values.max()), rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_stays_within_what_was_seen_and_holds_zero(observed, method) -> None:
    whole, found = observed.table("minmax").tensors, observed.table(method).tensors
    assert found.keys() == whole.keys() > {"x", "c0", "r0", "sum"}
    for name, (low, high) in found.items():
        assert whole[name][0] - 1e-6 <= low <= 0 <= high <= whole[name][1] + 1e-6
        assert low < high


def test_least_squares_cuts_what_hardly_ever_comes() -> None:
    edges = np.linspace(-100, 100, 1025, dtype=np.float32)
    counts = np.histogram(np.random.default_rng(0).normal(0, 1, 100_000), edges)[0] * 1000
    counts[-1] = 1  # one value of 100 among a hundred million of size 1
    low, high = _best_range(counts, edges, np.float32(-5), np.float32(100))
    assert high < 60
    assert low > -5


def test_what_comes_after_the_head_is_not_looked_at(observed) -> None:
    assert "state" not in observed.table("minmax").tensors


def test_the_table_names_model_data_and_method(tmp_path: Path) -> None:
    path, images = trained(tmp_path), pictures()
    table = find_ranges(path, images, "percentile")
    assert (table.net, table.method, table.images) == ("fatigue", "percentile", len(images))
    assert table.model_sha256 == model_hash(read_model(path, "fatigue"))
    assert table.data_sha256 == hashlib.sha256(images.tobytes()).hexdigest()
    assert find_ranges(path, images[1:]).data_sha256 != table.data_sha256


def test_a_table_is_read_as_it_was_written(tmp_path: Path, observed) -> None:
    table = observed.table("mse")
    table.save(tmp_path / "ranges.json")
    assert load_ranges(tmp_path / "ranges.json") == table


def test_ranges_of_another_model_are_refused(observed) -> None:
    with pytest.raises(EngineMismatch, match="another fatigue model"):
        observed.table("minmax").check_model("fatigue", "0" * 64, "mine.json")


def test_an_unknown_method_names_the_known_ones(observed) -> None:
    with pytest.raises(ConfigError, match="minmax, percentile, mse, entropy"):
        observed.table("kl")


@pytest.mark.parametrize(
    "images", [pictures(LEAST_IMAGES - 1), np.repeat(pictures(1), 100, axis=0)], ids=["few", "copies"]
)
def test_too_few_pictures_are_refused(images) -> None:
    with pytest.raises(InputError, match=r"different pictures .* at least 64"):
        observe(tiny_net(), "fatigue", images)


def test_pictures_that_leave_a_tensor_still_are_refused() -> None:
    net = tiny_net()
    bias = next(w for w in net.graph.initializer if w.name == "b0")
    bias.raw_data = np.full(16, -1000, np.float32).tobytes()  # its ReLU never opens
    with pytest.raises(InputError, match=r"never change .*r0"):
        observe(net, "fatigue", pictures())


@pytest.mark.parametrize("text", ["", "{}", '{"net": "fatigue"}', "[]"])
def test_a_damaged_table_is_refused_with_the_cure(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ranges.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"no ranges table .* `dms calibrate ranges`"):
        load_ranges(path)
    with pytest.raises(InputError, match="no readable ranges"):
        load_ranges(tmp_path / "gone.json")


def test_text_has_a_line_a_tensor() -> None:
    table = RangesTable(
        net="eyes", method="minmax", images=64, data_sha256="d", model_sha256="m", tensors={"a": (-1, 2)}
    )
    assert '\n    "a": [-1.0, 2.0]\n' in table.text()
