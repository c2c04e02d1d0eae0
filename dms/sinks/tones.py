"""Patterns as sound: what the device is handed, sample by sample. Synthesised here, no recordings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dms.sinks.patterns import PATTERNS, Beep, Pattern
from dms.sinks.standing import Call, Standing

RATE_HZ = 48_000
FADE_S = 0.005
"""Tones swell and fade this long: a hard edge is heard as a click."""
OVERTONE = 0.3
"""Share of the octave in each tone. A pure sine is hard to locate, and easily lost in noise."""

Samples = NDArray[np.float32]


def render(pattern: Pattern) -> Samples:
    """One turn of a pattern, between -1 and 1."""
    turn: Samples = np.concatenate([_beep(beep) for beep in pattern.beeps]) * np.float32(pattern.gain)
    return turn


class Voice:
    """Sounds what is due. `fill` is called on the device's thread."""

    def __init__(self, standing: Standing, volume: float) -> None:
        self._standing = standing
        self._rendered = {pattern.name: render(pattern) * np.float32(volume) for pattern in PATTERNS}
        self._call: Call | None = None
        self._at = 0
        self._fade = np.linspace(1, 0, round(FADE_S * RATE_HZ), dtype=np.float32)

    def fill(self, frames: int) -> bytes:
        """The next `frames` samples: mono, signed 16 bit."""
        sound = np.zeros(frames, np.float32)
        due = self._standing.call()
        if not _goes_on(self._call, due):
            self._fade_out(sound)
            self._call, self._at = due, 0
            if due is not None:
                self._standing.begun(due)
        if due is not None:
            self._add(sound, due)
        return (sound.clip(-1, 1) * 32767).astype("<i2").tobytes()

    def _add(self, sound: Samples, due: Call) -> None:
        turn = self._rendered[due.pattern.name]
        places = self._at + np.arange(len(sound))
        self._at += len(sound)
        if due.pattern.repeats:
            sound += turn[places % len(turn)]
            return
        rest = turn[places[0] : places[-1] + 1]
        sound[: len(rest)] += rest
        if self._at >= len(turn):
            self._standing.played(due)

    def _fade_out(self, sound: Samples) -> None:
        """Let what sounded until now fade."""
        if self._call is None:
            return
        turn = self._rendered[self._call.pattern.name]
        at = self._at % len(turn) if self._call.pattern.repeats else self._at
        rest = turn[at : at + min(len(self._fade), len(sound))]
        sound[: len(rest)] += rest * self._fade[: len(rest)]


def _goes_on(sounding: Call | None, due: Call | None) -> bool:
    """Whether what sounds is what is due: of a repeating pattern it is all one whose alert it is."""
    if sounding is None or due is None:
        return sounding is due
    return sounding == due or (due.pattern.repeats and sounding.pattern is due.pattern)


def _beep(beep: Beep) -> Samples:
    at_s = np.arange(round(beep.on_s * RATE_HZ)) / RATE_HZ
    tone = np.sin(2 * np.pi * beep.hz * at_s) + OVERTONE * np.sin(4 * np.pi * beep.hz * at_s)
    edge = np.minimum(1, np.minimum(at_s, at_s[::-1]) / FADE_S)
    silence = np.zeros(round(beep.off_s * RATE_HZ))
    return np.concatenate([tone * edge / (1 + OVERTONE), silence]).astype(np.float32)
