from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from dms.alerts.profiles import load_profile
from dms.config import Config
from dms.errors import InputError
from dms.resources import demo_clip
from dms.summary import AlertRecord
from dms.tools import event_report
from dms.tools.event_truth import (
    Event,
    Timeline,
    find_clips,
    joined,
    read_events,
    read_timeline,
    truth_of,
)
from dms.tools.events import ClipScore, compare, required_s, score_clip, total

PROFILE = load_profile("euroncap_2026")


def alert(type_: str, onset_s: float, detected_s: float, ended_s: float, id_: str = "a") -> AlertRecord:
    return AlertRecord(id_, (type_,), "warning", onset_s, detected_s, ended_s, "because")


def scored(events: list[Event], alerts: list[AlertRecord], seconds: float = 60.0) -> ClipScore:
    return compare("clip", events, alerts, seconds, PROFILE)


CLOSED = Event(kind="eyes_closed", start_s=10.0, end_s=14.0)


def test_what_a_rule_requires_is_read_from_the_profile():
    assert required_s("eyes_closed", PROFILE.rules) == 1.5
    assert required_s("look_away", PROFILE.rules) == 3.0
    assert required_s("phone", PROFILE.rules) == 2.0
    assert required_s("look_away", load_profile("attend").rules) == 2.0  # a full buffer drains in 2 s
    assert required_s("eyes_closed", load_profile("r171_like").rules) == 5.0
    assert required_s("eyes_closed", load_profile("attend").rules) is None


def test_a_look_away_is_told_by_every_profile_that_has_a_rule_for_it():
    look = Event(kind="look_away", start_s=10.0, end_s=18.0)
    for name, type_ in (
        ("attend", "distraction.attend"),
        ("r171_like", "distraction.eyes_on"),
        ("eu_addw", "distraction.addw"),
    ):
        given = [alert(type_, 10.2, 16.0, 18.2)]
        score = compare("clip", [look], given, 60.0, load_profile(name))
        assert (score.told[0].alert, score.false) == (given[0], ())
        # Truth does not say where the look goes: only AttenD must tell it wherever that is.
        assert score.told[0].due == (name == "attend")


def test_of_several_profiles_the_first_rule_must_tell_an_event():
    both = (load_profile("fleet_guardian"), PROFILE)
    score = compare("clip", [CLOSED], [alert("fatigue.microsleep", 10.2, 11.8, 14.5)], 60.0, *both)
    assert (score.told[0].required_s, score.false) == (1.5, ())
    look = Event(kind="look_away", start_s=20.0, end_s=23.5)
    assert [compare("clip", [look], [], 60.0, *p).told[0].due for p in (both[:1], both)] == [False, True]


def test_an_event_that_was_told_has_its_delays():
    score = scored([CLOSED], [alert("fatigue.microsleep", 10.2, 11.8, 14.5)])
    (told,) = score.told
    assert told.due
    assert told.delay_s == pytest.approx(0.3)
    assert told.onset_error_s == pytest.approx(0.2)
    of = total([score])
    assert (of.recall, of.false_alarms, of.median_delay_s) == (1.0, 0, pytest.approx(0.3))


def test_an_alert_that_began_before_its_event_is_false():
    score = scored([CLOSED], [alert("fatigue.microsleep", 7.0, 8.5, 12.0)])
    assert score.told[0].alert is None
    assert score.false_s == pytest.approx(5.0)
    assert total([score]).false_alarms == 1
    assert not scored([CLOSED], [alert("fatigue.microsleep", 9.6, 11.1, 14.5)]).false  # within the slack


def test_an_alert_may_stand_over_two_events_with_hardly_a_pause():
    """Eyes that open for less than the alert takes to clear: one alert tells both, the second at once."""
    again = Event(kind="eyes_closed", start_s=15.0, end_s=18.0)
    score = scored([CLOSED, again], [alert("fatigue.microsleep", 10.1, 11.6, 19.0)])
    assert [t.alert is not None for t in score.told] == [True, True]
    assert (score.told[1].delay_s, score.told[1].onset_error_s) == (None, None)
    assert (score.false, score.overlong) == ((), ())


