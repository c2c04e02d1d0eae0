"""Links between pages lead somewhere, and what a page shows to be written can be loaded."""

import re
from pathlib import Path

import pytest
import yaml

from dms.alerts import load_profile
from dms.config import Config
from dms.config.cabin import Cabin
from dms.config.cabin_file import read_cabin
from dms.config.file import load_config

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "calib_data/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```yaml *(.*?)\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = [
    pytest.param(text, id=f"{page.relative_to(ROOT)}:{number}")
    for page in PAGES
    for number, (mark, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
    if not mark
]
"""Of YAML, but those marked as for other programs or as parts: "```yaml other"."""
ELSEWHERE = re.compile(r"[a-z]+:|#")


def links(text):
    """What Markdown links and images point to, without code."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return LINK.findall(prose)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page):
    targets = [target for target in links(page.read_text(encoding="utf-8")) if not ELSEWHERE.match(target)]
    lost = [target for target in targets if not (page.parent / target.partition("#")[0]).exists()]
    assert not lost


def test_links_are_found_in_prose_alone():
    text = "see [a](b.md#c) and ![d](e.png)\n```\n[no](code.md)\n```\nand `[no](x.md)`"
    assert links(text) == ["b.md#c", "e.png"]


def test_the_index_names_every_page():
    named = links((ROOT / "docs" / "index.md").read_text(encoding="utf-8"))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"} <= set(named)


@pytest.mark.parametrize("text", BLOCKS)
def test_every_configuration_profile_and_cabin_shown_is_taken(text, tmp_path):
    path = tmp_path / "shown.yaml"
    path.write_text(text, encoding="utf-8")
    keys = yaml.safe_load(text).keys()
    if keys & {"extends", "rules"}:
        assert load_profile(str(path)).rules
    elif "zones" in keys:
        assert read_cabin(str(path), tmp_path).zones
    else:
        assert keys <= Config.model_fields.keys()
        assert load_config([path]) != Config()


def test_the_kinds_of_files_are_told_apart_by_their_keys():
    assert len(BLOCKS) > 10
    assert not {"extends", "rules", "zones"} & Config.model_fields.keys()
    assert "rules" not in Cabin.model_fields
