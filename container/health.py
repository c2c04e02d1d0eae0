"""Is the service in this container at work: does it tell, now, that it judged a frame.

`dms run` sends `WATCHDOG=1` to the socket named in NOTIFY_SOCKET after each judged frame, whether anybody
listens or not (dms/service.py). This listens for a moment. Exit code 0: a frame was judged.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

PATIENCE_S = 6.0
"""Longer than the 5 s after which systemd ends a service that judges nothing."""


def alive(path: Path, patience_s: float = PATIENCE_S) -> bool:
    """Whether a judged frame is told at the socket `path` in time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        try:
            return _heard(listener, time.monotonic() + patience_s)
        finally:
            path.unlink(missing_ok=True)


def _heard(listener: socket.socket, until_s: float) -> bool:
    while (left_s := until_s - time.monotonic()) > 0:
        listener.settimeout(left_s)
        with suppress(TimeoutError):
            if listener.recv(4096) == b"WATCHDOG=1":
                return True
    return False


if __name__ == "__main__":
    sys.exit(not alive(Path(os.environ["NOTIFY_SOCKET"])))