def test_an_alert_that_stands_on_after_its_event_is_told_as_false_time():
    """It clears after 1 s, and truth is known to half a second: 14 + 1.5 s."""
    score = scored([CLOSED], [alert("fatigue.microsleep", 10.2, 11.8, 25.5)])
    assert score.told[0].alert is not None
    (standing,) = score.overlong
    assert standing.seconds == pytest.approx(10.0)
    of = total([score])
    assert (of.recall, of.false_alarms, of.overlong, of.false_s) == (1.0, 0, 1, pytest.approx(10.0))
    text = event_report.text([score])
    assert "10.2 s  fatigue.microsleep STOOD 10.00 s TOO LONG" in text
    assert "1 alerts stood too long after their event; 10.0 s of false alert in all" in text
    assert event_report.to_dict([score])["clips"][0]["overlong"][0]["seconds"] == pytest.approx(10.0)


def test_an_alert_that_stands_on_does_not_tell_a_later_event():
    later = Event(kind="eyes_closed", start_s=30.0, end_s=34.0)
    score = scored([CLOSED, later], [alert("fatigue.microsleep", 10.2, 11.8, 40.0)])
    assert [t.alert is not None for t in score.told] == [True, False]
    assert score.overlong[0].seconds == pytest.approx(24.5)


def test_an_event_hardly_longer_than_its_rule_is_not_due():
    assert not scored([Event(kind="eyes_closed", start_s=10, end_s=11.6)], []).told[0].due
    assert scored([Event(kind="eyes_closed", start_s=10, end_s=11.8)], []).told[0].due


def test_a_missed_event_and_a_false_alarm():
    of = total([scored([CLOSED], [alert("distraction.phone", 30, 32, 35)])])
    assert (of.due, of.found, of.recall) == (1, 0, 0.0)
    assert of.false_alarms == 1
    assert of.false_per_hour == pytest.approx(60)
    assert of.median_delay_s is None


def test_an_alert_of_another_kind_does_not_tell_an_event():
    score = scored([CLOSED], [alert("fatigue.yawn", 10.5, 12.0, 14.0)])
    assert score.told[0].alert is None
    assert len(score.false) == 1


def test_a_short_event_is_not_due_but_excuses_its_alert():
    blink = Event(kind="eyes_closed", start_s=10.0, end_s=11.0)
    of = total([scored([blink], [alert("fatigue.microsleep", 10.0, 11.5, 11.6)])])
    assert (of.due, of.recall, of.false_alarms) == (0, None, 0)


def test_drowsiness_may_be_told_later_than_the_closed_eyes_but_not_before():
    assert not scored([CLOSED], [alert("fatigue.drowsy", 40, 60, 90)]).false
    assert scored([CLOSED], [alert("fatigue.drowsy", 2, 5, 90)]).false
    assert scored([CLOSED], [alert("fatigue.drowsy", 40, 60, 90)]).told[0].alert is None


def test_the_warning_of_drowsiness_of_ddaw_may_be_told_later_too():
    late = [alert("fatigue.ddaw", 40, 60, 90)]
    assert not compare("clip", [CLOSED], late, 120.0, load_profile("eu_ddaw")).false


def test_looks_with_hardly_a_pause_are_one():
    looks = [Event(kind="look_away", start_s=s, end_s=e) for s, e in ((1, 2), (2.1, 4), (6, 7))]
    assert [(e.start_s, e.end_s) for e in joined([*looks[1:], looks[0]])] == [(1, 4), (6, 7)]


def test_the_script_of_the_demonstration_becomes_events():
    events = truth_of(demo_clip())
    spans = {(e.kind, round(e.start_s, 1), round(e.end_s, 1)) for e in events}
    assert {("look_away", 18.5, 23.0), ("eyes_closed", 28.0, 30.0), ("phone", 44.0, 49.0)} <= spans
    assert not any(e.end_s - e.start_s < 0.5 for e in events)


