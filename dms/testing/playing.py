"""A story judged from its first observation to its last."""

from __future__ import annotations

from dataclasses import dataclass

from dms.alerts import AlertManager, Profile
from dms.assess import Assessor
from dms.config.assess import AssessConfig
from dms.config.cabin import Cabin
from dms.pipeline import judged
from dms.records import Alert, Assessment
from dms.testing.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Played:
    """What is told of a story: one assessment an observation, and every phase of every alert."""

    assessments: tuple[Assessment, ...]
    alerts: tuple[Alert, ...]


def watch(story: Timeline, config: AssessConfig, *profiles: Profile, cabin: Cabin | None = None) -> Played:
    """Judge a whole story; alerts still up at its end are ended by it."""
    assessor, manager = Assessor(config, cabin), AlertManager(profiles, "story")
    assessments: list[Assessment] = []
    alerts: list[Alert] = []
    for observation in story.observations():
        assessment, changes = judged(observation, assessor, manager)
        assessments.append(assessment)
        alerts += changes
    last_s = assessments[-1].captured_s if assessments else story.end_s
    return Played(tuple(assessments), (*alerts, *manager.close(max(last_s, story.end_s))))


def play(
    story: Timeline, config: AssessConfig, *profiles: Profile, cabin: Cabin | None = None
) -> list[Alert]:
    """Judge a whole story; return every phase of every alert, those ended by the story's end included."""
    return list(watch(story, config, *profiles, cabin=cabin).alerts)


def judge(story: Timeline, config: AssessConfig, cabin: Cabin | None = None) -> list[Assessment]:
    """Judge a whole story, one assessment a frame."""
    assessor = Assessor(config, cabin)
    return [assessor.update(observation) for observation in story.observations()]
