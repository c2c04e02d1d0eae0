import json
import math
import os

import pytest
from click.testing import CliRunner

from dms.cli.explain import bundle, explain, replay
from dms.recording import documents, explanation, story
from dms.recording.bundle import open_bundle
from dms.recording.plot import draw
from dms.records import Control, Health, HealthState, Judgement, Phase
from dms.sinks.jsonl import JsonlSink
from dms.sinks.system_payload import Origin
from dms.testing import Story
from tests.unit.recording import recorded
from tests.unit.sinks import samples

ORIGIN = Origin("dms 1.2.3", {"eyes": "1.1 fp32"}, {"eyes": "1.1 cpu.int8"})


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """The same drive as a bundle and as JSON lines."""
    folder = tmp_path_factory.mktemp("records")
    moments = recorded.save_story(folder / "drive.dms", recorded.sleeper().attentive(1))
    lines = JsonlSink(folder / "frames.jsonl", origin=ORIGIN)
    for number, moment in enumerate(moments[:-1]):
        if number == 1150:
            lines.publish(Health(moment.observation.captured_s, HealthState.DEGRADED, {"sink_mqtt": "away"}))
            lines.publish(Control(moment.observation.captured_s, 2, 1, "latency", "p95 30 ms"))
        lines.publish(Judgement(moment.observation, moment.assessment, moment.alerts, {}))
    lines.close()
    return folder


