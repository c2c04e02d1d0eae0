"""What is built for a run: the controller where judgements can be late, and none where they cannot."""

from __future__ import annotations

import math
import threading
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from dms import app
from dms.config import Config, SourceConfig
from dms.control.levels import LEVELS
from dms.control.policy import Load
from dms.recording.blackbox import BlackBox
from dms.records import Judgement, Message
from dms.sources import open_source
from dms.testing import ScriptedSource

FP32 = {name: {"precision": "fp32"} for name in ("face", "eyes", "fatigue", "distraction")}


def config(cache: Path, **sections: object) -> Config:
    engines = {"cache": str(cache), **FP32}
    return Config.model_validate({"engines": engines, **sections})


class Source(ScriptedSource):
    """A source that says a rate of its own."""

    def __init__(self, fps: float, *, live: bool) -> None:
        super().__init__([], live=live)
        self.fps = fps


@pytest.mark.parametrize(
    ("source", "realtime", "interval_s"),
    [
        (Source(25.0, live=True), False, 1 / 25),
        (Source(25.0, live=False), True, 1 / 25),
        (Source(25.0, live=False), False, math.inf),
        (Source(0.0, live=True), True, 1 / 30),
        (Source(-5.0, live=True), True, 1 / 30),
        (Source(math.nan, live=True), True, 1 / 30),
        (Source(math.inf, live=True), True, 1 / 30),
        (Source(240.0, live=True), True, 1 / 240),
    ],
)
def test_the_interval_is_the_sources_where_frames_come_at_their_pace(
    source: Source, realtime: bool, interval_s: float
) -> None:
    assert app.interval_of(SourceConfig(realtime=realtime), source) == interval_s


def test_events_state_both_engines_where_there_are_two(tmp_path: Path) -> None:
    wanted = config(tmp_path)
    with (
        app.open_engines(wanted.engines, lambda step: None) as engines,
        app.open_cheapest_engines(wanted.engines, engines, lambda step: None) as cheapest,
    ):
        stated = app.stated(engines, cheapest).all_forms
        alone = app.stated(engines, {}).all_forms
    assert set(cheapest) == set(FP32)
    assert " fp32 ort sha256:" in stated["eyes"]
    assert "; from level 2 on " in stated["eyes"]
    assert " cpu.int8 ort sha256:" in stated["eyes"]
    assert alone["eyes"] == stated["eyes"].partition(";")[0]


def test_the_governor_changes_the_level_of_the_pipeline_it_was_made_for(tmp_path: Path) -> None:
    wanted = config(tmp_path, control={"up_after_s": 0.1})
    with (
        app.open_engines(wanted.engines, lambda step: None) as engines,
        app.open_controlled(wanted, engines, "test", interval_s=1 / 30) as controlled,
        app.open_governor(wanted, controlled) as governor,
    ):
        assert "sensors" in {thread.name for thread in threading.enumerate()}
        for tick in range(20):
            governor.tick(0.5 * tick, lambda: Load(1.0, 0.0))
        assert governor.level == 4
        assert controlled.scheduler.admits(100.0, 0.0) is None
        assert controlled.scheduler.admits(100.0 + 1 / 30, 0.0) == "level"
        controlled.use(LEVELS[0])
        assert controlled.scheduler.admits(100.0 + 2 / 30, 0.0) is None
    assert "sensors" not in {thread.name for thread in threading.enumerate()}


def told_by_run(cache: Path, source: dict[str, object], **sections: object) -> list[str]:
    """The lines of a run over a folder of twelve pictures."""
    folder = cache / "pictures"
    folder.mkdir()
    for number in range(12):
        cv2.imwrite(str(folder / f"{number:02d}.png"), np.full((90, 160), 128, np.uint8))
    lines: list[str] = []
    app.run(config(cache, source={"uri": str(folder), **source}, **sections), lines.append)
    return lines


@pytest.mark.parametrize("control", [False, True])
def test_checkpoints_are_taken_where_a_black_box_is_open(
    control: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[Message] = []
    monkeypatch.setattr(BlackBox, "publish", lambda box, message: got.append(message))
    sinks = {"blackbox": {"folder": str(tmp_path / "box")}}
    told_by_run(tmp_path, {}, sinks=sinks, control={"enabled": control})
    taken = [message.checkpoint is not None for message in got if isinstance(message, Judgement)]
    assert taken == [True] + [False] * (len(taken) - 1)
    got.clear()
    wanted = config(tmp_path, source={"uri": str(tmp_path / "pictures"), "realtime": False}, sinks=sinks)
    judged: list[Judgement] = []
    with closing(open_source(wanted.source)) as source:
        app.judge_recording(
            wanted,
            source,
            lambda origin: [],
            lambda: False,
            lambda frame, judgement: judged.append(judgement),
        )
    assert [judgement.checkpoint for judgement in judged] == [None] * 12


def test_a_paced_run_tells_its_level_from_the_start(tmp_path: Path) -> None:
    assert any("level 0" in line and "start" in line for line in told_by_run(tmp_path, {}))


@pytest.mark.parametrize(
    ("source", "control"), [({}, {"enabled": False}), ({"realtime": False}, {"enabled": True})]
)
def test_without_control_there_is_none(
    source: dict[str, object], control: dict[str, object], tmp_path: Path
) -> None:
    levels = [line for line in told_by_run(tmp_path, source, control=control) if "level" in line]
    assert len(levels) == 1
    assert "fixed: The level is not controlled in this run." in levels[0]
    assert "sensors" not in {thread.name for thread in threading.enumerate()}


def test_what_the_profiles_leave_untold_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    silent = tmp_path / "silent.yaml"
    silent.write_text("name: silent\nversion: 1\ndescription: x\nextends: eu_ddaw\ndrop: [no_face]\n")
    inputs = {"acknowledge": {"key": {"terminal": False}}}
    with app.open_pipeline(config(tmp_path, alerts={"profiles": [str(silent)]}, inputs=inputs), "test"):
        told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    for words in (
        "sleep is not watched",
        "not told within 10 s: no_face;",
        "fatigue.ddaw stays until it is acknowledged",
    ):
        assert any(line.startswith("alerts.profiles: ") and words in line for line in told), words
