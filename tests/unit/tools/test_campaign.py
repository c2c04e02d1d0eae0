"""`dms campaign`: what is driven, what is counted, and one short drive for real."""

import json

import pytest
from click.testing import CliRunner

from dms.cli import main
from dms.errors import InputError, SourceEnded
from dms.records import Assessment, DriverState, Judgement, Observation, UnknownCause
from dms.simulator.script import Script
from dms.summary import SummarySink
from dms.tools.campaign import plan, report
from dms.tools.campaign.drive import CONDITION, Drive, events_of
from dms.tools.campaign.figures import figures
from dms.tools.campaign.plan import BASELINE, GROUPS, Group, chosen, script_of, with_portraits
from dms.tools.campaign.trial import Fate, Trial, _Told, judged

SHORT = Script(duration_s=2.0, fps=10.0, size=(160, 90), noise=0.0)


def test_every_group_drives_the_same_events_in_the_same_order():
    scripts = [script_of(group, 3) for group in GROUPS if group.portrait is None]
    assert len({script.events for script in scripts}) == 1
    assert script_of(GROUPS[0], 4).events != scripts[0].events
    assert {event.do for event in scripts[0].events} >= {"eyes_closed", "look", "gaze", "yawn", "lids"}
    assert all(group.condition in CONDITION for group in GROUPS)


def test_groups_differ_from_the_baseline_in_one_thing():
    baseline = script_of(GROUPS[0], 1).model_dump(exclude={"title"})
    for group in GROUPS[1:]:
        changed = {
            k for k, v in script_of(group, 1).model_dump(exclude={"title"}).items() if v != baseline[k]
        }
        assert len(changed) + (group.condition != "as_is") == 1, group


def test_factors_are_chosen_by_name_and_a_wrong_one_is_refused():
    assert {group.factor for group in chosen(GROUPS, ["light"])} == {BASELINE, "light"}
    assert chosen(GROUPS, []) == list(GROUPS)
    with pytest.raises(InputError, match="no factor 'lihgt'; there are: baseline, light"):
        chosen(GROUPS, ["lihgt"])


def test_portraits_are_grouped_by_the_beginning_of_their_name(tmp_path):
    for name in ("darker-1", "darker-2", "lighter-1"):
        (tmp_path / f"{name}.npz").touch()
    assert [group.name for group in with_portraits(tmp_path)] == ["darker", "darker", "lighter"]
    with pytest.raises(InputError, match="holds no portrait"):
        with_portraits(tmp_path / "none")


def test_a_drive_hands_out_its_frames_by_script_time_and_then_ends():
    drive = Drive(SHORT, "as_is")
    frames = [drive.newest(0.0) for _ in range(20)]
    assert [frame.captured_s for frame in frames[:3]] == [0.0, 0.1, 0.2]
    assert drive.now_s() == pytest.approx(1.9)
    with pytest.raises(SourceEnded):
        drive.newest(0.0)
    worn = Drive(SHORT, "sunglasses").newest(0.0)
    assert (worn.image != frames[0].image).any()


def test_what_happens_follows_from_the_script():
    script = script_of(GROUPS[0], 1)
    kinds = sorted(event.kind for event in events_of(script, "as_is"))
    assert kinds.count("eyes_closed") == 2
    assert kinds.count("gaze_away") == 1
    assert kinds.count("phone") == 2
    assert kinds.count("look_away") == 4  # two long ones and two glances, which are too short to be due
    assert "eyes_hidden" in {event.kind for event in events_of(script, "sunglasses")}


def test_misses_are_counted_by_group_and_silent_ones_apart():
    group = Group("light", "dim")
    fates = (
        Fate("phone", True, False, 0.2),
        Fate("phone", False, True, None),
        Fate("eyes_closed", False, False, None),
    )
    trials = [Trial(group, seed, 1800.0, 1620.0, fates, ("fatigue.yawn",)) for seed in (1, 2)]
    (found,) = figures(trials)
    assert (found.due, found.missed, found.silent, found.hours) == (6, 4, 2, 1.0)
    assert (found.false, found.false_per_hour) == ({"fatigue.yawn": 2}, 2.0)
    assert (found.availability, found.median_delay_s) == (pytest.approx(0.9), 0.2)
    assert found.kinds == {"eyes_closed": (0, 2), "phone": (2, 4)}
    assert found.miss_interval[0] < found.miss_rate < found.miss_interval[1]
    assert "eyes_closed 2/2, phone 2/4" in report.text([found])
    assert report.markdown([found]).count("\n") == 2


