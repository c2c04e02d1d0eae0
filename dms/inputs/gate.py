"""The checks that every message of an untrusted sender passes: size, form, rate, age, newness.

Reads no clock.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dms.config.inputs import InputsConfig

Value = bool | float | str

PAYLOAD_LIMIT_BYTES = 256
"""A value and a time need fewer; what is longer is not even read."""
AHEAD_LIMIT_S = 2.0
"""A message may be this far in the future: clocks set over the network differ by less."""
WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Refused(ValueError):
    """A message is not taken; stays within the inputs."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Stamped:
    """A well-formed value, and when the sender says it was true (Unix seconds, if told)."""

    value: Value
    ts_s: float | None = None


class Gate:
    """One topic's messages, let in one by one.

    Args:
        config: the limits.
        now_s: present moment on the monotonic clock.
    """

    def __init__(self, config: InputsConfig, now_s: float) -> None:
        self._rate_hz = config.mqtt.rate_limit_hz
        self._require_ts = config.mqtt.require_ts
        self._stale_after_s = config.stale_after_s
        self._allowance = self._rate_hz  # a second's worth may come in one burst
        self._looked_s = now_s
        self._last_ts_s = -math.inf
        self._offset_s = -math.inf

    def admit(self, payload: bytes, retained: bool, now_s: float, epoch_s: float) -> tuple[Value, float]:
        """The value, and when it was true on the monotonic clock.

        Args:
            payload: as it came.
            retained: whether the broker had kept it, so that nobody knows how old it is.
            now_s: present moment on the monotonic clock.
            epoch_s: the same in Unix time.

        Raises:
            Refused: a check failed.
        """
        self._let_pass(now_s)
        if retained:
            raise Refused("replayed", "the message was retained: publish without the retain flag")
        stamped = parse(payload)
        if stamped.ts_s is None:
            if self._require_ts:
                raise Refused("malformed", "the message carries no ts (inputs.mqtt.require_ts)")
            return stamped.value, now_s
        self._note_clock(epoch_s - now_s)
        return stamped.value, now_s - self._age_s(stamped.ts_s, epoch_s)

    def _let_pass(self, now_s: float) -> None:
        elapsed_s = now_s - self._looked_s
        self._looked_s = now_s
        self._allowance = min(self._rate_hz, self._allowance + elapsed_s * self._rate_hz)
        if self._allowance < 1:
            raise Refused("flood", f"more than {self._rate_hz:g} messages a second")
        self._allowance -= 1

    def _note_clock(self, offset_s: float) -> None:
        """Where this machine's clock was set back, times before the step say nothing of newness."""
        if offset_s < self._offset_s - AHEAD_LIMIT_S:
            self._last_ts_s = -math.inf
        self._offset_s = offset_s

    def _age_s(self, ts_s: float, epoch_s: float) -> float:
        age_s = epoch_s - ts_s
        if age_s > self._stale_after_s:
            raise Refused("stale", f"the message is {age_s:.4g} s old by its ts")
        if age_s < -AHEAD_LIMIT_S:
            raise Refused("stale", f"its ts is {-age_s:.4g} s ahead of this machine's clock")
        if ts_s <= self._last_ts_s:
            raise Refused("replayed", "its ts is not newer than that of the message before")
        self._last_ts_s = ts_s
        return max(0.0, age_s)


def parse(payload: bytes) -> Stamped:
    """A bare value (JSON, or one plain word), or an object `{"value": …, "ts": …}`.

    Raises:
        Refused: it is neither.
    """
    if len(payload) > PAYLOAD_LIMIT_BYTES:
        raise Refused("malformed", f"{len(payload)} bytes, {PAYLOAD_LIMIT_BYTES} are allowed")
    try:
        text = payload.decode("ascii").strip()
    except UnicodeDecodeError as e:
        raise Refused("malformed", "not plain ASCII") from e
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as e:
        if WORD.fullmatch(text):
            return Stamped(text)
        raise Refused("malformed", f"{shown(text)} is no JSON") from e
    if not isinstance(document, dict):
        return Stamped(_value(document))
    if not {"value"} <= document.keys() <= {"value", "ts"}:
        raise Refused("malformed", f"{shown(text)} must have `value`, may have `ts` and nothing else")
    ts = document.get("ts")
    return Stamped(_value(document["value"]), None if ts is None else unix_s(ts))


def unix_s(ts: Any) -> float:
    """A time as Unix seconds: told so, or as ISO 8601 with its zone, like `2026-11-20T13:36:00.123Z`.

    Raises:
        Refused: it is neither.
    """
    if isinstance(ts, (int, float)) and not isinstance(ts, bool) and math.isfinite(ts):
        return float(ts)
    try:
        moment = datetime.fromisoformat(str(ts).replace("Z", "+00:00"))
    except ValueError as e:
        raise Refused("malformed", f"ts {shown(ts)} is no time") from e
    if moment.tzinfo is None:
        raise Refused("malformed", f"ts {shown(ts)} does not tell its zone: end it with Z")
    return moment.timestamp()


def shown(value: object) -> str:
    """What a stranger sent, short and in printable ASCII."""
    return ascii(value if len(str(value)) <= 40 else f"{str(value)[:40]}...")


def _value(value: Any) -> Value:
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    raise Refused("malformed", f"{shown(value)} is no number, truth value or text")
