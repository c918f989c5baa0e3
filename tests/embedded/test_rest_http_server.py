"""The REST server: shutdown, slow calls, and a port in use."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time

import pytest
from seq2sum_serving.embedded.errors import StartupError
from seq2sum_serving.embedded.rest.http_server import RestOptions, RestServer
from support import servers
from support.fake_core import FakeCore, echo

pytestmark = pytest.mark.tensorflow

BODY = json.dumps({"inputs": [1.5]})
PATH = "/v1/models/m:predict"
SECONDS = 20


class BlockingPredictionService:
    """Replies once `release` is set."""

    def __init__(self):
        self.started = threading.Semaphore(0)
        self.release = threading.Event()

    def predict(self, request, *, timeout):  # noqa: ARG002
        self.started.release()
        assert self.release.wait(SECONDS)
        return echo(request)


class Running:
    """A server on a free port, its prediction service, and calls from separate threads."""

    def __init__(self, threads):
        self.service = BlockingPredictionService()
        self.server = RestServer(self.service, FakeCore(), RestOptions(threads))
        self.port = servers.free_port()
        self.outcomes = []
        self._calls = []

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def call(self):
        def post():
            connection = self.connect()
            try:
                connection.request("POST", PATH, BODY)
                self.outcomes.append(connection.getresponse().status)
            except (OSError, http.client.HTTPException):
                self.outcomes.append("no reply")
            finally:
                connection.close()

        thread = threading.Thread(target=post)
        self._calls.append(thread)
        thread.start()

    def finish(self):
        for thread in self._calls:
            thread.join(SECONDS)
        return self.outcomes


@pytest.fixture
def running(request):
    running = Running(getattr(request, "param", 2))
    running.server.start("127.0.0.1", running.port)
    yield running
    running.service.release.set()
    running.server.stop(0)
    running.finish()


def test_stop_waits_for_calls_in_flight(running):
    running.call()
    assert running.service.started.acquire(timeout=SECONDS)
    idle = socket.create_connection(("127.0.0.1", running.port))
    stopping = threading.Thread(target=running.server.stop, args=(SECONDS,))
    stopping.start()
    idle.settimeout(SECONDS)
    assert idle.recv(1) == b""  # idle connections are closed at once, and so is the port
    idle.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", running.port))
    assert stopping.is_alive()
    running.service.release.set()
    stopping.join(SECONDS)
    assert not stopping.is_alive()
    assert running.finish() == [200]


def test_stop_aborts_calls_after_the_grace_period(running):
    running.call()
    assert running.service.started.acquire(timeout=SECONDS)
    running.server.stop(0.05)
    assert running.finish() == ["no reply"]


@pytest.mark.parametrize("running", [1], indirect=True)
def test_stop_without_worker_threads_does_not_wait(running):
    running.call()
    while not running.server._connections:
        time.sleep(0.001)
    started = time.monotonic()
    running.server.stop(SECONDS)
    assert time.monotonic() - started < SECONDS / 2
    assert running.finish() == ["no reply"]


def test_slow_call_does_not_delay_the_web_page(running):
    running.call()
    assert running.service.started.acquire(timeout=SECONDS)
    connection = running.connect()
    connection.request("GET", "/models.json")
    assert connection.getresponse().status == 200
    connection.close()


def test_port_in_use_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = RestServer(BlockingPredictionService(), FakeCore(), RestOptions(2))
        with pytest.raises(StartupError, match=f"127.0.0.1:{port} for REST"):
            server.start("127.0.0.1", port)
        server.stop(0)
