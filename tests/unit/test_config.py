import json
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dms.backends import BACKENDS
from dms.config import Config, Precision, Runtime
from dms.config.file import load_config
from dms.config.text import commented_yaml, config_schema, default_yaml, leaf_paths, render
from dms.engines.limits import ASKED
from dms.engines.manifest import ARTEFACTS, PRECISIONS
from dms.errors import ConfigError
from dms.resources import configs_folder, default_config_path


@pytest.fixture
def file(tmp_path):
    """Writes a configuration file and gives its path."""

    def write(text, name="my.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def value_at(config, path):
    for key in path:
        config = getattr(config, key)
    return config


def refused(paths, overrides=()):
    with pytest.raises(ConfigError) as caught:
        load_config(paths, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_nothing_given_means_the_defaults():
    assert load_config([]) == Config()


def test_default_yaml_is_up_to_date():
    assert default_config_path().read_text() == default_yaml(), "run `make config`"


def test_default_yaml_loads_as_the_defaults():
    assert load_config([default_config_path()]) == Config()


def test_default_yaml_holds_every_key_under_a_comment():
    lines = default_yaml().splitlines()
    keys = [i for i, line in enumerate(lines) if line.strip() and not line.strip().startswith("#")]
    leaves = [line for line in (lines[i] for i in keys) if not line.endswith(":")]
    assert len(leaves) == len(list(leaf_paths()))
    assert [lines[i] for i in keys if not lines[i - 1].strip().startswith("# ")] == []
    assert "None" not in default_yaml()


def test_default_yaml_tells_range_and_unit():
    text = " ".join(default_yaml().replace("#", " ").split())
    assert "[a whole number from 16 up to 7680, pixels] width_px: 640" in text
    assert "[a number above 0, seconds] lost_after_s: 2.0" in text
    assert "[3.1.1 or 5] protocol: 3.1.1" in text


@pytest.mark.parametrize("name", ["default", "demo", "orin"])
def test_the_shipped_files_are_valid(name):
    assert load_config([configs_folder() / f"{name}.yaml"])


def test_overlays_are_merged_deeply_and_the_later_one_wins(file):
    first = file("source: {fps: 10, width_px: 320}\nsinks:\n  mqtt: {host: a}\n", "first.yaml")
    second = file("source:\n  fps: 20.5\nsinks:\n  mqtt:\n    port: 1884\n", "second.yaml")
    config = load_config([first, second], ["source.fps=25", "sinks.mqtt.tls={enabled: true}"])
    assert (config.source.fps, config.source.width_px) == (25.0, 320)
    assert (config.sinks.mqtt.host, config.sinks.mqtt.port) == ("a", 1884)
    assert config.sinks.mqtt.tls.enabled is True


@pytest.mark.parametrize(
    ("override", "path", "expected"),
    [
        ("source.realtime=true", ("source", "realtime"), True),
        ("sinks.jsonl.path=", ("sinks", "jsonl", "path"), None),
        ("sinks.jsonl.path=a=b.jsonl", ("sinks", "jsonl", "path"), "a=b.jsonl"),
        ("source.uri=rtsp://user@host:554/x?y=1", ("source", "uri"), "rtsp://user@host:554/x?y=1"),
        ('source.uri="0"', ("source", "uri"), "0"),
        ("engines.eyes.precision=fp32", ("engines", "eyes", "precision"), "fp32"),
    ],
)
def test_an_override_is_yaml(override, path, expected):
    assert value_at(load_config([], [override]), path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "source:\n  fps: 15\n  widht_px: 3\n",
            ":3: source.widht_px: unknown key; did you mean source.width_px?",
        ),
        ("host: x\n", ":1: host: unknown key; did you mean sinks.mqtt.host?"),
        ("service: {qqq: 1}\n", ":1: service.qqq: unknown key; the keys here are vitals_every_s"),
        (
            "\n\nsource:\n  fps: 0\n",
            ":4: source.fps: 0 is not allowed: must be a number above 0 up to 240, frames a second",
        ),
        ("source: {fps: fast}", ":1: source.fps: 'fast' is not allowed: must be a number"),
        ("source: {fps: .nan}", ":1: source.fps: nan is not allowed"),
        ("source: {lost_after_s: .inf}", ":1: source.lost_after_s: inf is not allowed"),
        ("source: {width_px: 640.5}", ":1: source.width_px: 640.5 is not allowed: must be a whole number"),
        ("source: {width_px: true}", ":1: source.width_px: True is not allowed"),
        ("source: {realtime: 1}", ":1: source.realtime: 1 is not allowed: must be true or false"),
        ("source: {uri: 0}", ":1: source.uri: 0 is not allowed: must be text; put the value in quotes"),
        (
            "sinks:\n  mqtt:\n    protocol: 5",
            ":3: sinks.mqtt.protocol: 5 is not allowed: must be 3.1.1 or 5; put the value in quotes",
        ),
        ("sinks: {mqtt: {vehicle: a/b}}", "must be text matching ^[A-Za-z0-9_-]{1,64}$"),
        ("source:\n", ":1: source: None is not allowed: must be a section with the keys uri"),
        ("source: [1, 2]\n", ":1: source: [1, 2] is not allowed: must be a section"),
        ("source:\n  fps: 1\n  fps: 2\n", ":3: source.fps stands here a second time"),
        ("source: {uri: 2026-99-99}", ":1: source.uri: '2026-99-99' is no valid value"),
        ("source: {realtime: !!bool maybe}", ":1: source.realtime: 'maybe' is no valid value"),
        ("source: !!python/object:os.system {}", ":1: "),
        ("1: 2\n", ":1: '1' is no key"),
        ("? [a, b]\n: 2\n", "is no key"),
        ("source: &a {fps: 1}\nsinks: *a\n", ":2: this is not valid YAML: aliases"),
        ("source: [1\n", ":2: this is not valid YAML"),
        ("a: 1\n---\nb: 2\n", ":2: this is not valid YAML"),
        ("- 1\n", ": holds no mapping"),
        ("just words", ": holds no mapping"),
        (b"\xff\xfe\xff", ": this is not YAML text"),
        (b"source: {uri: \x00}", ": this is not YAML text"),
        ("[" * 20_000, ": nested too deeply"),
        (
            "assess: {eyes: {closed_below: 0.7}}",
            ":1: assess.eyes: closed_below (0.7) must not exceed open_above (0.5)",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_cure(file, text, message):
    path = file(text)
    told = refused([path])
    assert told.startswith(str(path))
    assert message in told
    assert "\n" not in told


def test_every_problem_gets_a_line_with_its_own_file(file):
    first, second = file("source: {fps: -1}", "first.yaml"), file("\nsinks: {mqtt: {port: 0}}", "second.yaml")
    lines = refused([first, second], ["alerts.porfile=x"]).splitlines()
    places = {line.partition(": ")[0] for line in lines}
    assert places == {f"{first}:1", f"{second}:2", "--set alerts.porfile=x"}


def test_a_value_set_right_by_a_later_layer_is_no_problem(file):
    assert load_config([file("source: {fps: -1}")], ["source.fps=30"]).source.fps == 30.0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("source.fps", "write it as key=value"),
        ("=3", "write it as key=value"),
        ("source..fps=3", "write it as key=value"),
        ("sorce.fps=3", "sorce: unknown key; did you mean source?"),
        ("source.fps.x=3", "source.fps: {'x': 3} is not allowed"),
        ("source.fps=[1", "this is not valid YAML"),
        ("source.uri=\udcff", "this is not YAML text"),
    ],
)
def test_a_wrong_override_is_named(override, message):
    told = refused([], [override])
    assert told.startswith(f"--set {override}: ")
    assert message in told


def test_a_long_value_is_cut_in_the_message(file):
    assert len(refused([file("source: {fps: " + "x" * 5000 + "}")])) < 300


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "source: {}\n"])
def test_an_empty_file_changes_nothing(file, text):
    assert load_config([file(text)]) == Config()


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert refused([tmp_path / "none.yaml"]) == f"{tmp_path}/none.yaml: no such configuration file"
    assert refused([tmp_path]) == f"{tmp_path}: cannot be read: Is a directory"


