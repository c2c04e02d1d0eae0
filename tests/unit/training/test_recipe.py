from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="recipes shape nets of torch")

from dms.engines.contract import CONTRACTS  # noqa: E402 - after the check that torch is there
from dms.errors import ConfigError  # noqa: E402
from dms.training.recipe import Recipe, make_net, recipe  # noqa: E402


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps: 1\nseconds: 1\nstep: 3", "`step` is unknown; did you mean `steps`?"),
        ("steps: 1\nseconds: 1\nfoo: 3", "`foo` is unknown; known: steps, seconds"),
        ("seconds: 1", "`steps` is missing"),
        ("steps: 0\nseconds: 1", "`steps`: Input should be greater than 0"),
        (
            "steps: 1\nseconds: 1\nteacher_kind: tall",
            "`teacher_kind`: Input should be 'wide' or 'pretrained'",
        ),
        ("- 1", "must map keys to values"),
        ("steps: [", "no training recipe"),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "net.yaml").write_text(text)
    with pytest.raises(ConfigError, match="no training recipe") as refused:
        recipe(tmp_path / "net.yaml")
    assert told in str(refused.value)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml is no training recipe: No such file"):
        recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize("net", CONTRACTS)
def test_the_recipes_that_ship_are_sound(net: str) -> None:
    how = recipe(Path(__file__).parents[3] / "configs" / "training" / f"{net}.yaml")
    assert how.steps > 1000
    make_net(net, how.net)


def test_the_shape_of_a_net_is_part_of_its_recipe() -> None:
    net = make_net("fatigue", {"channels": [8, 16, 16, 16, 16]})
    assert net.embed.trunk[0].conv.out_channels == 8


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ({"channel": [8, 16]}, "`channel` is unknown; did you mean `channels`?"),
        ({"channels": "wide"}, "is no shape of the fatigue net"),
        ({"channels": []}, "is no shape of the fatigue net"),
    ],
)
def test_an_impossible_shape_is_refused(shape: dict, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make_net("fatigue", shape)
    assert told in str(refused.value)


def test_changed_values_are_checked_as_well() -> None:
    how = Recipe(steps=4, seconds=1)
    assert how.override(steps=None, batch=8).batch == 8
    with pytest.raises(ConfigError, match="`batch`"):
        how.override(batch=0)


def test_augmentation_calms_down_to_a_quarter() -> None:
    how = Recipe(steps=4, seconds=1, calm_from=0.8)
    assert [how.strength(p) for p in (0, 0.8)] == [1, 1]
    assert how.strength(0.9) == pytest.approx(0.625)
    assert how.strength(1) == how.strength(1.5) == pytest.approx(0.25)
    assert Recipe(steps=4, seconds=1).strength(1) == 1
