from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from dms.alerts import AlertManager, load_profile
from dms.assess import Assessor
from dms.config import Config, ScheduleConfig, ServiceConfig
from dms.config.assess import AssessConfig
from dms.errors import EngineOutputError, SourceLost
from dms.loop import Loop
from dms.metrics import Metrics
from dms.pipeline import Pipeline
from dms.records import DriverState, Frame, FrameState, Health, HealthState, Judgement, UnknownCause, Vitals
from dms.scheduler import Scheduler
from dms.testing import ManualClock, MemorySink, ScriptedSource


class Stage:
    """Sees nothing; raises `errors[frame id]`."""

    name = "eyes"

    def __init__(self, errors: dict[int, Exception] | None = None) -> None:
        self._errors = errors or {}

    def run(self, state: FrameState) -> FrameState:
        if state.frame.id in self._errors:
            raise self._errors[state.frame.id]
        return replace(state, seen=replace(state.seen, eyes=None))


class CameraOnClock(ScriptedSource):
    """A live source: its clock runs to each frame's time, or by the time-out where none comes."""

    def __init__(self, script: Iterable[Frame | Exception], clock: ManualClock) -> None:
        super().__init__(script, live=True)
        self._clock = clock

    def newest(self, timeout_s: float) -> Frame:
        try:
            frame = super().newest(timeout_s)
        except SourceLost:
            self._clock.advance(timeout_s)
            raise
        self._clock.advance(max(0.0, frame.captured_s - self._clock()))
        return frame

    def now_s(self) -> float:
        return self._clock()


class Rig:
    """A loop over scripted frames, with everything it told."""

    def __init__(
        self,
        script: Iterable[Frame | Exception],
        errors: dict[int, Exception] | None = None,
        *,
        live: bool = False,
        sink_fault: str | None = None,
    ) -> None:
        self.sink = MemorySink()
        self.clock = ManualClock()
        self.beats = 0
        self.seen: list[int] = []
        self.stop = False
        if sink_fault:
            self.sink.fault = lambda: sink_fault  # type: ignore[method-assign]
        pipeline = Pipeline(
            [Stage(errors)],
            Scheduler(ScheduleConfig()),
            Assessor(AssessConfig()),
            AlertManager(load_profile("euroncap_2026"), "test"),
            self.clock,
        )
        self.loop = Loop(
            CameraOnClock(script, self.clock) if live else ScriptedSource(script),
            pipeline,
            [self.sink],
            Metrics(10.0),
            Config(service=ServiceConfig(vitals_every_s=1.0)),
            clock=self.clock,
            stop=lambda: self.stop,
            heartbeat=self._beat,
            observer=lambda frame, _: self.seen.append(frame.id),
        )

    def _beat(self) -> None:
        self.beats += 1

    def judgements(self) -> list[Judgement]:
        return [m for m in self.sink.messages if isinstance(m, Judgement)]

    def health(self) -> list[tuple[HealthState, str]]:
        return [(m.state, " ".join(m.causes)) for m in self.sink.messages if isinstance(m, Health)]


def frames(first: int, last: int, fps: float = 30) -> list[Frame | Exception]:
    return [Frame(i, i / fps, np.full((36, 64), 100, np.uint8)) for i in range(first, last)]


def test_every_frame_of_a_recording_is_judged_once_in_order() -> None:
    rig = Rig(frames(0, 60))
    rig.loop.run()
    ids = [j.observation.frame_id for j in rig.judgements() if j.observation.frame_id >= 0]
    assert ids == list(range(60)) == rig.seen
    assert rig.health() == [(HealthState.OK, "")]
    assert rig.beats == 60


def test_vitals_come_at_their_rate_in_time() -> None:
    rig = Rig(frames(0, 151))
    rig.loop.run()
    vitals = [m for m in rig.sink.messages if isinstance(m, Vitals)]
    assert [v.captured_s for v in vitals] == pytest.approx([1, 2, 3, 4, 5])
    assert vitals[-1].fps == pytest.approx(30, rel=0.02)


LOST = SourceLost("/dev/video0 gave no frame; check the cable")


