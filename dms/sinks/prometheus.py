"""Figures for Prometheus: one endpoint for the process, one sink a vehicle. Needs the extra `metrics`.

What happens is counted as it happens (frames, alerts, changes of level, times of stages). What is, is read
off the newest messages when somebody asks. The metrics are listed in `docs/metrics.md`.
"""

from __future__ import annotations

import io
import logging
import math
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from dms.config.sinks import PrometheusConfig
from dms.errors import SinkError
from dms.records import Control, Judgement, Message, Phase, Vitals
from dms.sinks.ack_times import AgeOf
from dms.sinks.prometheus_gauges import Newest, family

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Histogram
    from prometheus_client.metrics_core import Metric

log = logging.getLogger(__name__)

STAGE_BUCKETS_S = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
LATENCY_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.025, 0.033, 0.05, 0.067, 0.1, 0.2, 0.5, 1.0)
"""Up to the interval of 60, 30, 20 and 15 frames a second, where deadlines are, and beyond."""
REQUEST_TIMEOUT_S = 2.0
"""One client is served at a time; one that takes longer to ask, or to be sent to, is left."""
CLOSE_TIMEOUT_S = 3.0
"""More than one request may take, and far less than a service manager bears."""


class PrometheusServer:
    """Answers `http://<host>:<port>/metrics` from a thread of its own, for all sinks of this process.

    Raises:
        SinkError: prometheus-client is not installed, or the address cannot be listened on.
    """

    def __init__(self, config: PrometheusConfig) -> None:
        client = _client()
        registry = client.CollectorRegistry()
        client.ProcessCollector(registry=registry)
        into = {"registry": registry}
        self.frames = client.Counter("dms_frames_total", "Frames judged.", ["vehicle"], **into)
        self.latency = client.Histogram(
            "dms_frame_latency_seconds",
            "From the capture of a frame to its judgement.",
            ["vehicle"],
            buckets=LATENCY_BUCKETS_S,
            **into,
        )
        self.stages = client.Histogram(
            "dms_stage_seconds",
            "What a stage took on a frame it ran on.",
            ["vehicle", "stage"],
            buckets=STAGE_BUCKETS_S,
            **into,
        )
        self.alerts = client.Counter(
            "dms_alerts_total", "Alerts that began.", ["vehicle", "type", "severity"], **into
        )
        self.level_changes = client.Counter(
            "dms_level_changes_total", "Changes of the controller's level.", ["vehicle", "cause"], **into
        )
        self._newest: dict[str, Newest] = {}
        registry.register(self)
        self._httpd = _listen(config, registry)
        self.port: int = self._httpd.server_port
        self._thread = threading.Thread(target=self._httpd.serve_forever, name="prometheus", daemon=True)
        self._thread.start()
        log.info("metrics for Prometheus: http://%s:%d/metrics", config.host, self.port)

    def watch(self, vehicle: str, newest: Newest) -> None:
        """Show what is newest of a vehicle from now on."""
        self._newest[vehicle] = newest

    def unwatch(self, vehicle: str) -> None:
        """Show its present no longer; what was counted stays."""
        self._newest.pop(vehicle, None)

    def collect(self) -> Iterable[Metric]:
        """What is, for the registry; on the server's thread."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        now_s = time.monotonic()
        for vehicle, newest in tuple(self._newest.items()):
            for name, labels, value in newest.readings(now_s):
                if value is None or not math.isfinite(value):
                    continue
                if name not in families:
                    kind = family(name)
                    made = CounterMetricFamily if kind.counter else GaugeMetricFamily
                    families[name] = made(f"dms_{name}", kind.help, labels=["vehicle", *kind.labels])
                families[name].add_metric([vehicle, *map(_label, labels)], float(value))
        return families.values()

    def close(self) -> None:
        """Free the port and end the thread; at most about `CLOSE_TIMEOUT_S`. May be called twice."""
        # shutdown() waits without a limit for the request in hand.
        stopper = threading.Thread(target=self._stop, name="prometheus-stop", daemon=True)
        stopper.start()
        stopper.join(CLOSE_TIMEOUT_S)
        self._httpd.server_close()

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._httpd.shutdown()
            self._thread.join()


class PrometheusSink:
    """The figures of one vehicle.

    Args:
        server: where they are shown; whoever opened it closes it.
        vehicle: the label on all of them.
        age_of: tells how long ago a moment of the source's clock was. Where it is unknown (recordings judged
            as fast as it goes) the latency of a frame is the sum of its stages.
    """

    name = "prometheus"

    def __init__(
        self, server: PrometheusServer, vehicle: str, age_of: AgeOf = lambda captured_s: None
    ) -> None:
        self._server = server
        self._vehicle = vehicle
        self._age_of = age_of
        # Bound once: a look-up by label costs more than the observation.
        self._frames = server.frames.labels(vehicle)
        self._latency = server.latency.labels(vehicle)
        self._stages: dict[str, Histogram] = {}
        self._newest = Newest()
        server.watch(vehicle, self._newest)

    def publish(self, message: Message) -> None:
        """Count a judgement, a change of level; keep the newest of the others."""
        if isinstance(message, Judgement):
            self._judged(message)
        elif isinstance(message, Vitals):
            self._newest.vitals, self._newest.vitals_s = message, time.monotonic()
            self._newest.level = message.level
        elif isinstance(message, Control):
            self._decided(message)
        else:
            self._newest.health = message

    def fault(self) -> str | None:
        """Never at fault: that nobody asks is no fault."""
        return None

    def figures(self) -> Mapping[str, float]:
        """Nothing to tell."""
        return {}

    def close(self) -> None:
        """Show this vehicle's present no longer."""
        self._server.unwatch(self._vehicle)

    def _judged(self, judgement: Judgement) -> None:
        self._newest.state = judgement.assessment.state
        self._newest.judged_s = time.monotonic()
        for alert in judgement.alerts:
            if alert.phase is Phase.START:
                self._server.alerts.labels(self._vehicle, _label(alert.type), alert.severity.value).inc()
        if judgement.observation.frame_id < 0:
            return
        self._frames.inc()
        age_s = self._age_of(judgement.observation.captured_s)
        _observe(self._latency, sum(judgement.stage_s.values()) if age_s is None else age_s)
        for name, seconds in judgement.stage_s.items():
            if name not in self._stages:
                self._stages[name] = self._server.stages.labels(self._vehicle, _label(name))
            _observe(self._stages[name], seconds)

    def _decided(self, control: Control) -> None:
        self._newest.level, self._newest.held = control.level, control.held
        if control.level != control.previous:
            self._server.level_changes.labels(self._vehicle, _label(control.cause)).inc()


