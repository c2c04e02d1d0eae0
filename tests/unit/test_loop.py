from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dms.alerts import AlertManager, load_profile
from dms.assess import Assessor
from dms.config import Config, ScheduleConfig, ServiceConfig
from dms.config.assess import AssessConfig
from dms.control.levels import LEVELS
from dms.control.policy import Decision, Load
from dms.errors import EngineOutputError, SourceLost
from dms.loop import Loop
from dms.metrics import Metrics
from dms.pipeline import Pipeline
from dms.records import (
    Control,
    DeviceReading,
    DriverState,
    Frame,
    FrameState,
    Health,
    HealthState,
    Judgement,
    UnknownCause,
    Vitals,
)
from dms.scheduler import Scheduler
from dms.testing import ManualClock, MemorySink, ScriptedSource, Story

FACE = Story(fps=30).attentive(1.0).observations()[0]


class Stage:
    """Follows a face if it takes `takes_s` on the clock, else sees nothing; raises `errors[frame id]`."""

    def __init__(
        self,
        clock: ManualClock,
        errors: dict[int, Exception] | None = None,
        takes_s: float = 0.0,
        name: str = "eyes",
    ) -> None:
        self.name = name
        self._clock = clock
        self._errors = errors or {}
        self._takes_s = takes_s

    def run(self, state: FrameState) -> FrameState:
        self._clock.advance(self._takes_s)
        if state.frame.id in self._errors:
            raise self._errors[state.frame.id]
        return replace(state, seen=replace(state.seen, eyes=FACE.eyes if self._takes_s else None))


class CameraOnClock(ScriptedSource):
    """A live source: its clock runs to each frame's time, or by the time-out where none comes.

    Every `late_every`-th frame comes `late_s` after its capture. With `every_s` frames come that often,
    whatever time they bear.
    """

    def __init__(
        self,
        script: Iterable[Frame | Exception],
        clock: ManualClock,
        late_s: float = 0.0,
        late_every: int = 1,
        every_s: float | None = None,
    ) -> None:
        super().__init__(script, live=True)
        self._every_s = every_s
        self._clock = clock
        self._late_s = late_s
        self._late_every = late_every

    def newest(self, timeout_s: float) -> Frame:
        try:
            frame = super().newest(timeout_s)
        except SourceLost:
            self._clock.advance(timeout_s)
            raise
        comes_s = frame.captured_s + (0.0 if frame.id % self._late_every else self._late_s)
        waits_s = max(0.0, comes_s - self._clock()) if self._every_s is None else self._every_s
        self._clock.advance(waits_s)
        return frame

    def now_s(self) -> float:
        return self._clock()


class FakeGovernor:
    """Decides what it is told to, by the time on the clock, and notes the loads it was shown."""

    reading = DeviceReading(0.0, {"soc": 61.0})

    def __init__(self, decisions: dict[float, Decision], change: Callable[[int], None]) -> None:
        self._decisions = dict(decisions)
        self._change = change
        self.level = 0
        self.loads: list[Load] = []
        self.trouble: dict[str, str] = {}

    def tick(self, now_s: float, load: Callable[[], Load]) -> Decision | None:
        due = [at_s for at_s in self._decisions if at_s <= now_s]
        if not due:
            return None
        self.loads.append(load())
        decision = self._decisions.pop(due[0])
        self.level = decision.level
        self._change(decision.level)
        return decision

    def troubles(self) -> Mapping[str, str]:
        return self.trouble


