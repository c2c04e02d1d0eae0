"""The judgement of real drivers stays what was looked at and accepted, to the frame.

A change that is meant is accepted with `python -m tests.golden --accept`, which shows it.
"""

import pytest

from tests.golden.timelines import CLIPS, FOLDER, difference, timeline

LARGEST_BYTES = 300_000


@pytest.mark.parametrize("name", CLIPS)
def test_the_timeline_is_as_accepted(name):
    assert difference(name, timeline(name)) == ""


def test_recordings_are_small():
    sizes = {path.name: path.stat().st_size for path in (FOLDER / "recordings").iterdir()}
    assert len(sizes) == len(CLIPS)
    assert max(sizes.values()) < LARGEST_BYTES
