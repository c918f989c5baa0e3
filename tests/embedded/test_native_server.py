"""Calls and cancellations that the native gRPC server receives, and calls that share a run."""

from __future__ import annotations

import time
from functools import partial

import pytest
from pygrpc_native import EVENT_CALL, EVENT_CANCEL
from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.rpc import native_support
from seq2sum_serving.embedded.rpc.handlers import Method
from seq2sum_serving.embedded.rpc.native_server import NativeServer
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.config import model_server_config_pb2

pytestmark = pytest.mark.tensorflow

CONFIG = partial(ServerConfig, models=model_server_config_pb2.ModelServerConfig())
REQUEST = predict_pb2.PredictRequest(model_spec={"name": "m"}).SerializeToString()


class FakeFront:
    """Hands over events once, and records what is sent."""

    def __init__(self, events):
        self.events, self.sent = events, {}

    def recv_batch_details(self, _most, _milliseconds):
        events, self.events = self.events, []
        return events

    def respond(self, call, _data):
        self.sent[call] = "OK"

    def fail(self, call, code, _message):
        self.sent[call] = Code(code).name


def call_event(number, left=None):
    return (EVENT_CALL, number, 0, REQUEST, None, ((), f"ipv4:10.0.0.1:{number}", left))


def cancel_event(number):
    return (EVENT_CANCEL, number, 0, None, None, None)


def received(events, run=lambda request, _left: request, **settings):
    """A server that has received these events and has run what waits."""
    server = NativeServer({"/a/b": Method(predict_pb2.PredictRequest, run)}, CONFIG(**settings))
    server._front = FakeFront(events)
    server._receive(64, 0)
    while server._waiting:
        server._run(server._waiting.popleft())
    return server


def test_cancelled_and_late_calls_are_not_begun():
    ran = []

    def run(request, left):
        ran.append(left)
        return request

    events = [
        call_event(1),
        call_event(2),
        cancel_event(2),
        call_event(3, -1.0),
        call_event(4, 9.0),
    ]
    server = received(events, run)
    assert server._front.sent == {1: "OK", 3: "DEADLINE_EXCEEDED", 4: "OK"}
    assert ran[0] is None
    assert 8 < ran[1] <= 9
    assert len(ran) == 2
    server._gate.close()
    assert server._gate.wait_until_idle(time.monotonic())


def test_calls_beyond_the_threads_are_refused_and_the_rest_leave_room_again():
    events = [call_event(number) for number in range(4)]
    server = received(events, grpc_max_threads=3)
    assert server._front.sent == {
        0: "OK",
        1: "OK",
        2: "RESOURCE_EXHAUSTED",
        3: "RESOURCE_EXHAUSTED",
    }
    server._front.events = [call_event(5)]
    server._receive(64, 0)
    assert [call.number for call in server._waiting] == [5]


def test_an_exception_of_a_call_is_an_internal_error_and_frees_its_thread():
    def fail(_request, _left):
        raise ZeroDivisionError

    server = received([call_event(1), call_event(2)], fail, grpc_max_threads=2)
    assert server._front.sent == {1: "INTERNAL", 2: "RESOURCE_EXHAUSTED"}
    assert server._quota.enter()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, ""),
        ({"host": "::1"}, ""),
        ({"host": "localhost"}, "--host"),
        ({"port": 0}, "needs a port"),
        ({"socket_path": "/tmp/s"}, "--grpc_socket_path"),
        ({"channel_arguments": (("grpc.x", 1),)}, "--grpc_channel_arguments"),
    ],
)
def test_configurations_that_the_native_server_cannot_serve(settings, reason):
    found = native_support.obstacle(CONFIG(**settings))
    assert bool(found) == bool(reason)
    assert reason in found
