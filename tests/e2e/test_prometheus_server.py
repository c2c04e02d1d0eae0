"""The server behind the endpoint for Prometheus: its port, its end, and clients that are slow on purpose."""

import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing, contextmanager

import pytest

from dms.config.sinks import PrometheusConfig
from dms.errors import SinkError
from dms.sinks.prometheus import CLOSE_TIMEOUT_S, REQUEST_TIMEOUT_S, PrometheusServer, PrometheusSink
from dms.sinks.prometheus_gauges import Newest
from tests.unit.sinks import samples


@pytest.fixture
def server():
    with closing(PrometheusServer(PrometheusConfig(port=0))) as made:
        yield made


def fetch(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
        return answer.read().decode()


@contextmanager
def dripping_client(server):
    """A client that is being served, and sends a byte of its request now and then, without an end."""
    done = threading.Event()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nX: ")

        def drip():
            try:
                while not done.wait(0.2):
                    client.sendall(b"a")
            except OSError:
                pass  # it was left, as it should be

        dripper = threading.Thread(target=drip)
        dripper.start()
        try:
            yield
        finally:
            done.set()
            dripper.join()


def test_closing_frees_the_port_and_ends_the_thread():
    server = PrometheusServer(PrometheusConfig(port=0))
    assert "prometheus" in [thread.name for thread in threading.enumerate()]
    server.close()
    server.close()
    assert "prometheus" not in [thread.name for thread in threading.enumerate()]
    with closing(PrometheusServer(PrometheusConfig(port=server.port))) as again:
        assert again.port == server.port


def test_a_port_that_is_taken_says_what_to_do(server):
    with pytest.raises(
        SinkError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use; .*free port"
    ):
        PrometheusServer(PrometheusConfig(port=server.port))


def test_an_address_that_is_not_ours_says_what_to_do():
    with pytest.raises(SinkError, match=r"cannot listen on 192\.0\.2\.1:0: .*address of this machine"):
        PrometheusServer(PrometheusConfig(host="192.0.2.1", port=0))


def test_without_the_package_the_cure_is_told():
    script = """
import sys
sys.modules["prometheus_client"] = None
from dms.config.sinks import PrometheusConfig
from dms.errors import SinkError
from dms.sinks.prometheus import PrometheusServer
try:
    PrometheusServer(PrometheusConfig(port=0))
except SinkError as e:
    print(e)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "pip install 'dms[metrics]'" in done.stdout, done.stderr


def test_a_client_that_says_nothing_holds_up_neither_the_sink_nor_the_end(server):
    sink = PrometheusSink(server, "truck-7")
    with socket.create_connection(("127.0.0.1", server.port)):
        begun_s = time.monotonic()
        for n in range(100):
            sink.publish(samples.judgement(frame_id=n))
        assert time.monotonic() - begun_s < 1
        server.close()
        assert time.monotonic() - begun_s < 10


def test_a_client_that_drips_its_request_is_left_and_the_next_one_served(server):
    begun_s = time.monotonic()
    with dripping_client(server):
        assert "dms_frames_total" in fetch(server)
    assert time.monotonic() - begun_s < REQUEST_TIMEOUT_S + 2


def test_a_client_that_drips_its_request_does_not_hold_up_the_end(server):
    with dripping_client(server):
        begun_s = time.monotonic()
        server.close()
        assert time.monotonic() - begun_s < CLOSE_TIMEOUT_S + 1
    assert "prometheus" not in [thread.name for thread in threading.enumerate()]


def test_a_request_that_never_ends_does_not_hold_up_the_end(server):
    asked, release = threading.Event(), threading.Event()

    class Stuck(Newest):
        def readings(self, now_s):
            asked.set()
            release.wait(60)
            return iter(())

    server.watch("truck-7", Stuck())
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert asked.wait(10)
        begun_s = time.monotonic()
        server.close()
        assert time.monotonic() - begun_s < CLOSE_TIMEOUT_S + 2
        release.set()


def test_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    with (
        closing(PrometheusServer(PrometheusConfig(host="::1", port=0))) as server,
        urllib.request.urlopen(f"http://[::1]:{server.port}/metrics", timeout=10) as answer,
    ):
        assert answer.status == 200