class Rig:
    """A loop over scripted frames, with everything it told."""

    def __init__(
        self,
        script: Iterable[Frame | Exception],
        errors: dict[int, Exception] | None = None,
        *,
        live: bool = False,
        sink_fault: str | None = None,
        takes_s: float = 0.0,
        late_s: float = 0.0,
        late_every: int = 1,
        every_s: float | None = None,
        decisions: dict[float, Decision] | None = None,
        failing: str = "eyes",
    ) -> None:
        self.sink = MemorySink()
        self.clock = ManualClock()
        self.beats_s: list[float] = []
        self.seen: list[int] = []
        self.stop = False
        if sink_fault:
            self.sink.fault = lambda: sink_fault  # type: ignore[method-assign]
        scheduler = Scheduler(ScheduleConfig(), 1 / 30)
        self.governor = FakeGovernor(decisions or {}, lambda level: scheduler.use(LEVELS[level]))
        pipeline = Pipeline(
            [Stage(self.clock, errors, takes_s, failing)],
            scheduler,
            Assessor(AssessConfig()),
            AlertManager([load_profile("euroncap_2026")], "test"),
            self.clock,
        )
        camera = CameraOnClock(script, self.clock, late_s, late_every, every_s)
        self.source = camera if live else ScriptedSource(script)
        self.loop = Loop(
            self.source,
            pipeline,
            [self.sink],
            Metrics(10.0),
            Config(service=ServiceConfig(vitals_every_s=1.0)),
            clock=self.clock,
            stop=lambda: self.stop,
            heartbeat=self._beat,
            observer=lambda frame, _: self.seen.append(frame.id),
            governor=self.governor,  # type: ignore[arg-type]
        )

    def _beat(self) -> None:
        self.beats_s.append(self.clock())

    @property
    def beats(self) -> int:
        return len(self.beats_s)

    def longest_pause_s(self) -> float:
        """Between two moments judged and told, by the clock of the machine."""
        return max(b - a for a, b in pairwise([*self.beats_s, self.clock()]))

    def judgements(self) -> list[Judgement]:
        return [m for m in self.sink.messages if isinstance(m, Judgement)]

    def vitals(self) -> list[Vitals]:
        return [m for m in self.sink.messages if isinstance(m, Vitals)]

    def controls(self) -> list[Control]:
        return [m for m in self.sink.messages if isinstance(m, Control)]

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
    vitals = rig.vitals()
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
    assert told_s[1] == pytest.approx(3.0, abs=0.25)  # last frame at 1.0 s, lost after 2 s
    blind = [j for j in rig.judgements() if j.observation.frame_id < 0]
    assert len(blind) == 12
    states = [j.assessment.state for j in blind]
    assert states == sorted(states, key=(DriverState.UNKNOWN, DriverState.FAULT).index)
    assert set(states) == {DriverState.UNKNOWN, DriverState.FAULT}  # a loss that lasts is a fault
    assert UnknownCause.CAMERA_LOST in blind[-1].assessment.unknown_causes
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


