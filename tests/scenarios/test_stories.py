"""Every named story at every rate: the same alerts at the same second, give or take one frame."""

import pytest

from tests.scenarios.stories import STORIES
from tests.scenarios.telling import RATES


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("fps", RATES, ids=lambda fps: f"{fps:g}fps")
def test_story(name, fps):
    assert STORIES[name].wrong_at(fps) == [], STORIES[name].title


def test_no_two_stories_share_a_name_or_a_title():
    titles = [told.title for told in STORIES.values()]
    assert len(set(titles)) == len(titles) >= 60
