import json
import logging
import re
import threading
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from dms import seat as seats
from dms.assess import Assessor
from dms.cli.seat import seat as command
from dms.config.assess import AssessConfig
from dms.config.seat import SeatConfig
from dms.errors import InputError
from dms.records import Assessment, DriverState, Judgement, Observation
from dms.seat import WRITE_EVERY_S, Seat, SeatSink, seat_sinks
from dms.testing import Story


def drive(config, seconds=70.0):
    """One drive in the seat; the last assessment."""
    assessor = Assessor(AssessConfig())
    sinks = list(seat_sinks(config, assessor))
    last = None
    for observation in Story(10.0).attentive(seconds).observations():
        last = assessor.update(observation)
        for sink in sinks:
            sink.publish(Judgement(observation, last, (), {}))
    for sink in sinks:
        sink.close()
    return last


def moment(captured_s):
    return Judgement(Observation(captured_s, 1), Assessment(captured_s, DriverState.UNKNOWN), (), {})


def agreed(folder):
    return SeatConfig(consent=True, folder=str(folder))


def test_the_next_drive_starts_from_the_last(tmp_path):
    drive(agreed(tmp_path / "new"))
    stored = json.loads((tmp_path / "new" / "seat-driver.json").read_text())
    assert set(stored) == {"version", "date", "figures"}
    assert stored["date"] == date.today().isoformat()
    assert set(stored["figures"]) == {"open_right_any", "open_left_any"}
    assert drive(agreed(tmp_path / "new"), 11.0).learned["eyes"] == 1.0