class _Server(WSGIServer):
    """One client at a time, on one thread: nobody can make this process start threads."""

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self.address_family = family
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking the DNS for our own name, which may take seconds in a vehicle."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
        log.debug("a request for metrics from %s failed", client_address, exc_info=True)


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_TIMEOUT_S

    def setup(self) -> None:
        """Read under one deadline: the time-out of a socket begins anew with every byte."""
        super().setup()
        self.rfile = io.BufferedReader(_Request(self.connection, time.monotonic() + REQUEST_TIMEOUT_S))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: every scrape would be a line."""


class _Request(io.RawIOBase):
    """What a client sends until a deadline on the monotonic clock."""

    def __init__(self, connection: socket.socket, ends_s: float) -> None:
        self._connection, self._ends_s = connection, ends_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises TimeoutError past the deadline."""
        left_s = self._ends_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left_s)
        try:
            return self._connection.recv_into(buffer)
        finally:
            # Of writing this limits the whole, not each byte.
            self._connection.settimeout(REQUEST_TIMEOUT_S)


def _client() -> Any:
    try:
        import prometheus_client
    except ImportError as e:
        raise SinkError(
            "sinks.prometheus needs the package prometheus-client, which is not installed: "
            "pip install 'dms[metrics]', or set sinks.prometheus.enabled to false"
        ) from e
    return prometheus_client


def _listen(config: PrometheusConfig, registry: CollectorRegistry) -> WSGIServer:
    from prometheus_client import make_wsgi_app

    try:
        kind, *_, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        server = _Server(kind, address)
    except OSError as e:
        raise SinkError(
            f"sinks.prometheus cannot listen on {config.host}:{config.port}: {e.strerror or e}; "
            "choose an address of this machine and a free port (0 takes any), or end what listens there"
        ) from e
    server.set_app(make_wsgi_app(registry))
    return server


def _observe(histogram: Histogram, seconds: float) -> None:
    """A time that is no number would spoil the sum for good."""
    if 0 <= seconds < math.inf:
        histogram.observe(seconds)


def _label(text: str) -> str:
    """Text that can be encoded: one odd character must not keep all the others from being read."""
    return text.encode("utf-8", "replace").decode()
