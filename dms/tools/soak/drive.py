"""One soak under way: called before every frame, it directs the faults, watches the process, counts laps."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dms.loop import Loop
from dms.sinks import Sink
from dms.tools.soak import watch as soak_watch
from dms.tools.soak.clock import DrivingClock
from dms.tools.soak.director import Director
from dms.tools.soak.faults import KINDS
from dms.tools.soak.laps import Recording, Tally, tally_lap
from dms.tools.soak.rig import Rig
from dms.tools.soak.schedule import FIRST_S, Fault, Kind
from dms.tools.soak.verdict import WARM_UP_SHARE, Run
from dms.tools.soak.watch import Holdings, Sample
from dms.tools.soak.witness import Witness

WATCH_EVERY_S = 2.0
"""Wall time between two looks at the process."""
MOST_SAMPLES = 20_000
"""Of a soak longer than half a day every second look is forgotten again and again."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be driven. `wall_limit_s`: end after so much wall time, however far it has come."""

    driving_s: float
    speed: float
    seed: int = 1
    wall_limit_s: float | None = None
    kinds: Sequence[Kind] = KINDS
    first_fault_s: float = FIRST_S


Told = Callable[[Sample, Fault | None], None]


class Drive:
    """What is done beside the loop, on its thread. `rig`, `director`, `loop`, `sinks` are set once built."""

    def __init__(
        self,
        order: Order,
        recording: Recording,
        clock: DrivingClock,
        witness: Witness,
        stop: Callable[[], bool],
        told: Told,
    ) -> None:
        self._order = order
        self._recording = recording
        self._clock = clock
        self._witness = witness
        self._asked = stop
        self._told = told
        self._begun_s = clock()
        self._begun_wall_s = time.monotonic()
        self._looked_wall_s = 0.0
        self._ended_wall_s = 0.0
        self._laps = 0
        self._tally = Tally()
        self._samples: list[Sample] = []
        self._every_s = WATCH_EVERY_S
        self._held: list[Holdings] = []
        self.plan: Sequence[Fault] = ()
        self.rig: Rig
        self.director: Director
        self.loop: Loop
        self.sinks: Sequence[Sink]
        self.scrape: Callable[[], None] = lambda: None

    def at_frame(self, now_s: float) -> None:
        """Direct, watch, and compare the lap that is over."""
        self.director.advance(now_s)
        if self.rig.source.laps > self._laps:
            self._end_lap()
        if time.monotonic() - self._looked_wall_s >= self._every_s:
            with self._clock.paused():
                self._look(now_s)

    def stop(self) -> bool:
        """Whether the drive is over."""
        wall_s, limit_s = time.monotonic() - self._begun_wall_s, self._order.wall_limit_s
        is_driven = self._clock() - self._begun_s >= self._order.driving_s and self.director.fault is None
        return self._asked() or is_driven or (limit_s is not None and wall_s >= limit_s)

    def finish(self) -> None:
        """Take the last look."""
        self._ended_wall_s = time.monotonic()
        self.driven_s = self._clock() - self._begun_s
        self._look(self._clock())
        self.director.close()

    def run(self, order: Order, left_over: Counter[str]) -> Run:
        """All that was found."""
        return Run(
            planned_s=order.driving_s,
            driven_s=self.driven_s,
            wall_s=self._ended_wall_s - self._begun_wall_s,
            samples=self._samples,
            held_before=self._held[0] if self._held else None,
            held_after=self._held[-1] if len(self._held) > 1 else None,
            left_over=left_over,
            plan=self.plan,
            outcomes=self.director.outcomes,
            tally=self._tally,
            unforeseen=self.director.unforeseen,
            events_dropped=self._mqtt("events_dropped"),
            events_waiting=self._mqtt("events_waiting"),
        )

    def _end_lap(self) -> None:
        begun_s = self.rig.source.begun_s + self._laps * self._recording.length_s
        heard = tuple(self._witness.recent)
        director = self.director
        tally_lap(self._tally, self._recording, begun_s, heard, director.disturbed, director.at_top)
        self._laps += 1
        if self.director.fault is None:
            os.truncate(self.rig.lines, 0)  # as logrotate's copytruncate does: hours of lines fill a disk

    def _look(self, now_s: float) -> None:
        self._looked_wall_s = time.monotonic()
        self.scrape()
        settled = self.director.fault is None and not self._witness.troubles
        held = soak_watch.holdings()
        sample = Sample(
            driven_s=now_s - self._begun_s,
            wall_s=self._looked_wall_s - self._begun_wall_s,
            rss_mb=soak_watch.rss_mb(),
            threads=held.threads.total(),
            handles=held.handles.total(),
            blocks=soak_watch.count_blocks(),
            events_waiting=self._mqtt("events_waiting"),
            frames=self._witness.frames,
            dropped=sum(self.loop.drops.values()),
            level=self._witness.level,
            alerts=self._witness.alerts_begun,
            settled=settled,
        )
        self._keep(sample)
        if settled and sample.driven_s >= WARM_UP_SHARE * self._order.driving_s:
            self._held[1:] = [held]
        self._told(sample, self.director.fault)

    def _keep(self, sample: Sample) -> None:
        self._samples.append(sample)
        if len(self._samples) >= MOST_SAMPLES:
            del self._samples[::2]
            self._every_s *= 2

    def _mqtt(self, name: str) -> float:
        return next((sink.figures()[name] for sink in self.sinks if sink.name == "mqtt"), 0.0)