def load_or_message(path):
    try:
        return load_config([path])
    except ConfigError as e:
        return str(e)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_give_a_configuration_or_a_config_error(tmp_path_factory, noise):
    path = tmp_path_factory.getbasetemp() / "noise.yaml"
    path.write_bytes(noise)
    outcome = load_or_message(path)
    assert outcome == Config() or str(outcome).startswith(str(path))


@pytest.mark.parametrize("write", [render, commented_yaml])
def test_what_is_shown_can_be_loaded_again(file, write):
    config = load_config([], ["source.uri='ü: #1'", "sinks.mqtt.protocol='5'", "source.fps=12.5"])
    assert load_config([file(write(config))]) == config


def schema_at(schema, path):
    entry = schema
    for key in path:
        model = schema["$defs"][entry["$ref"].rpartition("/")[2]] if "$ref" in entry else entry
        entry = model["properties"][key]
    return entry


def test_the_schema_describes_every_key():
    schema = json.loads(json.dumps(config_schema()))
    for path in leaf_paths():
        entry = schema_at(schema, path)
        assert entry["description"], path
        assert entry["title"], path
        assert "default" in entry, path


def test_the_schema_tells_units_and_refuses_unknown_keys():
    schema = config_schema()
    width = schema_at(schema, ("source", "width_px"))
    assert (width["x-unit"], width["minimum"], width["maximum"]) == ("pixels", 16, 7680)
    assert width["description"].endswith("[pixels]")
    assert all(model["additionalProperties"] is False for model in [schema, *schema["$defs"].values()])


