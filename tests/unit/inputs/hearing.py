"""Gathers what an input tells, and waits for it."""

import threading

WAIT_S = 15.0


class Heard:
    """Called as a hub would be; `wait` for what should come."""

    def __init__(self):
        self._told = []
        self._changed = threading.Condition()

    def __call__(self, told):
        with self._changed:
            self._told.append(told)
            self._changed.notify_all()

    def wait(self, found, count=1):
        """The first `count` of which `found` is true, as soon as they were told."""
        with self._changed:
            came = self._changed.wait_for(lambda: sum(map(found, self._told)) >= count, WAIT_S)
            hits = [told for told in self._told if found(told)]
        assert came, f"only {len(hits)} of {count}; told {self._told}"
        return hits[:count]

    def all(self):
        with self._changed:
            return list(self._told)
