"""A process that keeps what it loaded and does one piece of work at a time, when it is told to."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from dms.errors import DmsError, EngineError

Opener = Callable[..., AbstractContextManager[Any]]


class Worker:
    """Opens something in a fresh process and calls its methods there; all that passes must pickle.

    Unlike `bench.apart.apart` it lives on between two calls, so that two of them can take turns.

    Args:
        name: who it is, for errors.
        opener: a function of a module; gives a context manager, whose value has the methods.
        args: what the opener is given.
        limit_s: how long one answer may take.
    """

    def __init__(self, name: str, opener: Opener, *args: Any, limit_s: float) -> None:
        context = get_context("spawn")
        self._name = name
        self._limit_s = limit_s
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, opener, args), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, method: str, *args: Any) -> Any:
        """What the method returns.

        Raises:
            DmsError: it, or opening, raised it.
            EngineError: the process died, or it took too long.
        """
        try:
            self._pipe.send((method, args))
            if not self._pipe.poll(self._limit_s):
                raise EngineError(f"{self._name}: no answer within {self._limit_s:g} s")
            kind, value = self._pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            self._process.join()
            end = f"exit code {self._process.exitcode}"
            raise EngineError(f"{self._name}: the process ended by itself ({end})") from error
        if kind == "error":
            raise value
        return value

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe: Connection, opener: Opener, args: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller ends this process
    os.dup2(sys.stderr.fileno(), 1)  # runtimes print; the caller's output is for the report
    try:
        with opener(*args) as opened:
            while True:
                method, given = pipe.recv()
                pipe.send(("result", getattr(opened, method)(*given)))
    except DmsError as error:
        pipe.send(("error", error))
    except EOFError:
        return  # the caller is gone