def test_shipped_overlays_hold_overrides_only():
    for name in ("demo", "orin"):
        path = Path(configs_folder() / f"{name}.yaml")
        assert path.stat().st_size < 1500
        assert "sinks" in yaml.safe_load(path.read_text())


def test_every_runtime_can_be_named_and_knows_its_files() -> None:
    assert get_args(Precision) == ASKED
    assert get_args(Runtime) == tuple(BACKENDS) == tuple(ARTEFACTS)
    for forms in ARTEFACTS.values():
        assert set(forms) <= set(get_args(Precision)) - {"best"}
        assert set(forms.values()) <= set(PRECISIONS)
        assert "int8" in forms
    for runtime in BACKENDS.values():
        assert runtime.float_precision in runtime.artefacts


@pytest.mark.parametrize("most", [0, 65, "many"])
def test_a_batch_is_1_to_64_pictures(most):
    assert load_config([], ["engines.max_batch=64"]).engines.max_batch == 64
    assert "engines.max_batch" in refused([], [f"engines.max_batch={most}"])


def test_cameras_have_names_of_the_user_and_the_keys_of_a_source(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("cameras:\n  left: {uri: /dev/video0}\n  right: {uri: /dev/video2, fps: 15.0}\n")
    loaded = load_config([path])
    assert list(loaded.cameras) == ["left", "right"]
    assert (loaded.cameras["right"].uri, loaded.cameras["right"].fps) == ("/dev/video2", 15.0)
    assert loaded.cameras["left"].fps == 30.0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cameras: {left: {fsp: 3}}\n", ":1: cameras.left.fsp: unknown key; did you mean cameras.left.fps?"),
        ("cameras: {left: {fps: x}}\n", ":1: cameras.left.fps: 'x' is not allowed: must be a number above 0"),
        ('cameras: {"a b": {uri: demo}}\n', "cameras.a b: a name is of letters, digits, - and _, at most 32"),
        ("schedule: {fatigue: {every_s: 0.5}}\n", "every_s at most max_age_s: got 0, 0.5 and 0.25"),
        (
            "schedule: {budget_s: 0}\n",
            "schedule.budget_s: 0 is not allowed: must be a number above 0, seconds or null",
        ),
    ],
)
def test_cameras_and_rates_that_cannot_be_are_told_with_their_cure(
    tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(told)):
        load_config([path])


def test_a_rate_keeps_its_other_defaults() -> None:
    rate = load_config([], ["schedule.fatigue.max_age_s=0.4"]).schedule.fatigue
    assert (rate.every_s, rate.urgent_every_s, rate.max_age_s) == (0.066, 0.0, 0.4)


def test_a_result_must_be_renewed_before_it_is_stale() -> None:
    with pytest.raises(ConfigError, match=r"schedule\.distraction\.max_age_s is 0\.6, but .* 0\.5 seconds"):
        load_config([], ["schedule.distraction.max_age_s=0.6"])
