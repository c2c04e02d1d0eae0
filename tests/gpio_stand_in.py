"""Stands in for gpiod's lines where the kernel has none: in memory, with gpiod's own values and settings.

It proves what dms asks of gpiod, not what a kernel and its pins make of it.
"""

import errno
import queue
import types

import pytest


class Lines:
    """What `gpiod.request_lines` returns; `log` holds every change of the outputs."""

    def __init__(self, board, offsets, settings):
        self._board = board
        self.settings = settings
        self.offsets = list(offsets)
        self.released = False
        self.set_values(dict.fromkeys(self.offsets, settings.output_value))

    def set_values(self, values):
        self._board.check()
        self._board.values.update(values)
        self._board.log.append({offset for offset, value in self._board.values.items() if value.value})

    def get_values(self, offsets):
        self._board.check()
        active, inactive = self._board.line.Value.ACTIVE, self._board.line.Value.INACTIVE
        return [
            self._board.values[n]
            if n not in self._board.shorted
            else inactive
            if self._board.values[n] is active
            else active
            for n in offsets
        ]

    def get_value(self, offset):
        self._board.check()
        return self._board.values[offset]

    def wait_edge_events(self, timeout_s):
        self._board.check()
        try:
            self._event = self._board.events.get(timeout=timeout_s)
        except queue.Empty:
            return False
        return True

    def read_edge_events(self):
        self._board.check()
        return [self._event]

    def release(self):
        self.released = True


class Board:
    """A chip with its lines, and the module that a program thinks is gpiod."""

    def __init__(self, gpiod):
        self.line = gpiod.line
        self._edge = gpiod.EdgeEvent.Type
        self.values, self.log, self.shorted, self.requests = {}, [], set(), []
        self.events = queue.Queue()
        self.broken = False
        self.module = types.SimpleNamespace(**{**vars(gpiod), "request_lines": self.request_lines})

    def request_lines(self, path, consumer, config):
        self.check()
        ((offsets, settings),) = config.items()
        offsets = offsets if isinstance(offsets, tuple) else (offsets,)
        self.requests.append(Lines(self, offsets, settings))
        return self.requests[-1]

    def check(self):
        if self.broken:
            raise OSError(errno.ENODEV, "No such device")

    def press(self):
        self._tell(self._edge.RISING_EDGE)

    def release(self):
        self._tell(self._edge.FALLING_EDGE)

    def _tell(self, edge):
        self.events.put(types.SimpleNamespace(event_type=edge))


@pytest.fixture
def board(monkeypatch):
    gpiod = pytest.importorskip("gpiod", reason="gpiod is not installed: pip install 'dms[gpio]'")
    made = Board(gpiod)
    monkeypatch.setattr("gpiod.request_lines", made.request_lines)
    return made
