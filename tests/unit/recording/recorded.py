"""Stories as recorded moments, and bundles of them."""

from dms.alerts import AlertManager, load_profile
from dms.assess import Assessor
from dms.config.assess import AssessConfig
from dms.pipeline import judged
from dms.recording.bundle import Moment, save, to_line
from dms.recording.checkpoint import Judges, checkpoint
from dms.testing import Story

MANIFEST = {
    "alert": None,
    "landmarks": True,
    "software": "dms 1.2.3",
    "engines": {"eyes": "1.1 int8"},
    "cheapest": {},
    "profiles": [],
    "config": {},
}


def new_judges():
    return Judges(Assessor(AssessConfig()), AlertManager([load_profile("euroncap_2026")], "story"))


def sleeper():
    """Learned, looks away, wakes, sleeps, acknowledges while asleep, wakes."""
    story = Story(fps=15).driving(60.0, speed_source="can").attentive(65).look_away(4).attentive(6)
    return story.closed(4).acknowledge().closed(3).attentive(8)


def moments_of(observations, judges):
    return [Moment(seen, *judged(seen, judges.assessor, judges.alerts)) for seen in observations]


def save_story(path, story=None, *, cut=0, close=True, **manifest):
    """A bundle of a story from frame `cut` on."""
    judges, observations = new_judges(), (story or sleeper()).observations()
    moments_of(observations[:cut], judges)
    state = checkpoint(judges)
    moments = moments_of(observations[cut:], judges)
    if close:
        last = observations[-1]
        moments.append(Moment(last, None, judges.alerts.close(last.captured_s)))
    ids = sorted({alert.id for moment in moments for alert in moment.alerts})
    save(path, {**MANIFEST, "alerts": ids, **manifest}, state, map(to_line, moments))
    return moments
