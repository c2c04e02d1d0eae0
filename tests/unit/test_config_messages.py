"""What a wrong configuration is told, and how keys read."""

import pytest

from dms.config.assess import AvailabilityConfig
from dms.config.file import load_config
from dms.config.text import allowed, leaf_paths
from dms.errors import ConfigError

RUNTIMES = "ort or ort-cuda or ort-tensorrt or openvino or litert or qnn or trt"


@pytest.mark.parametrize(
    ("key", "may_be"), [("engines.fallback", f"{RUNTIMES} or null"), ("engines.face.backend", RUNTIMES)]
)
def test_a_choice_is_told_in_plain_words_with_or_without_null(key, may_be):
    with pytest.raises(ConfigError) as told:
        load_config([], [f"{key}=nope"])
    assert str(told.value) == f"--set {key}=nope: {key}: 'nope' is not allowed: must be {may_be}"


@pytest.mark.parametrize("value", ["{front: demo}", "{uri: demo}"])
def test_a_camera_that_is_no_section_is_told_in_plain_words(value):
    with pytest.raises(ConfigError, match=r"'demo' is not allowed: must be the keys of a source, such as"):
        load_config([], [f"cameras={value}"])


@pytest.mark.parametrize(("name", "meant"), [("sped", "; did you mean speed?"), ("wipers", ".")])
def test_a_signal_that_there_is_not_is_told_by_name_with_all_there_are(name, meant):
    given = [f"inputs.can.signals={{{name}: {{id: 1, start_bit: 0, length_bits: 8}}}}"]
    with pytest.raises(ConfigError) as told:
        load_config([], given)
    assert f"inputs.can.signals.{name}: no signal is called {name!r}{meant} There are speed, gear," in str(
        told.value
    )


def test_a_cameras_name_is_told_its_letters():
    with pytest.raises(
        ConfigError, match=r"cameras\.cab 1: a name is of letters, digits, - and _, at most 32"
    ):
        load_config([], ["cameras={cab 1: {uri: demo}}"])


AFTER_S = [name for name in AvailabilityConfig.model_fields if name.endswith("_after_s")]
NO_CAUSE = {"forget_after_s", "new_drive_after_s"}


@pytest.mark.parametrize("name", sorted({*AFTER_S} - NO_CAUSE))
def test_nothing_puts_off_a_cause_beyond_ten_seconds(name):
    with pytest.raises(ConfigError, match=f"assess.availability.{name}: 10.5 is not allowed: must be"):
        load_config([], [f"assess.availability.{name}=10.5"])


def test_no_key_shows_how_it_is_written_in_python():
    for path in leaf_paths():
        assert not any(word in allowed(path) for word in ("typing", "<class", "None")), path


def test_a_delegate_of_another_runtime_is_refused() -> None:
    given = ["engines.eyes.delegate=/usr/lib/libx.so"]
    assert (
        load_config([], [*given, "engines.eyes.backend=litert"]).engines.eyes.delegate == "/usr/lib/libx.so"
    )
    with pytest.raises(ConfigError, match=r"delegate is for the backend litert, not for ort; leave it out"):
        load_config([], given)
