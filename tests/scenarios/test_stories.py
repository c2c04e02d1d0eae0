"""Every named story at every rate: the same alerts at the same second, give or take one frame."""

from pathlib import Path

import pytest

from tests.scenarios.stories import STORIES
from tests.scenarios.telling import RATES


@pytest.mark.parametrize("fps", RATES, ids=lambda fps: f"{fps:g}fps")  # a story's rates follow each other
@pytest.mark.parametrize("name", STORIES)
def test_story(name, fps):
    assert STORIES[name].wrong_at(fps) == [], STORIES[name].title


def test_no_two_stories_share_a_name_or_a_title():
    titles = [told.title for told in STORIES.values()]
    assert len(set(titles)) == len(titles) >= 60


def test_the_published_list_is_of_these_stories():
    """`python -m tests.scenarios > docs/stories.md` prints it anew."""
    published = (Path(__file__).parents[2] / "docs/stories.md").read_text("utf-8")
    rows = (f"| {name} | {told.title} | {told.expected()} |" for name, told in STORIES.items())
    assert [row for row in rows if row not in published] == []
