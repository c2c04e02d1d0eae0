"""The named stories, by what they are about."""

from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from tests.scenarios.stories import alerting, fatigue, gaze, hands, hiding, sensing, vehicle, wiles
from tests.scenarios.telling import NamedStory

CHAPTERS: Mapping[str, ModuleType] = MappingProxyType(
    {
        "Where he looks": gaze,
        "Lids, mouth and nods": fatigue,
        "Hands": hands,
        "What cannot be judged": sensing,
        "Hidden while it matters": hiding,
        "The vehicle": vehicle,
        "Alerts and profiles": alerting,
        "Habits, noise and false claims": wiles,
    }
)


def of(chapter: ModuleType) -> dict[str, NamedStory]:
    """The stories of a chapter by name, in the order they are written in."""
    return {name: value for name, value in vars(chapter).items() if isinstance(value, NamedStory)}


STORIES: Mapping[str, NamedStory] = MappingProxyType(
    {name: told for chapter in CHAPTERS.values() for name, told in of(chapter).items()}
)
"""All stories by name."""
