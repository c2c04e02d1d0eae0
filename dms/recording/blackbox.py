"""The black box: keeps the last minute in memory, and around each alert writes it to a bundle.

It is a sink. What it holds is in memory alone until an alert; a bundle is written by a thread of its own,
line by line with pauses, so that the frames of the meantime do not wait for it.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dms.config.blackbox import BlackboxConfig
from dms.errors import InputError, SinkError
from dms.files import make_folder
from dms.recording.bundle import Moment, Told, content_of, save, to_line
from dms.recording.redaction import Redactor
from dms.recording.shelf import path_of, tidy
from dms.records import Alert, Judgement, Message, Phase

log = logging.getLogger(__name__)

PAUSE_S = 0.002
"""Between two lines, so that the loop gets the interpreter when it needs it."""
MOST_MOMENTS = 30_000
"""Moments in one segment: four minutes at 120 frames a second. More come of a clock that stands still."""
BEHIND_S = 300.0
"""A disk this far behind, by the clock of the source, gets no more bundles: what waits fills memory."""
CLOSE_WITHIN_S = 10.0
THREAD_ENDED = "its thread has ended by an error in dms, told in the log; nothing but a restart mends it"


@dataclass(slots=True)
class Segment:
    """What came after one checkpoint. It only ever grows, so another thread may read its beginning."""

    begun_s: float
    checkpoint: Mapping[str, Any]
    moments: list[Moment | Told] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """An alert whose bundle is not written yet: what belongs to it, and when it will be complete."""

    alert: Alert
    segments: list[Segment]
    until_s: float


@dataclass(frozen=True, slots=True)
class _Cut:
    """All of one bundle, ready to be written."""

    alert: Alert
    checkpoint: Mapping[str, Any]
    parts: tuple[tuple[Segment, int], ...]

    def moments(self) -> Iterator[Moment | Told]:
        for segment, count in self.parts:
            yield from segment.moments[:count]


class BlackBox:
    """Writes `<alert id>.dms` into the configured folder for each alert, and deletes what is too old.

    Args:
        config: with a folder.
        about: what every manifest tells: versions, engines, configuration (`recording.about`).
        redactor: leaves out of faults what names a place.

    Raises:
        SinkError: the folder cannot be made or written into.
    """

    name = "blackbox"

    def __init__(self, config: BlackboxConfig, about: Mapping[str, Any], redactor: Redactor) -> None:
        if config.folder is None:
            raise SinkError("the black box needs a folder: set sinks.blackbox.folder")
        self._config = config
        self._folder = Path(config.folder)
        self._about = about
        self._redactor = redactor
        try:
            make_folder(self._folder, mode=0o700)
        except InputError as e:
            raise SinkError(f"black box: {e}") from e
        self._segments: deque[Segment] = deque()
        self._open: dict[str, _Open] = {}
        self._last: Judgement | None = None
        self._now_s = 0.0
        self._fault: str | None = None
        self.written = self.lost = 0
        """Bundles that were written, and that could not be."""
        self._jobs: queue.SimpleQueue[_Cut | None] = queue.SimpleQueue()
        self._waiting_s: deque[float] = deque()
        """When each bundle that is not written yet was handed over; the oldest is being written."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="blackbox", daemon=True)
        self._thread.start()
        log.info("black box: bundles without pictures around each alert are kept in %s", self._folder)

    def publish(self, message: Message) -> None:
        """Take a judgement, or what is told between two."""
        if self._closing.is_set():
            return
        content = content_of(message, self._last)
        if isinstance(message, Judgement) and content is not None:
            self._take(message, content)
        elif content is not None:
            self._keep(content)

    def fault(self) -> str | None:
        """Why bundles are lost; None when all is well."""
        if not (self._closing.is_set() or self._thread.is_alive()):
            return THREAD_ENDED
        return self._fault

    def figures(self) -> Mapping[str, float]:
        """What was written and lost, and what is held."""
        held = sum(len(segment.moments) for segment in tuple(self._segments))
        return {"bundles_written": self.written, "bundles_lost": self.lost, "moments_held": held}

    def close(self) -> None:
        """Write all that is open, without pauses; what is not within `CLOSE_WITHIN_S` is told as lost."""
        if self._closing.is_set():
            return
        self._closing.set()
        for entry in tuple(self._open.values()):
            self._hand_over(entry)
        self._jobs.put(None)
        self._thread.join(CLOSE_WITHIN_S)
        if lost := len(self._waiting_s):
            self.lost += lost
            slow = f"{self._folder} took longer than {CLOSE_WITHIN_S:g} s at the end"
            why = slow if self._thread.is_alive() else THREAD_ENDED
            log.error("black box: %s; %d bundles are lost", why, lost)

    def _take(self, judgement: Judgement, content: Moment | Told) -> None:
        self._last = judgement
        if math.isfinite(captured_s := judgement.observation.captured_s):
            self._now_s = captured_s
        now_s = self._now_s
        if judgement.checkpoint is not None:
            self._begin(Segment(now_s, judgement.checkpoint), now_s)
        self._keep(content)
        for alert in judgement.alerts:
            self._follow(alert, now_s)
        for entry in tuple(self._open.values()):
            if not entry.segments[0].begun_s <= now_s < entry.until_s:
                self._hand_over(entry)
        if self._segments and len(self._segments[-1].moments) >= MOST_MOMENTS:
            for entry in tuple(self._open.values()):  # what comes after the gap is none of theirs
                self._hand_over(entry)
            self._segments.clear()

    def _keep(self, content: Moment | Told) -> None:
        # What is told of health comes from another thread, perhaps: the segments may go meanwhile.
        with suppress(IndexError):
            self._segments[-1].moments.append(content)

    def _begin(self, segment: Segment, now_s: float) -> None:
        """Start a segment, and forget those that no alert from now on can need."""
        self._segments.append(segment)
        for entry in self._open.values():
            entry.segments.append(segment)
        while len(self._segments) > 1:
            follower_s = self._segments[1].begun_s
            if follower_s <= now_s < follower_s + self._config.before_s:
                return
            self._segments.popleft()

    def _follow(self, alert: Alert, now_s: float) -> None:
        if alert.phase is Phase.START and not self._segments:
            self._lose("there is no checkpoint to judge an alert again from")
        elif alert.phase is Phase.START:
            until_s = now_s + self._config.longest_s
            self._open[alert.id] = _Open(alert, list(self._segments), until_s)
        elif (entry := self._open.get(alert.id)) is not None:
            entry.alert = alert
            if alert.phase is Phase.END:
                entry.until_s = min(entry.until_s, now_s + self._config.after_s)

    def _hand_over(self, entry: _Open) -> None:
        del self._open[entry.alert.id]
        if self._behind_s() > BEHIND_S:
            self._lose(f"alerts come faster than {self._folder} takes bundles")
            return
        parts = tuple((segment, len(segment.moments)) for segment in entry.segments)
        self._waiting_s.append(self._now_s)
        self._jobs.put(_Cut(entry.alert, entry.segments[0].checkpoint, parts))

    def _behind_s(self) -> float:
        try:
            return self._now_s - self._waiting_s[0]
        except IndexError:  # not by its length: the other thread takes from it at any moment
            return 0.0

    def _work(self) -> None:
        self._tidy()
        while (cut := self._jobs.get()) is not None:
            try:
                self._write(cut)
            except InputError as e:
                self._lose(str(e))
            self._waiting_s.popleft()
            self._tidy()

    def _write(self, cut: _Cut) -> None:
        told_of = {content.id for m in cut.moments() if isinstance(m, Moment) for content in m.alerts}
        manifest = {
            "alert": {"id": cut.alert.id, "type": cut.alert.type, "t_onset": cut.alert.onset_s},
            "alerts": sorted(told_of),
            "landmarks": self._config.landmarks,
            **self._about,
        }
        state = self._redactor.checkpoint(cut.checkpoint)
        size = save(path_of(self._folder, cut.alert.id), manifest, state, self._lines(cut))
        self.written += 1
        self._fault = None
        log.info("black box: alert %s is kept in %.1f MB", cut.alert.id, size / 1e6)

    def _lines(self, cut: _Cut) -> Iterator[str]:
        for content in cut.moments():
            yield to_line(self._redactor.line(content), landmarks=self._config.landmarks)
            self._closing.wait(PAUSE_S)

    def _tidy(self) -> None:
        try:
            gone = tidy(self._folder, self._config, time.time())
        except InputError as e:
            self._fault = str(e)
            return
        if gone:
            log.info("black box: %d old bundles deleted", gone)

    def _lose(self, why: str) -> None:
        self.lost += 1
        if self._fault is None:
            log.error("black box: %s; bundles are lost", why)
        self._fault = f"{why}; {self.lost} bundles lost"