def test_events_beside_a_clip_win(tmp_path: Path):
    (tmp_path / "drive.events.yaml").write_text("- {kind: yawn, start_s: 1, end_s: 2}\n")
    (tmp_path / "drive.truth.jsonl").write_text("{}\n")
    assert truth_of(tmp_path / "drive.mp4") == [Event(kind="yawn", start_s=1, end_s=2)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("# one\n- {kind: nap, start_s: 1, end_s: 2}", "e.yaml:2: no kind 'nap'; there are eyes_closed"),
        ("- {kind: yawn, start_s: 2, end_s: 1}", "e.yaml:1: end_s must be after start_s"),
        ("- {kind: yawn, start_s: 2}", "end_s: Field required"),
        ("- kind: yawn\n  start_s: -1\n  end_s: 1", "e.yaml:2: start_s: Input should be greater"),
        (
            "- {kind: yawn, start_s: 1, end_s: 2, eyes: 2}",
            "eyes: unknown key; there are kind, start_s, end_s",
        ),
        ("- yawn", r"e.yaml:1: no event; expected a YAML list of \{kind"),
        ("kind: yawn", "holds no list: write a YAML list of .* with the kinds eyes_closed"),
        ("# nothing\n", r"is empty: write a YAML list of .*, or \[\] where nothing happens"),
        ("- [", "cannot read the events"),
    ],
)
def test_malformed_events_are_refused(tmp_path: Path, text: str, fault: str):
    (tmp_path / "e.yaml").write_text(text)
    with pytest.raises(InputError, match=fault):
        read_events(tmp_path / "e.yaml")


def test_a_timeline_may_say_that_nothing_happens_and_when_it_ends(tmp_path: Path):
    (tmp_path / "e.yaml").write_text("[]\n")
    assert read_timeline(tmp_path / "e.yaml") == Timeline(())
    shown = {"events": [], "head_deg": None}
    lines = [json.dumps({"captured_s": second, **shown}) for second in (0.0, 1.0)]
    (tmp_path / "e.truth.jsonl").write_text("\n".join(lines))
    assert read_timeline(tmp_path / "e.truth.jsonl") == Timeline((), 1.0)


def test_a_clip_without_truth_is_refused_with_the_cure(tmp_path: Path):
    with pytest.raises(InputError, match=r"write drive\.events\.yaml beside it"):
        truth_of(tmp_path / "drive.mp4")


def test_a_foreign_truth_is_refused(tmp_path: Path):
    for content in ('{"captured_s": 0}\n', ""):
        (tmp_path / "x.truth.jsonl").write_text(content)
        with pytest.raises(InputError, match="no truth of a simulated clip"):
            read_timeline(tmp_path / "x.truth.jsonl")


def test_clips_are_found_in_folders_and_missing_ones_told(tmp_path: Path):
    with pytest.raises(InputError, match="holds no video"):
        find_clips([tmp_path])
    (tmp_path / "a.mp4").touch()
    assert find_clips([tmp_path, tmp_path / "a.mp4"]) == [tmp_path / "a.mp4"] * 2
    with pytest.raises(InputError, match="does not exist"):
        find_clips([tmp_path / "b.mp4"])


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of the demonstration round its first microsleep, with their events."""
    path = tmp_path_factory.mktemp("clips") / "nap.mp4"
    clip = cv2.VideoCapture(str(demo_clip()))
    clip.set(cv2.CAP_PROP_POS_FRAMES, 24.5 * 30)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (640, 360))
    for _ in range(8 * 30):
        writer.write(clip.read()[1])
    writer.release()
    clip.release()
    path.with_name("nap.events.yaml").write_text("- {kind: eyes_closed, start_s: 3.5, end_s: 5.5}\n")
    return path


def test_the_whole_system_on_a_clip(short_clip: Path, tmp_path: Path):
    pytest.importorskip("matplotlib", reason="draws with the extra `plot`")
    score = score_clip(short_clip, Config())
    assert score.seconds == pytest.approx(8, abs=0.1)
    assert score.told[0].alert is not None
    assert abs(score.told[0].onset_error_s or 9) < 0.5
    assert "told 1 of 1 events" in event_report.text([score])
    assert json.loads(json.dumps(event_report.to_dict([score])))["total"]["recall"] == 1.0
    assert "| nap.mp4 | 8.0 | 1 | 1 |" in "\n".join(event_report.markdown([score]))
    event_report.timeline([score], PROFILE, tmp_path / "t.png")
    picture = cv2.imread(str(tmp_path / "t.png")).astype(int)
    green = np.abs(picture - np.array([0x4F, 0x9D, 0x2A])).sum(axis=2) < 30
    assert green.sum() > 100