def run(command, *arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def types_told(told):
    return [phase["type"] for phase in told.phases]


@pytest.mark.parametrize("name", ["drive.dms", "frames.jsonl"])
def test_an_alert_is_told_from_a_bundle_and_from_json_lines_alike(records, name):
    told = explanation.explain(documents.excerpt(records / name, "story-2"))
    text = story.to_text(told)
    assert types_told(told)[0] == "fatigue.microsleep"
    assert "fatigue.sleep" in types_told(told)
    steps = [(round(step.at_s, 1), step.text) for step in told.steps]
    assert (0.0, "closure_s reaches its limit 1.5 (1.53)") in steps or any(
        text.startswith("closure_s reaches its limit 1.5") and abs(at_s) <= 0.1 for at_s, text in steps
    )
    assert any(at_s == pytest.approx(-1.5, abs=0.1) and "closure_s" in text for at_s, text in steps)
    assert any("acknowledge" in text for _, text in steps)
    assert [step.at_s for step in told.steps] == sorted(step.at_s for step in told.steps)
    for fact in (
        "confidence",
        "measured against",
        "one-sigma",
        "speed 60 km/h by can",
        "profile euroncap_2026",
    ):
        assert fact in text


def test_it_tells_the_engines_the_profile_and_what_was_told_between(records):
    told = explanation.explain(documents.excerpt(records / "frames.jsonl", "story-2"))
    text = story.to_text(told)
    assert "engine eyes: 1.1 fp32" in text
    assert f"hash {told.phases[0]['profile_hash']}" in text
    assert "system degraded: sink_mqtt" in text
    assert "level 2: p95 30 ms" in text


def test_at_a_lower_level_it_tells_the_engine_that_ran(records):
    found = documents.excerpt(records / "frames.jsonl", "story-2")
    for frame in found.frames:
        frame["level"] = 2
    assert explanation.engines_in_force(explanation.explain(found)) == {"eyes": "1.1 cpu.int8"}


def test_an_unknown_speed_is_told_with_its_consequence(tmp_path):
    recorded.save_story(tmp_path / "a.dms", Story(fps=10).attentive(65).look_away(5).attentive(3))
    text = story.to_text(explanation.explain(documents.excerpt(tmp_path / "a.dms", "story-1")))
    assert "speed unknown (no source is set up): the strictest times applied" in text


def test_without_an_id_all_alerts_are_listed(records):
    result = run(explain, "--from", records / "drive.dms")
    assert [line.split()[0] for line in result.output.splitlines()] == ["story-1", "story-2"]
    as_json = json.loads(run(explain, "--from", records / "frames.jsonl", "--json").output)
    assert (as_json[0]["id"], as_json[0]["type"]) == ("story-1", "distraction.long")
    assert all(a["duration_s"] > 0 for a in as_json)


def test_explain_as_json_holds_everything_by_name(records):
    told = json.loads(run(explain, "story-2", "--from", records / "drive.dms", "--json").output)
    assert told["schema"] == "dms.explanation/1"
    assert {"signal": "closure_s", "kind": "at_least", "value": 1.5} in told["limits"]
    assert told["at_start"]["vehicle"]["speed"]["kmh"] == 60.0


def without_head(records, path, alert_id, phase):
    """The lines from the frame on that tells this phase of the alert, or just before it."""
    lines = (records / "frames.jsonl").read_text().splitlines()
    told = [f'"id":"{alert_id}","type"' in line and f'"phase":"{phase}"' in line for line in lines]
    path.write_text("\n".join([lines[0], *lines[told.index(True) :]]) + "\n")
    return path


def test_an_alert_whose_beginning_is_not_recorded_is_told_as_such(records, tmp_path):
    """Nothing of a later moment is passed off as what it was raised on."""
    path = without_head(records, tmp_path / "cut.jsonl", "story-2", "end")
    told = explanation.explain(documents.excerpt(path, "story-2"))
    text = story.to_text(told)
    assert explanation.engines_in_force(told) == {}, "they depend on the level, which is not known"
    told.run["cheapest"] = {}
    assert explanation.engines_in_force(told) == {"eyes": "1.1 fp32"}
    assert "Its beginning is not in this record: what it rested on is unknown." in text
    assert not any(said in text for said in ("When it was raised", "What it rested on", "\n  Over."))
    assert (explanation.to_dict(told)["at_start"], explanation.to_dict(told)["stages"]) == (None, [])
    draw(told, tmp_path / "p.png")
    listed = run(explain, "--from", path).output.splitlines()[0]
    assert listed.startswith("story-2")
    assert listed.endswith("(beginning not recorded)")
    assert json.loads(run(explain, "--from", path, "--json").output)[0]["cause"] is None


def test_the_first_frame_of_a_record_is_no_crossing_of_a_limit(records, tmp_path):
    """Its value was there before: when the limit was reached is not known."""
    path = without_head(records, tmp_path / "cut.jsonl", "story-2", "update")
    told = explanation.explain(documents.excerpt(path, "story-2"))
    assert told.frames[0]["signals"]["closure_s"] >= 3.0
    assert told.stages == []
    assert "Its beginning is not in this record" in story.to_text(told)
    assert not any("closure_s reaches its limit 3 " in step.text for step in told.steps)
    assert any("closure_s leaves its limit 3 " in step.text for step in told.steps)


def test_every_stage_is_told_with_its_own_limits_at_its_own_time(records):
    told = explanation.explain(documents.excerpt(records / "frames.jsonl", "story-2"))
    reached = {stage.type: {limit.signal: limit.value for limit in stage.limits} for stage in told.stages}
    assert reached["fatigue.microsleep"]["closure_s"] == 1.5
    assert reached["fatigue.sleep"]["closure_s"] == 3.0
    assert len(told.stages) == len({stage.type for stage in told.stages}), "an acknowledgement is no stage"
    for stage in told.stages:
        for limit in stage.limits:
            if limit.kind == "at_least":
                assert stage.frame["signals"][limit.signal] >= limit.value - 0.001


def test_the_headline_tells_the_cause_that_the_list_tells(records):
    listed = documents.alerts_in(records / "drive.dms")[1]
    headline = story.to_text(explanation.explain(documents.excerpt(records / "drive.dms", "story-2")))
    assert headline.splitlines()[1].strip() == listed.cause
    assert listed.type in headline.splitlines()[0]


def test_a_folder_of_nothing_but_broken_bundles_is_an_error(tmp_path):
    assert run(explain, "--from", tmp_path).exit_code == 0  # empty: no alerts
    for name in ("a.dms", "b.dms"):
        (tmp_path / name).write_bytes(b"{")
    with pytest.raises(documents.InputError, match="none of 2 bundles can be read"):
        documents.alerts_in(tmp_path)


def test_an_alert_that_is_not_there_is_an_error_that_names_the_way(records):
    for name in ("drive.dms", "frames.jsonl", "."):
        with pytest.raises(documents.InputError, match="no alert story-99"):
            documents.excerpt(records / name, "story-99")


def test_a_folder_finds_the_alert_in_whichever_bundle_holds_it(records):
    assert types_told(explanation.explain(documents.excerpt(records, "story-1")))[0] == "distraction.long"


def test_a_damaged_bundle_hides_no_other(records, tmp_path, caplog):
    recorded.save_story(tmp_path / "drive.dms")
    (tmp_path / "bad.dms").write_bytes((tmp_path / "drive.dms").read_bytes()[:5000])
    (tmp_path / "none.dms").write_bytes(b"{")
    os.utime(tmp_path / "drive.dms", (0, 0))  # the damaged ones are newer: they are looked at first
    assert [item.id for item in documents.alerts_in(tmp_path)] == ["story-1", "story-2"]
    assert types_told(documents.excerpt(tmp_path, "story-2"))[0] == "fatigue.microsleep"
    for name in ("bad.dms", "none.dms"):
        assert caplog.text.count(f"passed over: {tmp_path / name}") == 2
    with pytest.raises(documents.InputError, match=r"bad\.dms"):
        documents.alerts_in(tmp_path / "bad.dms")


def test_the_timeline_is_drawn(records, tmp_path):
    draw(explanation.explain(documents.excerpt(records / "drive.dms", "story-2")), tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"not json\n", "line 1 is no JSON"),
        (b"[1]\n", "line 1 is no JSON object"),
        (b"{}\n", "line 1: no document of dms"),
        (b'{"schema": "dms.frame/1"}\n', "lacks what it must have"),
        (b'{"schema": "dms.frame/1", "captured_s": 1, "signals": {}, "alerts": [{"id": 1}]}\n', "lacks what"),
    ],
)
def test_what_is_no_record_is_refused_by_line(tmp_path, line, message):
    path = tmp_path / "x.jsonl"
    path.write_bytes(line)
    with pytest.raises(documents.InputError, match=message):
        list(documents.documents(path))


