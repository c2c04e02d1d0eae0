"""`dms score`: files in, figures out."""

import json
import math

import pytest
from click.testing import CliRunner

from dms.alerts import load_profile
from dms.cli import main
from dms.errors import InputError
from dms.summary import AlertRecord
from dms.tools.event_truth import Event
from dms.tools.events import compare
from dms.tools.score import intervals
from dms.tools.score.figures import Run, figures
from dms.tools.score.profiles import profiles_for
from dms.tools.score.record import read_told

PROFILE = load_profile("euroncap_2026")


def closed(start_s: float, end_s: float) -> Event:
    return Event(kind="eyes_closed", start_s=start_s, end_s=end_s)


def alert(name: str, onset_s: float, detected_s: float, ended_s: float, type_: str = "fatigue.microsleep"):
    return AlertRecord(name, (type_,), "urgent", onset_s, detected_s, ended_s, "because")


def told_alert(phase: str, duration_s: float, **more):
    return {
        "id": "a-1",
        "type": "fatigue.microsleep",
        "phase": phase,
        "severity": "urgent",
        "t_onset": 110.0,
        "t_detect": 111.5,
        "duration_s": duration_s,
        "cause": "Eyes closed.",
        **more,
    }


def frame(captured_s: float, state: str = "attentive", alerts=(), number: int | None = 1):
    return {
        "schema": "dms.frame/1",
        "frame": number,
        "captured_s": captured_s,
        "state": state,
        "alerts": list(alerts),
    }


def written(path, documents):
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


