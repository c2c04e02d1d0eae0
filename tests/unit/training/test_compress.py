from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("PIL", reason="training reads pictures with Pillow")
pytest.importorskip("tqdm", reason="training shows its progress with tqdm")
pytest.importorskip("onnx", reason="trained nets are exported with onnx")

from dms.engines import release  # noqa: E402 - after the check that torch is there
from dms.engines.contract import CONTRACTS  # noqa: E402
from dms.engines.quantize import FORMS  # noqa: E402
from dms.engines.storage import model_hash, read_model  # noqa: E402
from dms.engines.table import load_ranges  # noqa: E402
from dms.errors import ConfigError, EngineMismatch, InputError  # noqa: E402
from dms.training import compare, compress, cost, distil, fitting, nets, prune, qat, trial  # noqa: E402
from dms.training.data import Data, open_data  # noqa: E402
from dms.training.recipe import Recipe, make_net  # noqa: E402

CONFIGS = Path(__file__).parents[3] / "configs" / "training"
SMALL = {"channels": [16, 16, 16, 16, 16]}
HOW = Recipe(steps=2, seconds=600, batch=4, net=SMALL)


@pytest.fixture(scope="module")
def data(folder: Path) -> Data:
    return open_data(folder)


@pytest.fixture(scope="module")
def many(data: Data) -> Data:
    """Enough different crops to find ranges with."""
    rng = np.random.default_rng(0)
    table = {k: np.tile(v, (8, *[1] * (v.ndim - 1))) for k, v in data.pack.tables["fatigue"].items()}
    table["crop"] = table["crop"] + rng.uniform(-9, 9, table["crop"].shape).astype(np.float32) * [1, 1, 1, 0]
    table["crop"] = table["crop"].astype(np.float32)
    return Data(type(data.pack)(data.pack.blobs, data.pack.tables | {"fatigue": table}), data.bank, "")


def trained_like(net: torch.nn.Module, name: str) -> torch.nn.Module:
    """A fresh net whose norms have seen pictures and differ from channel to channel."""
    torch.manual_seed(2)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.2, 0.2)
    with torch.no_grad():
        net.train()(torch.from_numpy(trial.noise_images(name, 8)))
    return net.eval()


def test_size_and_work_are_those_of_the_design() -> None:
    net = compare.Reference()
    assert cost.parameters(net) / 1e6 == pytest.approx(1.52, abs=0.01)
    assert cost.mmac("eyes", net) == pytest.approx(127, abs=0.5)


FINE = {"channels": [16, 32, 32, 48], "depths": [1, 2, 1], "thin": 32, "fine": 16}


@pytest.mark.parametrize(("name", "built"), [*((name, {}) for name in CONTRACTS), ("eyes", FINE)])
def test_a_net_cut_of_nothing_says_the_same(name: str, built: dict) -> None:
    net = trained_like(make_net(name, built), name)
    weight = {conv: torch.rand(g.channels) for g in prune.groups(net) for conv in g.convs}
    shape: dict[str, list[int]] = {}
    for group in prune.groups(net):
        shape.setdefault(group.key, []).append(group.channels)
    image = torch.from_numpy(trial.noise_images(name, 2))
    same = prune.cut(name, net, built | shape, weight).eval()
    for key, value in net(image).items():
        assert torch.allclose(same(image)[key], value, atol=1e-5), key


@pytest.mark.parametrize(("name", "built"), [*((name, {}) for name in CONTRACTS), ("eyes", FINE)])
def test_channels_that_do_nothing_can_be_cut(name: str, built: dict) -> None:
    net = trained_like(make_net(name, built), name)
    weight, shape = {}, {}
    for group in prune.groups(net):
        shape.setdefault(group.key, []).append(group.channels - 8)
        for conv in group.convs:
            idle = torch.randperm(group.channels)[:8]
            weight[conv] = torch.ones(group.channels)
            weight[conv][idle] = 0
            conv.norm.weight.data[idle] = 0
            conv.norm.bias.data[idle] = 0
    small = prune.cut(name, net, built | shape, weight).eval()
    image = torch.from_numpy(trial.noise_images(name, 2))
    assert cost.mmac(name, small) < cost.mmac(name, net)
    for key, value in net(image).items():
        assert torch.allclose(small(image)[key], value, atol=1e-4), key


def test_the_least_important_channels_go_first() -> None:
    net = make_net("fatigue", {})
    weight = {conv: torch.ones(g.channels) for g in prune.groups(net) for conv in g.convs}
    for conv in prune.groups(net)[3].convs:
        weight[conv] *= 1e-6
    shape = prune.choose("fatigue", net, {}, weight, 0.9)
    assert shape["channels"][3] < 96
    assert [shape["channels"][k] for k in (0, 1, 2, 4)] == [16, 32, 64, 128]
    assert cost.mmac("fatigue", make_net("fatigue", shape)) <= 0.9 * cost.mmac("fatigue", net)