def test_a_line_that_is_still_being_written_is_left_alone(tmp_path):
    sink = JsonlSink(tmp_path / "x.jsonl")
    sink.publish(samples.judgement(alerts=[samples.alert()]))
    sink.close()
    with (tmp_path / "x.jsonl").open("ab") as file:
        file.write(b'{"schema": "dms.fr')
    assert [item.id for item in documents.alerts_in(tmp_path / "x.jsonl")] == ["s-1"]
    assert documents.excerpt(tmp_path / "x.jsonl", "s-1").phases[0]["phase"] == Phase.START.value


def test_what_was_told_at_no_time_is_passed_over(tmp_path):
    """A stamp that cannot be is null in the lines; it hides no alert."""
    sink = JsonlSink(tmp_path / "x.jsonl", origin=ORIGIN)
    sink.publish(samples.judgement(captured_s=8.0))
    sink.publish(Health(math.nan, HealthState.DEGRADED, {"source_lost": "no frame"}))
    sink.publish(samples.judgement(captured_s=math.nan))
    sink.publish(samples.judgement(captured_s=9.0))
    sink.publish(samples.judgement(captured_s=10.0, alerts=[samples.alert(id="s-1", at_s=10.0)]))
    sink.close()
    assert '"captured_s":null' in (tmp_path / "x.jsonl").read_text()
    assert [item.id for item in documents.alerts_in(tmp_path / "x.jsonl")] == ["s-1"]
    found = documents.excerpt(tmp_path / "x.jsonl", "s-1")
    assert ([frame["captured_s"] for frame in found.frames], found.told) == ([8.0, 9.0, 10.0], [])
    assert "Alert s-1" in run(explain, "s-1", "--from", tmp_path / "x.jsonl").output


def test_an_id_of_another_run_in_the_same_file_is_not_mixed_in(tmp_path):
    for start_s in (500.0, 10.0):
        sink = JsonlSink(tmp_path / "x.jsonl", append=True, origin=ORIGIN)
        for n in range(20):
            alerts = [samples.alert(id=f"r{start_s:.0f}", at_s=start_s + n)] if n == 10 else []
            sink.publish(samples.judgement(captured_s=start_s + n, alerts=alerts))
        sink.close()
    found = documents.excerpt(tmp_path / "x.jsonl", "r10")
    assert {frame["captured_s"] < 100 for frame in found.frames} == {True}


def test_bundle_cuts_shows_and_judges_again(records, tmp_path):
    out = tmp_path / "bug.dms"
    result = run(bundle, "story-2", "--from", records / "drive.dms", "--out", out, "--no-landmarks")
    assert "without landmarks; no picture, no name" in result.output
    assert "judged again: identical" in result.output
    with open_bundle(out) as made:
        assert "story-2" in made.manifest["alerts"]
    assert "Give either ALERT_ID or --last" in run(bundle, "--out", out, "--from", records).output
    assert run(bundle, "--last", "--from", records, "--out", tmp_path / "last.dms").exit_code == 0


def test_replay_says_identical_or_what_differs(records, tmp_path):
    result = run(replay, records / "drive.dms")
    assert (result.exit_code, result.output.split(":")[0]) == (0, "identical")
    with open_bundle(records / "drive.dms") as good:
        lines = [line.written for line in good.lines()]
        state, manifest = good.checkpoint, {k: v for k, v in good.manifest.items() if k != "sha256"}
    lines[100]["assessment"]["confidence"] = 0.123
    from dms.recording.bundle import save

    save(tmp_path / "x.dms", manifest, state, (json.dumps(line) + "\n" for line in lines))
    result = run(replay, tmp_path / "x.dms")
    assert result.exit_code == 1
    assert "different after 100 equal frames: frame 100" in result.output
    as_json = json.loads(run(replay, tmp_path / "x.dms", "--json").output)
    assert as_json["difference"]["field"] == "assessment.confidence"
