"""Runs a command for each phase of each alert: whatever else this vehicle has to tell the driver with."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping

from dms.config.local import HookConfig
from dms.records import Judgement, Message
from dms.sinks import driver_payload, values
from dms.sinks.system_payload import Origin

log = logging.getLogger(__name__)

WAITING = 32
"""Events that wait for a free place; more than that are dropped and counted."""
RETEST_S = 5.0
CLOSED_WITHIN_S = 1.0
IN_ENVIRONMENT = ("id", "type", "phase", "severity")

Job = tuple[values.Document, float]


class HookSink:
    """Starts the command with the event (`dms.event/1`) as JSON on its standard input.

    `DMS_EVENT_ID`, `DMS_EVENT_TYPE`, `DMS_EVENT_PHASE` and `DMS_EVENT_SEVERITY` stand in its environment.
    What it prints goes nowhere; what it writes to standard error goes where dms writes its log. Nothing of it
    can hold up the loop: `at_most` threads wait for their commands, and a command that takes too long is
    killed with all that it started.
    """

    name = "hook"

    def __init__(
        self,
        config: HookConfig,
        origin: Origin,
        epoch_offset: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._config = config
        self._origin = origin
        self._epoch_offset = epoch_offset
        self._seq = 0
        self._jobs: queue.Queue[Job | None] = queue.Queue(WAITING)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = self._given_up = False
        self._counts = {"runs": 0, "runs_failed": 0, "events_dropped": 0}
        self._latency_s = 0.0
        self._failure: str | None = None
        self._unfit = unfit(config)
        self._threads = [
            threading.Thread(target=self._work, args=(n == 0,), name=f"dms-hook-{n}", daemon=True)
            for n in range(config.at_most)
        ]
        if config.test_call and self._unfit is None:
            self._run(*self._test_job())
        for thread in self._threads:
            thread.start()

    def publish(self, message: Message) -> None:
        """Hand each phase of an alert to a free thread; all else is no business of the command."""
        if self._closed or not isinstance(message, Judgement):
            return
        for alert in message.alerts:
            self._seq += 1
            event = driver_payload.event(
                alert, message.assessment, self._seq, self._epoch_offset(), self._origin
            )
            try:
                self._jobs.put_nowait((event, time.monotonic()))
            except queue.Full:
                self._lose()

    def fault(self) -> str | None:
        """What is wrong with the command, until a run succeeds; None when all is well."""
        return self._unfit or self._failure

    def figures(self) -> Mapping[str, float]:
        """Runs, those that failed, events that found no place, and the longest wait until a command ran."""
        with self._lock:
            return {**self._counts, "begun_max_s": self._latency_s}

    def close(self) -> None:
        """Give what waits and runs a second to end, then kill what runs and count what waits as dropped.

        May be called twice.
        """
        if self._closed:
            return
        self._closed = True
        ends_s = time.monotonic() + CLOSED_WITHIN_S
        for _ in self._threads:
            with contextlib.suppress(queue.Full):
                self._jobs.put(None, timeout=max(0.0, ends_s - time.monotonic()))
        for thread in self._threads:
            thread.join(max(0.0, ends_s - time.monotonic()))
        with self._lock:
            self._given_up = True
            for running in self._running:
                _kill(running)
        self._drop_waiting()

    def _drop_waiting(self) -> None:
        dropped = 0
        with contextlib.suppress(queue.Empty):
            while True:
                if self._jobs.get_nowait() is not None:
                    self._lose()
                    dropped += 1
        if dropped:
            log.error("hook: %d events were waiting when dms ended, and are dropped", dropped)

    def _work(self, retests: bool) -> None:
        while not self._given_up:
            try:
                job = self._jobs.get(timeout=RETEST_S)
            except queue.Empty:
                if retests:
                    self._retest()
                continue
            if job is None:
                return
            if not self._run(*job):
                self._lose()

    def _retest(self) -> None:
        """Mend nothing, but notice that somebody did."""
        self._unfit = unfit(self._config)
        if self._config.test_call and self._failure is not None and self._unfit is None:
            self._run(*self._test_job())

    def _test_job(self) -> Job:
        return {"phase": "test"}, time.monotonic()

    def _run(self, event: values.Document, due_s: float) -> bool:
        """Run the command once and note how it ended; False where the sink has been closed before."""
        try:
            process = self._start(event, due_s)
        except OSError as e:
            self._end(f"{self._config.command[0]} cannot be run: {e.strerror or e}")
            return True
        if process is None:
            return False
        try:
            process.communicate(values.encode(event).encode() + b"\n", self._config.timeout_s)
            code = process.returncode
            self._end(None if code == 0 else f"{self._config.command[0]} ended with code {code}")
        except subprocess.TimeoutExpired:
            _kill(process)
            self._end(f"{self._config.command[0]} ran for over {self._config.timeout_s:g} s and was killed")
        finally:
            with self._lock:
                self._running.discard(process)
        return True

    def _start(self, event: values.Document, due_s: float) -> subprocess.Popen[bytes] | None:
        told = {f"DMS_EVENT_{key.upper()}": str(event.get(key, "")) for key in IN_ENVIRONMENT}
        with self._lock:  # or a command would outlive a sink that is being closed
            if self._given_up:
                return None
            process = subprocess.Popen(
                self._config.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **told},
                start_new_session=True,  # a group of its own, which can be killed whole
            )
            self._running.add(process)
            self._latency_s = max(self._latency_s, time.monotonic() - due_s)
            return process

    def _end(self, failure: str | None) -> None:
        with self._lock:
            self._counts["runs"] += 1
            self._counts["runs_failed"] += failure is not None
        if failure is not None and self._failure is None:
            log.error("hook: %s", failure)
        self._failure = failure

    def _lose(self) -> None:
        with self._lock:
            self._counts["events_dropped"] += 1
            lost = self._counts["events_dropped"]
        self._failure = f"events come faster than the command ends; {lost} were dropped"


def unfit(config: HookConfig) -> str | None:
    """Why the command cannot be run, as far as can be told without running it; None where it can."""
    program = config.command[0]
    if shutil.which(program) is None:
        return f"sinks.hook.command: {program} is not there, or this user may not run it"
    return None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the command and all it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
