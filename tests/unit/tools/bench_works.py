"""Work that the tests of `bench_apart` give away; a fresh process imports it from here."""

from __future__ import annotations

import os
import signal
import time

from dms.errors import EngineUnavailable, InputError


def double(number, told):
    told("begun")
    told("done")
    return 2 * number


def chatty(told):
    os.write(1, b"a runtime that prints")
    return os.getpid()


def refused(told):
    raise EngineUnavailable("no such hardware here")


def malformed(told):
    raise InputError("no such clip")


def die(told):
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(told):
    raise SystemExit(3)


def hang(told):
    time.sleep(600)
