import pytest

from dms import resources
from dms.errors import ConfigError, InputError


def make(folder):
    folder.mkdir(parents=True)
    return folder


def test_a_checkout_has_its_files_beside_the_package():
    assert (resources.configs_folder() / "demo.yaml").is_file()
    assert resources.default_config_path().name == "default.yaml"
    assert resources.engines_folder().is_dir()


def test_a_wheel_has_them_inside_the_package_and_they_win(tmp_path):
    package = make(tmp_path / "site" / "dms")
    outside, inside = make(tmp_path / "site" / "engines"), package / "share" / "engines"
    assert resources.engines_folder(package) == outside
    assert resources.engines_folder(package) != make(inside)
    assert resources.engines_folder(package) == inside


@pytest.mark.parametrize("find", [resources.engines_folder, resources.configs_folder, resources.demo_clip])
def test_an_incomplete_installation_says_so(tmp_path, find):
    with pytest.raises(InputError, match="install the package again"):
        find(make(tmp_path / "site" / "dms"))


def test_a_config_is_found_by_path_or_by_shipped_name(tmp_path):
    own = tmp_path / "own.yaml"
    own.touch()
    assert resources.config_path(str(own)) == own
    assert resources.config_path("demo") == resources.configs_folder() / "demo.yaml"


@pytest.mark.parametrize(("given", "why"), [("nowhere.yaml", "does not exist"), ("/", "is a folder")])
def test_a_config_that_is_not_there_lists_the_shipped_ones(given, why):
    with pytest.raises(ConfigError, match=rf"{given}: {why}.*default, demo, orin"):
        resources.config_path(given)
