"""Scenes one after the other in simulated time, sampled as a camera would."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate

from dms.records import NOTHING_KNOWN, Acknowledgement, Context, Observation
from dms.testing.scene import Scene, perceive


class Timeline:
    """Scenes one after the other, sampled at `fps`, or at intervals drawn from `jitter_s` if given.

    `drop` is the share of frames lost at random, `noise_deg` the white noise on the gaze; both are drawn
    from `seed`, so a story is always the same. `phase` (0 to 1) moves the first frame into its interval.
    """

    def __init__(
        self,
        fps: float = 30.0,
        *,
        jitter_s: tuple[float, float] | None = None,
        drop: float = 0.0,
        noise_deg: float = 0.0,
        seed: int = 0,
        start_s: float = 100.0,
        phase: float = 0.0,
    ) -> None:
        """Begin an empty story."""
        self.fps = fps
        self.zero_s = start_s
        """From here on the times of what is expected are counted: see `mark`."""
        self._jitter_s = jitter_s
        self._drop = drop
        self._noise_deg = noise_deg
        self._seed = seed
        self._start_s = start_s
        self._phase_s = phase / fps
        self._parts: list[tuple[float, Scene, Context]] = []
        self._jumps: list[tuple[float, float]] = []
        self._lost: list[tuple[float, float]] = []
        self._context = NOTHING_KNOWN
        self._acknowledged_s: list[float] = []

    @property
    def end_s(self) -> float:
        """Time at which the next scene begins, clock jumps left out."""
        return self._start_s + sum(duration_s for duration_s, _, _ in self._parts)

    def mark(self) -> None:
        """Count the times of what is expected from here."""
        self.zero_s = self.end_s

    def add(self, duration_s: float, scene: Scene) -> None:
        """Go on with a scene."""
        self._parts.append((duration_s, scene, self._context))

    def set_context(self, context: Context) -> None:
        """From here on this is known beside the picture."""
        self._context = context

    def acknowledge_here(self) -> None:
        """Here the driver acknowledges all alerts."""
        self._acknowledged_s.append(self.end_s)

    def set_noise(self, noise_deg: float) -> None:
        """White noise on the gaze, throughout the story."""
        self._noise_deg = noise_deg

    def jump_clock(self, seconds: float) -> None:
        """Here the clock of the source jumps; negative = it is set back."""
        self._jumps.append((self.end_s, seconds))

    def lose(self, from_s: float, to_s: float) -> None:
        """Lose all frames between these times, whatever scenes they show."""
        self._lost.append((from_s, to_s))

    def observations(self) -> list[Observation]:
        """The whole story as perceived, the same on every call."""
        noise = random.Random(self._seed + 1)
        begins_s = list(accumulate((part[0] for part in self._parts), initial=self._start_s))[:-1]
        due_s = deque(self._acknowledged_s)
        seen = []
        for number, now_s in enumerate(self._times_s()):
            index = bisect_right(begins_s, now_s + 1e-9) - 1
            duration_s, scene, context = self._parts[index]
            if scene.silent or any(from_s <= now_s < to_s for from_s, to_s in self._lost):
                continue
            while due_s and due_s[0] <= now_s + 1e-9:
                due_s.popleft()
                context = replace(
                    context, acknowledgements=(*context.acknowledgements, Acknowledgement("key"))
                )
            scene = scene.after((now_s - begins_s[index]) / duration_s)
            perceived = perceive(scene, self._shown_s(now_s), number, noise.gauss(0.0, self._noise_deg))
            seen.append(replace(perceived, context=context))
        return seen

    def _shown_s(self, now_s: float) -> float:
        """What the source's clock shows."""
        return now_s + sum(jump_s for begin_s, jump_s in self._jumps if begin_s <= now_s + 1e-9)

    def _times_s(self) -> Iterator[float]:
        chance = random.Random(self._seed)
        end_s, number = self.end_s, 0
        now_s = begin_s = self._start_s + self._phase_s
        while now_s < end_s - 1e-9:
            if chance.random() >= self._drop:
                yield now_s
            number += 1
            if self._jitter_s is None:
                now_s = begin_s + number / self.fps
            else:
                now_s += chance.uniform(*self._jitter_s)