def test_no_more_is_cut_than_was_asked_for() -> None:
    net = make_net("fatigue", {})
    weight = {conv: torch.ones(g.channels) for g in prune.groups(net) for conv in g.convs}
    shape = prune.choose("fatigue", net, {}, weight, 0.8)["channels"]
    goal = 0.8 * cost.mmac("fatigue", net)
    assert cost.mmac("fatigue", make_net("fatigue", {"channels": shape})) <= goal
    for k, whole in enumerate((16, 32, 64, 96, 128)):
        more = [*shape[:k], shape[k] + 16 if shape[k] >= 48 else shape[k] + 8, *shape[k + 1 :]]
        if more[k] <= whole:
            assert cost.mmac("fatigue", make_net("fatigue", {"channels": more})) > goal


def test_too_little_to_keep_is_refused() -> None:
    net = make_net("fatigue", SMALL)
    weight = {conv: torch.ones(g.channels) for g in prune.groups(net) for conv in g.convs}
    with pytest.raises(InputError, match="no net of 1% of the work is left"):
        prune.choose("fatigue", net, SMALL, weight, 0.01)


def test_a_net_without_trunk_cannot_be_pruned() -> None:
    with pytest.raises(InputError, match="nothing to prune"):
        prune.groups(torch.nn.Linear(2, 2))


def test_pruning_tells_before_and_after(many: Data, tmp_path: Path) -> None:
    fitting.fit_one("fatigue", many, HOW, tmp_path / "whole")
    report = compress.pruned(tmp_path / "whole", many, tmp_path / "small", 0.8, 2, batch=2)
    assert list(report) == ["before", "cut alone", "trained on"]
    assert report["trained on"]["mmac"] < 0.8 * report["before"]["mmac"]
    assert report["cut alone"]["parameters"] == report["trained on"]["parameters"]
    assert report == json.loads((tmp_path / "small" / "prune.json").read_text())
    assert "ort_ms_int8" in compress.text(report)
    again = compress.pruned(tmp_path / "whole", many, tmp_path / "small", 0.8, 2, resume=True)
    assert again["cut alone"]["fp32"] == report["cut alone"]["fp32"]
    assert fitting.load_trained(tmp_path / "small").embed.trunk[0].conv.out_channels <= 16


def test_rounding_changes_little_and_lets_gradients_pass() -> None:
    weight = torch.randn(5, 3, 3, 3, requires_grad=True)
    rounded = qat.rounded_weight(weight)
    assert (rounded - weight).abs().amax() <= weight.abs().amax() / 254 + 1e-6
    assert all(len(set(row.flatten().tolist())) <= 255 for row in rounded)
    rounded.sum().backward()
    assert torch.allclose(weight.grad, torch.ones_like(weight))


@pytest.mark.parametrize("name", CONTRACTS)
def test_rounded_nets_come_back_as_plain_ones(name: str) -> None:
    net = trained_like(make_net(name, {}), name)
    plain = make_net(name, {})
    tops = qat.finished(qat.prepare(net), plain)
    assert len(tops) == sum(isinstance(m, nets.ConvBn) for m in net.modules())
    image = torch.from_numpy(trial.noise_images(name, 2))
    for key, value in net(image).items():
        assert torch.allclose(plain.eval()(image)[key], value, atol=1e-4), key


def test_tuning_gives_ranges_the_engines_take(many: Data, tmp_path: Path) -> None:
    fitting.fit_one("fatigue", many, HOW, tmp_path / "plain")
    report = compress.tuned(tmp_path / "plain", many, tmp_path / "tuned", 2)
    assert {"fp32", "int8", "ort_ms_int8", "int8_megabytes"} <= report["before (PTQ)"].keys()
    assert report["after (QAT)"]["mmac"] == report["before (PTQ)"]["mmac"]
    table = load_ranges(tmp_path / "tuned" / "ranges.json")
    tops = json.loads((tmp_path / "tuned" / "tops.json").read_text())
    assert table.method == "learned"
    assert {table.tensors[qat.relu_of(name, table.tensors)][1] for name in tops} == set(tops.values())
    release.place("fatigue", tmp_path / "tuned" / "model.onnx", tmp_path / "engines")
    model = read_model(release.fp32_path("fatigue", tmp_path / "engines"), "fatigue")
    table.check_model("fatigue", model_hash(model), "ranges.json")
    assert set(release.place_int8("fatigue", tmp_path / "engines", table, ())) == set(FORMS)