def test_a_lost_camera_is_unknown_at_once_degraded_soon_and_well_when_it_is_back() -> None:
    rig = Rig([*frames(0, 31), *[LOST] * 12, *frames(150, 153)], live=True)
    rig.loop.run()
    assert rig.health() == [
        (HealthState.OK, ""),
        (HealthState.DEGRADED, "source_lost"),
        (HealthState.OK, ""),
    ]
    told_s = [m.captured_s for m in rig.sink.messages if isinstance(m, Health)]
    assert told_s[1] == pytest.approx(3.2)  # last frame at 1.0 s, lost after 2 s, told within 0.25 s
    blind = [j for j in rig.judgements() if j.observation.frame_id < 0]
    assert len(blind) == 12
    assert all(j.assessment.state is DriverState.UNKNOWN for j in blind)
    assert UnknownCause.STALE in blind[-1].assessment.unknown_causes
    assert rig.beats == 31 + 12 + 3


def test_a_frame_that_was_under_way_does_not_turn_time_back() -> None:
    late = Frame(40, 1.0 + 0.25 - 0.01, np.full((36, 64), 100, np.uint8))
    rig = Rig([*frames(0, 31), LOST, late, *frames(41, 45)], live=True)
    rig.loop.run()
    times = [j.observation.captured_s for j in rig.judgements()]
    assert times == sorted(times)


def test_a_hiccup_of_the_camera_is_no_degradation() -> None:
    rig = Rig([*frames(0, 31), LOST, LOST, *frames(46, 60)], live=True)
    rig.loop.run()
    assert rig.health() == [(HealthState.OK, "")]


def test_a_camera_that_never_gave_a_frame_is_an_error() -> None:
    rig = Rig([LOST], live=True)
    with pytest.raises(SourceLost, match="check the cable"):
        rig.loop.run()
    assert rig.beats == 0


def test_a_source_without_frames_ends_quietly() -> None:
    rig = Rig([])
    rig.loop.run()
    assert not rig.sink.messages


def test_a_failing_engine_degrades_and_recovers() -> None:
    rig = Rig(frames(0, 4), {1: EngineOutputError("engine eyes: output gaze holds NaN or infinity")})
    rig.loop.run()
    assert rig.health() == [
        (HealthState.OK, ""),
        (HealthState.DEGRADED, "engine_eyes"),
        (HealthState.OK, ""),
    ]


def test_blind_for_a_failing_engine_the_watchdog_is_not_fed() -> None:
    error = EngineOutputError("engine eyes: cudaErrorIllegalAddress")
    rig = Rig(frames(0, 6), {k: error for k in (2, 3, 4)})
    rig.loop.run()
    assert rig.seen == list(range(6))
    assert rig.beats == 3


def test_a_bug_in_a_stage_is_a_published_fault_without_a_heartbeat() -> None:
    rig = Rig(frames(0, 5), {1: ZeroDivisionError("bug"), 2: ZeroDivisionError("bug")})
    rig.loop.run()
    assert rig.health() == [
        (HealthState.OK, ""),
        (HealthState.FAULT, "internal_fault"),
        (HealthState.OK, ""),
    ]
    assert rig.beats == 3
    assert len(rig.judgements()) == 5


def test_a_sink_at_fault_is_degraded() -> None:
    rig = Rig(frames(0, 3), sink_fault="broker localhost:1883 refuses")
    rig.loop.run()
    assert rig.health() == [(HealthState.DEGRADED, "sink_memory")]


def test_stop_ends_the_run_at_once() -> None:
    rig = Rig(frames(0, 100))
    rig.stop = True
    rig.loop.run()
    assert not rig.sink.messages


def test_latency_of_a_camera_is_counted_from_the_capture() -> None:
    rig = Rig(frames(0, 40), live=True)
    rig.clock.advance(0.3)  # the frames are up to 0.3 s old when they come
    rig.loop.run()
    vitals = [m for m in rig.sink.messages if isinstance(m, Vitals)]
    assert vitals[0].latency_p95_s == pytest.approx(0.3, abs=0.05)


def test_vitals_go_on_while_the_camera_is_lost() -> None:
    rig = Rig([*frames(0, 31), *[LOST] * 20], live=True)
    rig.loop.run()
    vitals = [m for m in rig.sink.messages if isinstance(m, Vitals)]
    assert len(vitals) >= 4
    assert vitals[-1].fps < vitals[0].fps