def test_without_consent_nothing_is_read_or_written(tmp_path):
    drive(agreed(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    refused = SeatConfig(consent=False, folder=str(tmp_path))
    assert drive(refused, 11.0).learned["eyes"] < 0.2
    drive(refused, 70.0)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    drive(SeatConfig(folder=str(tmp_path / "none")))
    assert not (tmp_path / "none").exists()


def test_a_drive_that_learned_nothing_leaves_what_was_kept(tmp_path):
    drive(agreed(tmp_path))
    before = (tmp_path / "seat-driver.json").read_text()
    drive(agreed(tmp_path), 2.0)
    assert (tmp_path / "seat-driver.json").read_text() == before


class Learned:
    def __init__(self):
        self.figures = {"open_right_any": 0.8}

    def start_from(self, figures):
        self.started = figures

    def baseline_figures(self):
        return self.figures


def test_it_is_written_every_few_minutes_too(tmp_path):
    learner = Learned()
    sink = SeatSink(agreed(tmp_path), learner)
    sink.publish(moment(100.0))
    assert not list(tmp_path.iterdir())
    sink.publish(moment(100.0 + WRITE_EVERY_S))
    learner.figures = {"open_right_any": 0.9}  # closing waits for the writer, then writes the latest
    sink.close()
    assert Seat(agreed(tmp_path)).read() == {"open_right_any": 0.9}
    assert [path.name for path in tmp_path.iterdir()] == ["seat-driver.json"]


def kept(figures, **changes):
    return json.dumps({"version": 1, "date": date.today().isoformat(), "figures": figures} | changes)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "\x00",
        kept({}, version=2),
        kept({}, date="yesterday"),
        kept({}, date="2999-01-01"),
        kept([1, 2]),
        kept({"open_right_any": 7}),
        kept({"open_right_any": "wide"}),
        kept({"open_right_any": float("nan")}),
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_good_is_told_set_aside_and_learned_anew(tmp_path, caplog, content):
    path = tmp_path / "seat-driver.json"
    path.write_text(content)
    with caplog.at_level(logging.WARNING):
        assert Seat(agreed(tmp_path)).read() == {}
    assert "set aside as seat-driver.bad" in caplog.text
    assert not path.exists()
    assert (tmp_path / "seat-driver.bad").read_text() == content
    drive(agreed(tmp_path))
    assert path.exists()


def test_what_is_too_old_is_deleted(tmp_path, caplog):
    path, written = tmp_path / "seat-driver.json", {}
    for days in (-1, 180, 181):
        path.write_text(kept({"open_right_any": 0.8}, date=(date.today() - timedelta(days=days)).isoformat()))
        with caplog.at_level(logging.INFO):
            written[days] = Seat(agreed(tmp_path)).read()
    assert written == {-1: {"open_right_any": 0.8}, 180: {"open_right_any": 0.8}, 181: {}}
    assert "older than 180 days: deleted" in caplog.text
    assert not list(tmp_path.iterdir())


def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path, monkeypatch, caplog):
    gate = threading.Event()
    monkeypatch.setattr(seats, "CLOSE_WITHIN_S", 0.05)
    monkeypatch.setattr(Seat, "write", lambda self, figures: gate.wait())
    for messages in ([], [moment(100.0), moment(100.0 + WRITE_EVERY_S)]):
        sink = SeatSink(agreed(tmp_path), Learned())
        for message in messages:
            sink.publish(message)
        sink.close()
        assert sink.fault() == "the driver's baseline is not kept: the disk took longer than 0.05 s"
    threads = [thread for thread in threading.enumerate() if thread.name == "seat"]
    assert [thread.daemon for thread in threads] == [True, True], "none holds up the interpreter either"
    gate.set()
    for thread in threads:
        thread.join()


def test_figures_of_no_known_name_are_ignored(tmp_path):
    (tmp_path / "seat-driver.json").write_text(kept({"of_a_later_version": 0.5}))
    assert drive(agreed(tmp_path), 11.0).learned["eyes"] < 0.2


def test_a_folder_that_cannot_be_written_is_told_once_and_stops_no_drive(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        drive(agreed(tmp_path / "file" / "folder"))
    assert caplog.text.count("the driver's baseline is not kept") == 1


def test_it_lies_in_the_state_folder_of_service_or_user():
    config = SeatConfig(name="left")
    assert Seat(config, {"STATE_DIRECTORY": "/var/lib/dms"}).path == Path("/var/lib/dms/seat-left.json")
    assert Seat(config, {"XDG_STATE_HOME": "/x"}).path == Path("/x/dms/seat-left.json")
    assert Seat(config, {}).path == Path.home() / ".local/state/dms/seat-left.json"


def test_forget_deletes_what_is_kept_and_what_was_set_aside(tmp_path):
    option = ["--set", f"seat.folder={tmp_path}"]
    (tmp_path / "seat-driver.json").write_text(kept({"open_right_any": 0.8}))
    (tmp_path / "seat-driver.bad").write_text("{")
    shown = CliRunner().invoke(command, ["show", *option])
    assert "open_right_any" in shown.output
    assert "deleted" in CliRunner().invoke(command, ["forget", *option]).output
    assert not list(tmp_path.iterdir())
    assert "nothing was kept" in CliRunner().invoke(command, ["forget", *option]).output
    assert "nothing is kept" in CliRunner().invoke(command, ["show", *option]).output


def test_a_drive_too_short_to_be_kept_says_so(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        drive(agreed(tmp_path), 30.0)
    assert not list(tmp_path.iterdir())
    assert re.search(r"nothing of this drive is kept: only [1-9]\d % learned", caplog.text), caplog.text


def test_show_tells_why_nothing_is_kept_and_that_consent_is_off(tmp_path):
    option = ["--set", f"seat.folder={tmp_path}"]
    shown = CliRunner().invoke(command, ["show", *option]).output
    assert "nothing is kept; a drive is once its eyes are fully learned, 60 s of open eyes" in shown
    assert "seat.consent is off" in shown
    agreed_too = CliRunner().invoke(command, ["show", *option, "--set", "seat.consent=true"]).output
    assert "seat.consent is off" not in agreed_too


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"ver', "will be set aside"),
        (kept({"open_right_any": 7}), "no levels between 0 and 1"),
        (kept({"open_right_any": 0.8}).replace(date.today().isoformat(), "2020-01-01"), "will be deleted"),
    ],
)
def test_show_tells_a_file_that_is_no_good(tmp_path, text, why):
    (tmp_path / "seat-driver.json").write_text(text)
    shown = CliRunner().invoke(command, ["show", "--set", f"seat.folder={tmp_path}"])
    assert isinstance(shown.exception, InputError)
    assert why in str(shown.exception)
    assert text in shown.output
    assert (tmp_path / "seat-driver.json").read_text() == text


def test_the_file_is_its_owners_alone(tmp_path):
    Seat(agreed(tmp_path)).write({"open_right_any": 0.8})
    assert (tmp_path / "seat-driver.json").stat().st_mode & 0o777 == 0o600
