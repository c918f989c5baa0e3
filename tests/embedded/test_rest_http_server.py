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
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

BODY = json.dumps({"inputs": [1.5]})
PATH = "/v1/models/m:predict"
SECONDS = 20


class Servable:
    def __init__(self):
        self.signatures = {"serving_default": meta_graph_pb2.SignatureDef()}
        self.signatures["serving_default"].inputs["x"].dtype = 1


class Core:
    def handle(self, spec):  # noqa: ARG002
        return self

    def __enter__(self):
        return 3, Servable()

    def __exit__(self, *_):
        return None

    def models(self):
        return []


class Plane:
    """Answers once `go_on` is set."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    def predict(self, request, *, timeout):  # noqa: ARG002
        self.begun.release()
        assert self.go_on.wait(SECONDS)
        response = predict_pb2.PredictResponse()
        response.outputs["y"].CopyFrom(request.inputs["x"])
        return response


class Running:
    """A server on a free port, its data plane, and calls of it on threads of their own."""

    def __init__(self, threads):
        self.plane = Plane()
        self.server = RestServer(self.plane, Core(), RestOptions(threads))
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
    found = Running(getattr(request, "param", 2))
    found.server.start("127.0.0.1", found.port)
    yield found
    found.plane.go_on.set()
    found.server.stop(0)
    found.finish()


def test_calls_in_flight_finish_before_the_end(running):
    running.call()
    assert running.plane.begun.acquire(timeout=SECONDS)
    idle = socket.create_connection(("127.0.0.1", running.port))
    stopping = threading.Thread(target=running.server.stop, args=(SECONDS,))
    stopping.start()
    idle.settimeout(SECONDS)
    assert idle.recv(1) == b""  # idle connections are closed at once, and so is the port
    idle.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", running.port))
    assert stopping.is_alive()
    running.plane.go_on.set()
    stopping.join(SECONDS)
    assert not stopping.is_alive()
    assert running.finish() == [200]


def test_calls_that_take_longer_than_the_grace_are_cut(running):
    running.call()
    assert running.plane.begun.acquire(timeout=SECONDS)
    running.server.stop(0.05)
    assert running.finish() == ["no reply"]


@pytest.mark.parametrize("running", [1], indirect=True)
def test_without_workers_a_stop_does_not_wait(running):
    running.call()
    while not running.server._connections:
        time.sleep(0.001)
    started = time.monotonic()
    running.server.stop(SECONDS)
    assert time.monotonic() - started < SECONDS / 2
    assert running.finish() == ["no reply"]


def test_one_slow_call_does_not_hold_up_pages(running):
    running.call()
    assert running.plane.begun.acquire(timeout=SECONDS)
    connection = running.connect()
    connection.request("GET", "/models.json")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_taken_port_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = RestServer(Plane(), Core(), RestOptions(2))
        with pytest.raises(StartupError, match=f"127.0.0.1:{port} for REST"):
            server.start("127.0.0.1", port)
        server.stop(0)