def test_a_share_and_a_rate_come_with_their_published_intervals():
    low, high = intervals.share(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Wilson's, as in any table
    assert intervals.share(0, 0) is None
    low, high = intervals.rate(10, 1.0)
    assert (low, high) == pytest.approx((4.795, 18.39), abs=0.03)  # exact Poisson: 4.795 and 18.390
    assert intervals.rate(0, 2.0) == pytest.approx((0.0, 3.69 / 2), abs=0.05)
    assert intervals.rate(3, 0.0) is None


def test_the_interval_of_a_median_lies_around_it_and_needs_six_values():
    values = [float(v) for v in range(11)]
    low, high = intervals.median(values)
    assert low < intervals.quantile(values, 0.5) == 5.0 < high
    assert intervals.median([1.0] * 5) is None
    assert intervals.quantile([0.0, 1.0], 0.25) == 0.25


@pytest.mark.parametrize("n", range(6, 61))
def test_the_interval_of_a_median_holds_it_19_times_of_20_and_could_not_be_narrower(n):
    low, high = intervals.median(list(range(n)))
    assert low + high == n - 1

    def coverage(rank):
        return 1 - 2 * sum(math.comb(n, k) for k in range(rank + 1)) / 2**n

    assert coverage(low) >= 0.95 > coverage(low + 1)


def test_the_interval_of_a_median_of_many_is_found():
    low, high = intervals.median(list(range(5000)))
    assert (low, high) == (pytest.approx(2500 - 0.98 * 5000**0.5, abs=2), 4999 - low)
    assert intervals.median([]) is None


def test_every_class_has_its_own_recall_precision_and_delays():
    events = [closed(10, 13), closed(30, 33), Event(kind="phone", start_s=50, end_s=56)]
    alerts = [
        alert("a", 10.1, 11.6, 13.5),
        alert("b", 80.0, 81.5, 83.0),
        alert("c", 50.2, 52.4, 56.5, "distraction.phone"),
    ]
    score = compare("clip", events, alerts, 3600.0, PROFILE)
    found = figures([Run(score, 3500.0, (PROFILE,))])
    eyes, phone = found.classes["eyes_closed"], found.classes["phone"]
    assert (eyes.due, eyes.found, eyes.alerts, eyes.false) == (2, 1, 2, 1)
    assert (eyes.recall, eyes.precision, eyes.false_per_hour) == (0.5, 0.5, pytest.approx(1.0))
    assert (phone.due, phone.found, phone.false) == (1, 1, 0)
    assert phone.delays.median_s == pytest.approx(0.4)
    assert found.classes["all"].due == 3
    assert "yawn" not in found.classes
    assert found.availability == pytest.approx(3500 / 3600)


def test_several_recordings_tell_the_spread_of_availability():
    score = compare("clip", [], [], 100.0, PROFILE)
    found = figures([Run(score, judged_s, (PROFILE,)) for judged_s in (50.0, 90.0)])
    assert (found.recordings, found.availability, found.availability_range) == (2, 0.7, (0.5, 0.9))


def test_lines_of_a_run_become_alerts_on_the_clock_of_the_timeline(tmp_path):
    lines = [
        frame(100.0),
        {"schema": "dms.health/1", "captured_s": 100.0},
        frame(100.5, "unknown"),
        frame(101.0, alerts=[told_alert("start", 1.5)]),
        frame(101.5, "fault", alerts=[told_alert("end", 4.0, cause="Over.")]),
        frame(190.0),
    ]
    told = read_told(written(tmp_path / "a.jsonl", lines))
    (record,) = told.alerts
    assert (record.onset_s, record.detected_s, record.ended_s) == (10.0, 11.5, 14.0)
    assert record.cause == "Eyes closed."
    assert (told.seconds, told.judged_s) == (
        1.5,
        0.5,
    )  # the long gap is no time, unknown and fault no judgement
    assert read_told(tmp_path / "a.jsonl", start_s=90.0).alerts[0].onset_s == 20.0


def test_what_was_heard_over_mqtt_is_read_too(tmp_path):
    state = {"schema": "dms.state/1", "captured_s": 100.0, "state": "attentive"}
    event = {"schema": "dms.event/1", **told_alert("start", 1.5)}
    status = {"schema": "dms.status/1", "status": "online"}
    heard = [
        {"topic": "dms/v1/van/state", "payload": state},
        {"topic": "dms/v1/van/event/fatigue/microsleep", "payload": event},
        {"topic": "dms/v1/van/status", "payload": status},
        {"topic": "dms/v1/van/health", "payload": {"schema": "dms.health/1", "captured_s": 100.0}},
        {"topic": "dms/v1/van/state", "payload": {**state, "captured_s": 100.5}},
    ]
    told = read_told(written(tmp_path / "a.jsonl", heard))
    assert (told.alerts[0].onset_s, told.seconds) == (10.0, 0.5)
    other = {"topic": "dms/v1/car/state", "payload": state}
    with pytest.raises(InputError, match=r"line 6: several vehicles.*--vehicle"):
        read_told(written(tmp_path / "b.jsonl", [*heard, other]))


def test_several_runs_in_one_file_are_refused_with_the_line_of_the_second(tmp_path):
    run = [{"schema": "dms.run/1"}, frame(0.0), frame(0.5)]
    assert read_told(written(tmp_path / "one.jsonl", run)).seconds == 0.5
    with pytest.raises(InputError, match=r"line 4: a second run begins.*cut the file"):
        read_told(written(tmp_path / "two.jsonl", run + run))


def test_a_timeline_that_begins_after_the_record_is_refused(tmp_path):
    path = written(tmp_path / "a.jsonl", [frame(0.0), frame(0.5), frame(1.0)])
    assert read_told(path, start_s=0.5).seconds == 0.5
    with pytest.raises(InputError, match=r"ends at captured_s 1: .*at 200"):
        read_told(path, start_s=200.0)


def test_states_too_rare_to_tell_time_by_are_refused(tmp_path):
    """Not 0 s of a judged drive: nobody could tell it from a blind one."""
    state = {"schema": "dms.state/1", "captured_s": 0.0, "state": "attentive"}
    for seconds in (0.5, 1.0):
        path = written(tmp_path / "a.jsonl", [{**state, "captured_s": n * seconds} for n in range(9)])
        assert read_told(path).judged_s == 8 * seconds
    changed = [{**state, "captured_s": 2.2, "state": "distracted"}]  # told at once, between two of the rate
    rare = [{**state, "captured_s": n * 2.0} for n in range(9)]
    with pytest.raises(InputError, match="state_hz 2 or more"):
        read_told(written(tmp_path / "b.jsonl", sorted(rare + changed, key=lambda s: s["captured_s"])))


def test_a_last_line_that_was_cut_is_left_out(tmp_path):
    path = written(tmp_path / "a.jsonl", [frame(100.0), frame(100.5)])
    path.write_text(path.read_text() + '{"schema": "dms.fr')
    assert read_told(path).seconds == 0.5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no json\n", "line 1 is no JSON"),
        ("[]\n", "line 1 is no JSON object"),
        ('{"schema":"dms.frame/1","frame":1}\n', "line 1 is no whole line of a run: 'captured_s'"),
        ('{"schema":"dms.metrics/1"}\n', "holds no frame"),
        ("", "holds no frame"),
    ],
)
def test_what_is_no_record_is_refused_with_its_line(tmp_path, content, said):
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        read_told(path)


