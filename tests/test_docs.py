"""Links between pages lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "calib_data/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
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