def test_a_range_without_a_tensor_is_refused() -> None:
    tensors = {"/net/embed/trunk/trunk.1/trunk.1.0/Relu_output_0": (0.0, 1.0)}
    assert qat.relu_of("embed.trunk.1.0", tensors) is not None
    assert qat.relu_of("embed.trunk.1.1", tensors) is None
    table = trial.RangesTable(
        net="eyes", method="minmax", images=64, data_sha256="", model_sha256="", tensors=tensors
    )
    with pytest.raises(EngineMismatch, match=r"no result of embed.trunk.1.1"):
        trial.learned(table, {"embed.trunk.1.1": 2.0})
    assert trial.learned(table, {"embed.trunk.1.0": 2.0}).tensors == {next(iter(tensors)): (0.0, 2.0)}


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_student_of_itself_has_no_distance(data: Data, name: str) -> None:
    task = fitting.make_task(name, data, Recipe(steps=1, seconds=1))
    taught = distil.Distilled(task, [task.net.eval()], own_share=0.25)
    images, target = taught.batch(4)
    out = task.net(images)
    parts = taught.loss(task.net.train()(images) if name == "distraction" else out, target)
    own = task.loss(task.net(images), target)
    assert set(own) <= set(parts)
    agreed = {k: out[k].detach() for k in out}
    still = distil.distances(out, agreed)
    away = distil.distances({k: v * 0.5 + 0.01 for k, v in out.items()}, agreed)
    assert set(still) == set(away)
    assert sum(map(float, still.values())) <= sum(map(float, away.values()))


def test_distillation_without_teachers_is_refused(data: Data, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no teachers"):
        compress.distil("fatigue", data, HOW, tmp_path, (), False)


def test_speed_is_told_by_shape_in_units_of_the_reference(tmp_path: Path) -> None:
    shapes = {"ships": SMALL, "wider": {"channels": [16, 32, 32, 32, 32]}}
    rows = compare.measure_speed("fatigue", shapes, rounds=2)
    assert rows["wider"]["mmac"] > rows["ships"]["mmac"]
    assert rows[compare.REFERENCE]["ms"]["ort int8"] > 0
    compare.write(compare.merged(tmp_path / "c.json", "fatigue", shapes, rows), tmp_path / "c.json")
    again = compare.merged(tmp_path / "c.json", "fatigue", shapes, {"ships": {"fp32": 0.9}})
    assert again["fatigue"]["ships"]["mmac"] == rows["ships"]["mmac"]
    long = {"steps": 4000, "batch": 256, "annealed": True, "scores": {"recall": "0.99"}}
    again["fatigue"]["ships"]["trained"] = [long, long | {"steps": 900, "annealed": False}]
    assert "| ships | 900 | 256 | no | 0.99 |\n| ships | 4,000 | 256 | yes | 0.99 |" in compare.page(again)
    changed = compare.merged(tmp_path / "c.json", "fatigue", {"ships": {"channels": [8] * 5}}, {})
    assert changed["fatigue"]["ships"] == {"shape": {"channels": [8] * 5}}
    page = (tmp_path / "c.md").read_text()
    assert "| ships |" in page
    assert "0.366 |" in page


@pytest.mark.parametrize(
    ("text", "told"),
    [("eyez: {}", "did you mean `eyes`?"), ("eyes: {a: {channel: 3}}", "did you mean `channels`?"),
     ("eyes: {a: 3}", "must map to keyword arguments"), ("- 3", "must map nets to names"), ("{", "no list")],
)  # fmt: skip
def test_wrong_candidates_are_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        compare.candidates(tmp_path / "c.yaml", CONFIGS)
    assert told in str(refused.value)


def test_the_candidates_that_ship_are_sound() -> None:
    found = compare.candidates(CONFIGS / "candidates.yaml", CONFIGS)
    assert all(4 <= len(shapes) <= 8 for shapes in found.values())
    assert found.keys() == CONTRACTS.keys()


def test_the_page_of_candidates_is_that_of_its_figures() -> None:
    docs = CONFIGS.parents[1] / "docs"
    table = json.loads((docs / "candidates.json").read_text(encoding="utf-8"))
    assert compare.page(table) == (docs / "candidates.md").read_text(encoding="utf-8")


def test_a_shape_is_held_against_its_budget() -> None:
    ms = {"ort fp32": 2.0, "ort int8": 1.0}
    row = {"parameters": 1, "mmac": 1.0, "megabytes": 1.0, "ms": ms, "shape": {}}
    slow = row | {"ms": {"ort fp32": 2.0, "ort int8": 1.5}}
    page = compare.page({"eyes": {"ships": row, "slow": slow, compare.REFERENCE: row | {"shape": None}}})
    verdicts = {
        line.split(" | ")[0][2:]: line.split(" | ")[-1] for line in page.splitlines() if " | " in line
    }
    assert verdicts["ships"] == "within |"
    assert verdicts["slow"] == "over |"
    assert verdicts[compare.REFERENCE] == "– |"