def test_the_command_prints_a_table_json_and_a_picture(tmp_path):
    truth = tmp_path / "a.events.yaml"
    truth.write_text("- {kind: eyes_closed, start_s: 10, end_s: 14}\n")
    lines = [frame(100.0), frame(111.0), frame(111.5, alerts=[told_alert("start", 1.5)]), frame(112.0)]
    alerts = written(tmp_path / "a.jsonl", lines)
    run = CliRunner().invoke(main, ["score", str(truth), str(alerts), "--plot", str(tmp_path / "s.png")])
    assert run.exit_code == 0, run.output
    assert "eyes_closed  1    1" in run.output
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    run = CliRunner().invoke(main, ["score", str(truth), str(alerts), "--json"])
    document = json.loads(run.stdout)
    assert document["schema"] == "dms.score/1"
    assert document["classes"]["eyes_closed"]["delays"]["n"] == 1
    assert not any(isinstance(v, float) and math.isnan(v) for v in document["classes"]["all"].values())


def drive(path, seconds, alerts=()):
    """A record of a frame every half second, with alerts of 1.5 s detected after 1.5 s."""
    frames = [frame(n / 2) for n in range(2 * seconds + 1)]
    for number, (start_s, profile) in enumerate(alerts):
        end = {"t_onset": start_s, "t_detect": start_s + 1.5, "id": f"a-{number}", **profile}
        frames[int(2 * start_s) + 3]["alerts"].append({**told_alert("start", 1.5), **end})
        frames[int(2 * start_s) + 4]["alerts"].append({**told_alert("end", 2.0), **end})
    return written(path, frames)


def scored(*arguments):
    """What the command prints, and as JSON."""
    run = CliRunner().invoke(main, ["score", *map(str, arguments)])
    assert run.exit_code == 0, run.output
    as_json = CliRunner().invoke(main, ["score", *map(str, arguments), "--json"])
    return run.output, json.loads(as_json.stdout)


def truth_until(path, end_s):
    rows = [{"captured_s": n / 2, "events": [], "head_deg": None} for n in range(2 * end_s + 1)]
    return written(path, rows)


OF_EURONCAP = {"profile": PROFILE.name, "profile_hash": PROFILE.hash}


def test_what_was_never_recorded_is_not_missed(tmp_path):
    truth = tmp_path / "a.events.yaml"
    truth.write_text(
        "- {kind: eyes_closed, start_s: 10, end_s: 14}\n"
        "- {kind: eyes_closed, start_s: 29, end_s: 40}\n"
        "- {kind: phone, start_s: 500, end_s: 520}\n"
    )
    record = drive(tmp_path / "a.jsonl", 30, [(10, OF_EURONCAP)])
    text, document = scored(truth, record)
    assert "record ends at 30.0 s: 1 event after that is not counted" in text
    assert "1 event counted only as far as recorded" in text
    every = document["classes"]["all"]
    assert (every["due"], every["found"], "phone" in document["classes"]) == (1, 1, False)
    coverage = document["left_out"][0]["coverage"]
    assert (coverage["record_ends_s"], coverage["events_after"], coverage["events_cut"]) == (30.0, 1, 1)


def test_alerts_after_the_end_of_the_truth_are_not_false(tmp_path):
    truth = truth_until(tmp_path / "a.truth.jsonl", 30)
    record = drive(tmp_path / "a.jsonl", 90, [(n, OF_EURONCAP) for n in (10, 40, 50, 60)])
    text, document = scored(truth, record)
    assert "truth ends at 30.0 s, 60.0 s before the record: 3 alerts after that are not counted" in text
    assert (document["classes"]["all"]["alerts"], document["classes"]["all"]["false"]) == (1, 1)
    assert document["hours"] == pytest.approx(30 / 3600)
    assert document["left_out"][0]["coverage"]["alerts_after"] == 3


