"""Work in a process of its own: its memory is its own, and a runtime that dies takes nothing with it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from dms.errors import DmsError, EngineError

T = TypeVar("T")
Told = Callable[[str], None]
POLL_S = 0.1
"""How often the process is asked for news, and the caller is given its turn."""


def apart(
    work: Callable[..., T],
    *args: Any,
    told: Told = lambda phase: None,
    meanwhile: Callable[[], None] = lambda: None,
    limit_s: float,
) -> T:
    """What `work(*args, told)` returns, run in a fresh process; all of it must pickle.

    Args:
        work: a function of a module.
        args: what it is given; after them, a function that tells the caller a word.
        told: hears these words.
        meanwhile: called about ten times a second.
        limit_s: after so many seconds without a word the process is ended.

    Raises:
        DmsError: `work` raised it.
        EngineError: the process died, or it took too long.
    """
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, work, args), daemon=True)
    process.start()
    sender.close()
    try:
        while True:
            kind, value = _next(receiver, meanwhile, limit_s)
            if kind == "result":
                return value  # type: ignore[no-any-return]
            if kind == "error":
                raise value
            told(value)
    except EOFError as error:
        process.join()
        raise EngineError(f"the process ended by itself ({_end(process.exitcode)})") from error
    finally:
        process.kill()
        process.join()
        receiver.close()


def _next(receiver: Connection, meanwhile: Callable[[], None], limit_s: float) -> tuple[str, Any]:
    for _ in range(max(1, round(limit_s / POLL_S))):
        if receiver.poll(POLL_S):
            word: tuple[str, Any] = receiver.recv()
            return word
        meanwhile()
    raise EngineError(f"no answer within {limit_s:g} s")


def _child(sender: Connection, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller ends this process
    os.dup2(sys.stderr.fileno(), 1)  # runtimes print; the caller's output is for the report
    try:
        result = work(*args, lambda word: sender.send(("told", word)))
    except DmsError as error:
        sender.send(("error", error))
    else:
        sender.send(("result", result))


def _end(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