@pytest.mark.parametrize(("name", "every"), [("face", 30), ("fatigue", 2), ("distraction", 6)])
def test_an_engine_that_takes_turns_and_fails_is_told_once_and_not_well_between_its_turns(
    name: str, every: int
) -> None:
    error = EngineOutputError(f"engine {name}: output holds NaN or infinity")
    faults = {k: error for k in range(30, 150, every)}
    rig = Rig(frames(0, 400), faults, live=True, failing=name)
    rig.loop.run()
    assert rig.health() == [
        (HealthState.OK, ""),
        (HealthState.DEGRADED, f"engine_{name}"),
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


def test_a_bug_on_every_frame_hides_no_other_trouble_and_stops_no_vitals() -> None:
    bugs: dict[int, Exception] = dict.fromkeys(range(150), ZeroDivisionError("bug"))
    rig = Rig(frames(0, 150), bugs, live=True, sink_fault="broker localhost:1883 refuses")
    rig.loop.run()
    assert rig.health() == [(HealthState.FAULT, "internal_fault sink_memory")]
    assert len(rig.vitals()) == 4
    assert rig.beats == 0


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
    rig = Rig(frames(0, 40), live=True, takes_s=0.01, late_s=0.3)
    rig.loop.run()
    vitals = rig.vitals()
    assert vitals[0].latency_p95_s == pytest.approx(0.31)
    assert vitals[0].waited_p95_s == pytest.approx(0.3)
    assert vitals[0].drops["late"] == 1  # it did not help: the others are judged


def test_vitals_go_on_while_the_camera_is_lost() -> None:
    rig = Rig([*frames(0, 31), *[LOST] * 20], live=True)
    rig.loop.run()
    vitals = rig.vitals()
    assert len(vitals) >= 4
    assert vitals[-1].fps < vitals[0].fps


def test_decisions_are_told_with_the_time_of_the_source() -> None:
    start = Decision(0, 0, "start", "level 0: all that is configured")
    hot = Decision(3, 2, "temperature", "soc at 88 °C")
    rig = Rig(frames(300, 360), live=True, decisions={0.0: start, 11.0: hot})
    rig.loop.run()
    assert rig.controls() == [
        Control(10.0, 0, 0, "start", "level 0: all that is configured"),
        Control(11.0, 3, 2, "temperature", "soc at 88 °C"),
    ]
    assert rig.governor.loads[1].latency_p95_s == pytest.approx(0.0)
    assert rig.governor.loads[1].drop_ratio == 0.0


def test_what_a_level_passes_over_is_counted_and_no_loss() -> None:
    decisions = {0.0: Decision(3, 2, "temperature", "hot"), 9.9: Decision(3, 3, "temperature", "hot")}
    rig = Rig(frames(0, 301), live=True, decisions=decisions)
    rig.loop.run()
    assert len(rig.seen) == pytest.approx(200, abs=2)
    assert rig.beats == len(rig.seen)
    assert rig.loop.drops == {"newer": 0, "late": 0, "level": 301 - len(rig.seen), "failed": 0}
    told = rig.vitals()[-1]
    assert told.fps == pytest.approx(20, rel=0.02)
    assert (told.level, told.device) == (3, rig.governor.reading)
    assert rig.governor.loads[-1].drop_ratio == 0.0
    assert rig.health() == [(HealthState.OK, "")]


def test_frames_too_old_to_be_in_time_are_passed_over_and_a_loss() -> None:
    """25 ms a frame, and every third comes 12 ms late: one interval, 33 ms, is not enough for those."""
    decisions = {9.9: Decision(0, 0, "start", "")}
    rig = Rig(frames(0, 301), live=True, takes_s=0.025, late_s=0.012, late_every=3, decisions=decisions)
    rig.loop.run()
    # The first is judged, because what a frame costs is not known before; the second brings a track.
    assert rig.loop.drops == {"newer": 0, "late": 100, "level": 0, "failed": 0}
    assert rig.beats == len(rig.seen) == 201
    assert rig.vitals()[-1].latency_p95_s == pytest.approx(0.025)
    assert rig.governor.loads[0].drop_ratio == pytest.approx(1 / 3, abs=0.02)


def test_troubles_of_the_controller_degrade() -> None:
    rig = Rig(frames(0, 3))
    rig.governor.trouble = {"sensors_lost": "no temperature for 10 s; held at level 2"}
    rig.loop.run()
    assert rig.health() == [(HealthState.DEGRADED, "sensors_lost")]


def test_what_a_sink_tells_of_itself_is_in_the_vitals() -> None:
    rig = Rig(frames(0, 40))
    rig.sink.figures = lambda: {"events_waiting": 3.0}  # type: ignore[method-assign]
    rig.loop.run()
    assert rig.vitals()[0].sinks == {"memory": {"events_waiting": 3.0}}


def shifted(first: int, last: int, by_s: float) -> list[Frame | Exception]:
    return [replace(f, captured_s=f.captured_s + by_s) for f in frames(first, last) if isinstance(f, Frame)]


@pytest.mark.parametrize("by_s", [-1000.0, -1.0, -1 / 30], ids=["far back", "back", "repeated once"])
def test_a_clock_set_back_is_told_and_lived_through(by_s: float) -> None:
    rig = Rig([*shifted(0, 90, 2000.0), *shifted(90, 300, 2000.0 + by_s)], live=True)
    rig.loop.run()
    assert len(rig.seen) >= 299  # by the machine's clock one may be late
    assert rig.seen == sorted(rig.seen)
    states = rig.health()
    assert states[:2] == [(HealthState.OK, ""), (HealthState.DEGRADED, "source_clock")]
    late_vitals = [v for v in rig.vitals() if v.captured_s > 2000.0 + by_s + 150 / 30]
    assert late_vitals, "the vitals went silent"
    assert late_vitals[-1].fps == pytest.approx(30, rel=0.05)


def test_frames_with_one_and_the_same_time_are_told_once_and_judged() -> None:
    still = [replace(f, captured_s=5.0) for f in frames(0, 200) if isinstance(f, Frame)]
    rig = Rig([*frames(100, 150), *still, *frames(150, 300)])
    rig.loop.run()
    assert len(rig.seen) == 400
    assert [causes for _, causes in rig.health()][:2] == ["", "source_clock"]
    assert len(rig.health()) <= 3


AT_LEVEL_4 = {0.0: Decision(4, 3, "temperature", "hot")}


@pytest.mark.parametrize(
    ("wrong_s", "told"),
    [
        (lambda i: 3.0, True),
        (lambda i: 3.0 + 0.02 * (i % 2), True),
        (lambda i: 3.0 + 0.001 * i, True),
        (lambda i: 3.0 - 0.001 * i, True),
    ],
    ids=["still", "wavering", "creeping", "creeping back"],
)
@pytest.mark.parametrize("decisions", [{}, AT_LEVEL_4], ids=["level 0", "level 4"])
def test_no_times_of_frames_silence_the_loop(
    wrong_s: Callable[[int], float], told: bool, decisions: dict[float, Decision]
) -> None:
    """Ten seconds of frames at their pace by the clock, not by their times."""
    wrong = [replace(f, captured_s=wrong_s(f.id)) for f in frames(91, 391) if isinstance(f, Frame)]
    rig = Rig([*frames(0, 91), *wrong], live=True, every_s=1 / 30, decisions=decisions)
    rig.loop.run()
    assert rig.longest_pause_s() <= AssessConfig().availability.stale_after_s
    assert len(rig.vitals()) >= 10
    assert ((HealthState.DEGRADED, "source_clock") in rig.health()) == told
    assert rig.beats == len(rig.seen) == 391 - sum(rig.loop.drops.values())  # none by a frame passed over


@pytest.mark.parametrize("late_every", [1, 2, 3])
@pytest.mark.parametrize("decisions", [{}, AT_LEVEL_4], ids=["level 0", "level 4"])
@pytest.mark.parametrize("fps", [5, 30])
def test_frames_that_are_late_silence_no_judgement(
    fps: float, decisions: dict[float, Decision], late_every: int
) -> None:
    rig = Rig(
        frames(0, int(10 * fps), fps),
        live=True,
        takes_s=0.001,
        late_s=1.1 / fps,
        late_every=late_every,
        decisions=decisions,
    )
    rig.loop.run()
    assert rig.longest_pause_s() <= AssessConfig().availability.stale_after_s
    assert (rig.loop.drops["late"] > 0) == (fps == 30)
    assert len(rig.vitals()) >= 8


def test_counts_go_on_with_a_source_opened_anew() -> None:
    rig = Rig(frames(0, 60), live=True, decisions=AT_LEVEL_4)
    rig.source.dropped = 40
    rig.loop.run()
    fresh = CameraOnClock(frames(60, 120), rig.clock)
    rig.loop.go_on_with(fresh)
    rig.loop.run()
    fresh.dropped = 2
    assert rig.loop.drops["newer"] == 42
    assert sum(rig.loop.drops.values()) == 42 + 120 - len(rig.seen)
    assert rig.vitals()[-1].drops["newer"] == 40


def test_times_that_are_none_do_not_end_the_run() -> None:
    broken = [
        Frame(i, captured_s, np.full((36, 64), 100, np.uint8))
        for i, captured_s in enumerate((math.nan, math.inf, -math.inf, math.nan), start=500)
    ]
    rig = Rig([*frames(0, 60), *broken, *frames(60, 200)])
    rig.loop.run()
    assert rig.seen[-1] == 199
    assert len(rig.seen) >= 200
    assert rig.vitals()[-1].captured_s == pytest.approx(199 / 30, abs=1.1)


def test_times_far_ahead_do_not_hide_that_the_camera_is_lost() -> None:
    rig = Rig([*shifted(0, 30, 1e6), *[LOST] * 12], live=True, late_s=-1e6)
    rig.loop.run()
    assert rig.health() == [(HealthState.OK, ""), (HealthState.DEGRADED, "source_lost")]