def test_a_record_begun_after_the_timeline_does_not_miss_what_was_before(tmp_path):
    truth = tmp_path / "a.events.yaml"
    truth.write_text(
        "- {kind: phone, start_s: 5, end_s: 15}\n- {kind: eyes_closed, start_s: 110, end_s: 114}\n"
    )
    record = tmp_path / "a.jsonl"
    written(record, [frame(100 + n / 2) for n in range(60)])
    text, document = scored(truth, record, "--start", "0")
    assert "record begins at 100.0 s: 1 event before that is not counted" in text
    assert document["classes"]["all"]["due"] == 1


def test_what_no_rule_of_the_profile_tells_is_named(tmp_path):
    truth = tmp_path / "a.events.yaml"
    truth.write_text(
        "- {kind: eyes_closed, start_s: 2, end_s: 4}\n- {kind: phone, start_s: 5, end_s: 9}\n"
        "- {kind: look_away, start_s: 10, end_s: 14}\n"
    )
    attend = {"profile": "attend", "type": "distraction.attend", "profile_hash": load_profile("attend").hash}
    record = drive(tmp_path / "a.jsonl", 30, [(12, attend)])
    text, document = scored(truth, record)
    assert "not counted, no rule of attend must tell them: eyes_closed 1, phone 1" in text
    assert document["left_out"][0]["events_without_rule"] == {"eyes_closed": 1, "phone": 1}
    look = document["classes"]["look_away"]
    assert (look["due"], look["found"], look["alerts"], look["false"]) == (1, 1, 1, 0)
    assert "other" not in document["classes"]


def test_a_record_is_scored_by_the_profiles_that_it_names(tmp_path):
    guardian = load_profile("fleet_guardian")
    truth = tmp_path / "a.events.yaml"
    truth.write_text("- {kind: look_away, start_s: 10, end_s: 13.5}\n")
    named = {"profile": guardian.name, "profile_hash": guardian.hash}
    record = drive(tmp_path / "a.jsonl", 90, [(40, named)])
    text, document = scored(truth, record)
    assert document["left_out"][0]["profiles"] == {guardian.name: guardian.hash}
    assert document["classes"]["all"]["due"] == 0  # 3.5 s: due by the 3 s of euroncap_2026 alone
    assert "warning" not in text
    options = ("--profile", "euroncap_2026", "--profile", "fleet_guardian")
    _, document = scored(truth, record, *options)
    assert (document["classes"]["all"]["due"], len(document["left_out"][0]["profiles"])) == (1, 2)
    text, _ = scored(truth, record, "--profile", "euroncap_2026")
    assert "alerts of fleet_guardian, too, are scored by the rules of euroncap_2026" in text


@pytest.mark.parametrize(
    ("told_by", "said"),
    [
        ({"profile": "fleet_guardian", "profile_hash": "0123456789ab"}, r"made with fleet_guardian 0123"),
        ({}, "no alert tells its profile; scored by euroncap_2026"),
    ],
)
def test_other_rules_than_those_of_the_record_are_warned_of(tmp_path, told_by, said):
    truth = truth_until(tmp_path / "a.truth.jsonl", 30)
    text, _ = scored(truth, drive(tmp_path / "a.jsonl", 30, [(10, told_by)]))
    assert f"warning: {tmp_path / 'a.jsonl'}: {said}" in text


def test_a_record_of_a_profile_of_ones_own_asks_for_its_file(tmp_path):
    record = drive(tmp_path / "a.jsonl", 30, [(10, {"profile": "night", "profile_hash": "0123456789ab"})])
    with pytest.raises(InputError, match=r"made with the profile night.*--profile FILE\.yaml"):
        profiles_for(read_told(record), record, ())


def test_an_odd_number_of_files_is_refused(tmp_path):
    run = CliRunner().invoke(main, ["score", str(tmp_path / "a.events.yaml")])
    assert run.exit_code == 2
    assert "pairs of files" in run.output
