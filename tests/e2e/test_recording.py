"""What ran live is judged again bit for bit: levels, faults, acknowledgements and speeds included."""

import random
import time
from contextlib import closing

import pytest

from dms.alerts import AlertManager, load_profile
from dms.app import open_controlled, open_engines
from dms.assess import Assessor
from dms.config import Config
from dms.control.levels import LEVELS
from dms.errors import EngineOutputError
from dms.pipeline import Pipeline
from dms.recording.about import about
from dms.recording.bundle import Moment, open_bundle
from dms.recording.checkpoint import Checkpoints
from dms.recording.record import RecordSink
from dms.recording.replay import replay
from dms.records import Acknowledgement, Context, Control, Vehicle
from dms.sinks.system_payload import Origin
from dms.sources import open_source

pytestmark = pytest.mark.slow

CHANCE = random.Random(7)
CUTS = sorted(CHANCE.sample(range(200, 1200), 3))


class Failing:
    """A stage that breaks on some frames."""

    def __init__(self, stage):
        self.name = stage.name
        self._stage = stage

    def run(self, state):
        if 300 <= state.frame.id % 1000 < 306:
            raise EngineOutputError(f"engine {self.name}: output holds NaN, see /home/somebody/engine.onnx")
        return self._stage.run(state)


def context_of(number):
    """Town, then unknown, then motorway; the driver acknowledges now and then."""
    speed_kmh = 45.0 if number < 500 else None if number < 800 else 110.0 + number / 1000
    given = (Acknowledgement("key"),) if number % 230 == 0 else ()
    return Context(Vehicle(speed_kmh, "can", 0.04, faults={"can": "bus off at can0"}), given, configured=True)


def judged_live(config, controlled, stages, starts):
    """The demonstration, every other frame, with all that may come in between; checkpoints at `starts`."""
    pipeline = Pipeline(
        stages,
        controlled.scheduler,
        Assessor(config.assess),
        AlertManager([load_profile("euroncap_2026")], "live"),
        time.perf_counter,
        checkpoint=lambda *at: takes.due(*at) if number in starts else None,
    )
    takes = Checkpoints(0.001)
    with closing(open_source(config.source)) as source:
        for number in range(1300):
            source.newest(1.0)
            frame = source.newest(1.0)
            if number % 260 == 0:
                controlled.use(LEVELS[number // 260 % len(LEVELS)])
                yield Control(frame.captured_s, number // 260, 0, "latency", "late")
            if 900 <= number < 912:
                yield pipeline.blind(frame.captured_s, context_of(number))
            else:
                yield pipeline.step(frame, 0.001 * (number % 20), context_of(number))
    yield pipeline.finish()


def test_the_demonstration_replays_bit_for_bit_from_any_checkpoint(tmp_path):
    config = Config()
    config = config.model_copy(update={"source": config.source.model_copy(update={"realtime": False})})
    origin = Origin()
    sinks = [RecordSink(tmp_path / f"{cut}.dms", *about(config, origin)) for cut in (0, *CUTS)]
    with (
        open_engines(config.engines, lambda line: None) as engines,
        open_controlled(config, engines, "unused", cheapest={}) as controlled,
    ):
        stages = [Failing(s) if s.name != "quality" else s for s in controlled.pipeline._stages]
        number = -2
        for message in judged_live(config, controlled, stages, {0, *CUTS}):
            number += not isinstance(message, Control)
            for cut, sink in zip((0, *CUTS), sinks, strict=True):
                if message is not None and number + 1 >= cut:
                    sink.publish(message)
    for sink in sinks:
        sink.close()
    for cut, sink in zip((0, *CUTS), sinks, strict=True):
        assert sink.fault() is None
        with open_bundle(tmp_path / f"{cut}.dms") as bundle:
            moments = [line.content for line in bundle.lines() if isinstance(line.content, Moment)]
            result = replay(bundle)
        assert result.difference is None, f"from frame {cut}: {result.difference}"
        assert result.frames == len(moments)
        assert len(moments) - (1300 - cut) in (0, 1), "all frames, and the end if an alert was up"
    with open_bundle(tmp_path / "0.dms") as bundle:
        moments = [line.content for line in bundle.lines() if isinstance(line.content, Moment)]
    told = {alert.type for moment in moments for alert in moment.alerts}
    assert len(told) >= 4
    assert any(alert.acknowledged_s is not None for moment in moments for alert in moment.alerts)
    assert {moment.observation.level for moment in moments} == set(range(5))
    faults = [fault for moment in moments for fault in moment.observation.faults.values()]
    assert faults
    assert not any("somebody" in fault for fault in faults)