def test_a_miss_is_silent_only_where_all_was_said_to_be_known():
    told = _Told()
    for number in range(10):
        causes = (UnknownCause.EYES_HIDDEN,) if number >= 7 else ()
        state = DriverState.UNKNOWN if number == 9 else DriverState.ATTENTIVE
        told.publish(Judgement(Observation(number, number), Assessment(number, state, causes), (), {}))
    assert told.sure_share(0.0, 10.0) == 0.7
    assert told.sure_share(7.0, 10.0) == 0.0
    assert told.sure_share(20.0, 30.0) == 0.0


def test_a_group_with_nothing_to_count_is_not_called_good(tmp_path):
    groups = figures(
        [
            Trial(Group("light", "none due"), 1, 3600.0, 1800.0, (), ("fatigue.yawn",)),
            Trial(Group("light", "no time"), 1, 0.0, 0.0, (), ()),
        ]
    )
    none_due, no_time = groups
    assert (none_due.miss_rate, none_due.miss_interval, none_due.false_per_hour) == (None, None, 1.0)
    assert (no_time.false_per_hour, no_time.false_interval, no_time.availability) == (None, None, None)
    assert report.rows(groups)[2][6:9] == ("-", "-", "-")
    json.dumps([of.to_dict() for of in groups], allow_nan=False)
    report.plot(groups, tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_the_time_judged_is_that_of_the_summary_without_gaps(monkeypatch):
    """Three frames, then none for 5 s, then two."""

    def judge(config, drive, sinks, interrupted):
        summary = SummarySink()
        for now_s in (0.0, 0.5, 1.0, 6.0, 6.5):
            state = DriverState.UNKNOWN if now_s == 0.5 else DriverState.ATTENTIVE
            judgement = Judgement(Observation(now_s, 1), Assessment(now_s, state), (), {})
            for sink in (summary, *sinks(None)):
                sink.publish(judgement)
        return summary.summary({}, 1.0)

    monkeypatch.setattr("dms.tools.campaign.trial.judge_recording", judge)
    trial = judged(GROUPS[0], 1)
    assert (trial.seconds, trial.judged_s) == (1.5, pytest.approx(1.0))


@pytest.mark.slow
def test_a_drive_is_judged_by_the_whole_system(monkeypatch):
    short = [{"at": 6.0, "do": "eyes_closed", "for": 2.5}, {"at": 13.0, "do": "hand_on_face", "for": 1.0}]
    script = {"duration_s": 16.0, "fps": 15.0, "seed": 1, "events": short}
    monkeypatch.setattr(
        "dms.tools.campaign.trial.script_of", lambda group, seed: Script.model_validate(script)
    )
    trial = judged(GROUPS[0], 1)
    assert [(fate.kind, fate.found) for fate in trial.fates] == [("eyes_closed", True)]
    assert trial.seconds == pytest.approx(15.9, abs=0.2)
    assert 10.0 < trial.judged_s < trial.seconds


@pytest.mark.slow
def test_the_command_drives_and_writes_table_json_and_picture(tmp_path, monkeypatch):
    calls = []

    def fake_run(groups, drives, workers, progress):
        calls.append((len(groups), drives))
        progress(1, 1)
        return [Trial(group, 1, 60.0, 60.0, (Fate("phone", True, False, 0.1),), ()) for group in groups]

    monkeypatch.setattr("dms.tools.campaign.campaign.run", fake_run)
    out, picture = tmp_path / "c.json", tmp_path / "c.png"
    run = CliRunner().invoke(
        main, ["campaign", "--drives", "1", "--only", "noise", "--json", str(out), "--plot", str(picture)]
    )
    assert run.exit_code == 0, run.output
    assert calls == [(4, 1)]
    document = json.loads(out.read_text())
    assert [group["factor"] for group in document["groups"]] == ["baseline", "noise", "noise", "noise"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert plan.GROUPS[0].factor == BASELINE
