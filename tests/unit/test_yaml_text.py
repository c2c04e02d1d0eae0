"""What every YAML file of the product is refused for, whoever reads it."""

import pytest
import yaml

from dms.config.cabin_file import read_cabin
from dms.config.nearest import nearest
from dms.config.yaml_text import place_of, read_yaml
from dms.errors import ConfigError, DmsError
from dms.resources import configs_folder
from dms.tools.event_truth import read_events

TEXT = """\
a: 1
b:
  - {c: x}
  - [true, 2.5,
     null]
"""


def test_a_text_is_read_as_it_is_and_every_value_knows_its_line():
    content, places = read_yaml(TEXT, "my.yaml")
    assert content == yaml.safe_load(TEXT)
    assert places[("b", 1, 2)] == "my.yaml:5"
    assert place_of(places, ("b", 0, "c", "nowhere")) == "my.yaml:3"
    assert read_yaml("", "my.yaml") == (None, {})


def test_places_without_lines_are_the_origin():
    assert read_yaml("[1]", "--set a=[1]", root=("a",), numbered=False)[1] == {
        ("a",): "--set a=[1]",
        ("a", 0): "--set a=[1]",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\na: 2\n", "my.yaml:2: a stands here a second time"),
        ("a:\n- b: 1\n  b: 2\n", "my.yaml:3: a.0.b stands here a second time"),
        ("a: &x 1\nb: *x\n", "my.yaml:2: this is not valid YAML: aliases"),
        ("1: 2\n", "my.yaml:1: '1' is no key: keys are plain words"),
        ("a:\n- 2026-99-99\n", "my.yaml:2: a.0: '2026-99-99' is no valid value"),
        ("a: !!python/name:os.system x\n", "my.yaml:1: this is not valid YAML"),
        ("[" * 20_000, "my.yaml: nested too deeply"),
    ],
)
def test_what_is_no_plain_text_is_refused_with_its_line(text, told):
    with pytest.raises(ConfigError) as refusal:
        read_yaml(text, "my.yaml")
    assert str(refusal.value).startswith(told)


EVENT = "- {kind: phone, start_s: 1, start_s: 3, end_s: 4}\n"
CABIN = "name: mine\nzones: {}\nname: yours\n"


@pytest.mark.parametrize(
    ("read", "text", "key"),
    [(read_events, EVENT, "start_s"), (lambda path: read_cabin(str(path), configs_folder()), CABIN, "name")],
)
def test_cabins_and_events_take_no_key_twice(tmp_path, read, text, key):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(DmsError, match=rf"mine\.yaml:\d: .*{key} stands here a second time"):
        read(path)


def test_a_name_is_told_the_nearest_or_all():
    assert nearest("salon", ["saloon", "van"]) == "did you mean saloon?"
    assert nearest("", ["saloon", "van"]) == "there are saloon, van"
