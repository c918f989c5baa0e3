"""Both gRPC servers with a fake PredictionService that calls a function of the test."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, contextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2
from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.errors import Code, ServingError, StartupError
from seq2sum_serving.embedded.monitoring import metrics
from seq2sum_serving.embedded.rpc import grpc_server
from seq2sum_serving.embedded.rpc.connections import end_writing
from seq2sum_serving.embedded.rpc.grpc_server import GrpcServer
from seq2sum_serving.embedded.rpc.handlers import prediction_methods
from seq2sum_serving.embedded.rpc.native_server import NativeServer
from support.servers import free_port
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.config import model_server_config_pb2

pytestmark = pytest.mark.tensorflow

PREDICT = "/tensorflow.serving.PredictionService/Predict"
CUT = "CUT"


class FakePredictionService:
    """Calls a function with the timeout of each Predict."""

    classify = regress = multi_inference = start_predict = None

    def __init__(self, on_predict):
        self.on_predict = on_predict

    def predict_bytes(self, request, timeout):
        self.on_predict(timeout)
        return predict_pb2.PredictResponse(model_spec=request.model_spec).SerializeToString()


@pytest.fixture(params=[GrpcServer, NativeServer], ids=["grpcio", "native"])
def kind(request):
    """The class of the server."""
    return request.param


@pytest.fixture
def running(kind):
    """Starts a server: a context that yields a channel to it, and the server."""

    @contextmanager
    def start(on_predict=lambda _timeout: None, **settings):
        port = free_port()
        models = model_server_config_pb2.ModelServerConfig()
        config = ServerConfig(models=models, port=port, **settings)
        server = kind(prediction_methods(FakePredictionService(on_predict)), config)
        server.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield channel, server
        finally:
            server.stop(0)

    return start


@contextmanager
def stopping(server, *, grace=30):
    """Stops a server during the block, and waits for its end after the block."""
    thread = threading.Thread(target=server.stop, args=(grace,))
    thread.start()
    while not server._gate._closed:
        time.sleep(0.001)
    yield
    thread.join(30)
    assert not thread.is_alive()


class Blocking:
    """A Predict that waits until the test releases it."""

    def __init__(self):
        self.started = threading.Semaphore(0)
        self.released = threading.Event()
        self.calls = 0

    def __call__(self, _timeout):
        self.calls += 1
        self.started.release()
        assert self.released.wait(30)


def failure(call):
    """Code and details of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def request(name="m"):
    return predict_pb2.PredictRequest(model_spec={"name": name}).SerializeToString()


def test_call_without_a_free_thread_is_refused_and_one_thread_always_polls(running):
    blocking = Blocking()
    with running(blocking, grpc_max_threads=3) as (channel, _):
        call = channel.unary_unary(PREDICT)
        calls = [call.future(request()) for _ in range(2)]
        for _ in calls:
            assert blocking.started.acquire(timeout=30)
        refused = ("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted")
        assert failure(lambda: call(request(), timeout=10)) == refused
        assert failure(lambda: call(b"\xff", timeout=10)) == refused  # before it is parsed
        blocking.released.set()
        for future in calls:
            future.result(timeout=10)
        assert call(request(), timeout=10)


def test_incomplete_request_takes_no_thread(running):
    with running(grpc_max_threads=2) as (channel, _):
        ended = threading.Event()

        def never():
            ended.wait(30)
            yield from ()

        waiting = [channel.stream_unary(PREDICT).future(never()) for _ in range(20)]
        try:
            assert channel.unary_unary(PREDICT)(request(), timeout=10)
        finally:
            for call in waiting:
                call.cancel()
            ended.set()


@pytest.mark.parametrize(
    ("message", "details"),
    [
        # Cut inside a character: grpcio decodes it as Latin-1; pygrpc-native sends only UTF-8.
        ("a" * 1023 + "é" + "b", "a" * 1023 + CUT + "...TRUNCATED"),
        ("é" * 512, "é" * 512),
    ],
)
def test_message_is_truncated_to_1024_bytes(running, kind, message, details):
    details = details.replace(CUT, "Ã" if kind is GrpcServer else "\N{REPLACEMENT CHARACTER}")

    def fail(_timeout):
        raise ServingError(Code.NOT_FOUND, message)

    with running(fail) as (channel, _):
        call = channel.unary_unary(PREDICT)
        assert failure(lambda: call(request(), timeout=10)) == ("NOT_FOUND", details)


def test_remaining_deadline_is_passed_on(running):
    timeouts = []
    with running(timeouts.append) as (channel, _):
        call = channel.unary_unary(PREDICT)
        call(request(), timeout=100)
        call(request())
    assert 90 < timeouts[0] < 102  # gRPC sends three digits, rounded up
    assert timeouts[1] is None


def test_unexpected_exception_is_an_internal_error(running, caplog):
    def fail(_timeout):
        raise ZeroDivisionError("division by zero")

    with running(fail) as (channel, _):
        call = channel.unary_unary(PREDICT)
        expected = ("INTERNAL", "ZeroDivisionError: division by zero")
        assert failure(lambda: call(request(), timeout=10)) == expected
        assert failure(lambda: call(b"\xff\xff", timeout=10)) == ("INTERNAL", "")
    assert "a call failed" in caplog.text


def test_predictions_are_counted_with_their_codes(running):
    def count(code):
        return metrics.REQUEST_COUNT.labels("counted", code).value

    before = count("OK"), count("NOT_FOUND")
    outcomes = iter([None, ServingError(Code.NOT_FOUND, "no")])

    def predict(_timeout):
        if error := next(outcomes):
            raise error

    with running(predict) as (channel, _):
        call = channel.unary_unary(PREDICT)
        call(request("counted"), timeout=10)
        failure(lambda: call(request("counted"), timeout=10))
        failure(lambda: call(b"\xff\xff", timeout=10))  # names no model, so it is not counted
    assert (count("OK"), count("NOT_FOUND")) == (before[0] + 1, before[1] + 1)


def test_stop_finishes_running_calls_and_refuses_unknown_methods(running):
    blocking = Blocking()
    with running(blocking) as (channel, server):
        call = channel.unary_unary(PREDICT).future(request())
        assert blocking.started.acquire(timeout=30)
        with stopping(server):
            while failure(lambda: channel.unary_unary("/x/y")(b"", timeout=10))[0] != "UNAVAILABLE":
                pass  # still UNIMPLEMENTED
            blocking.released.set()
            assert call.result(timeout=10)


def test_calls_to_a_stopping_server_are_unavailable_and_not_started(running):
    blocking = Blocking()
    with running(blocking) as (channel, server):
        call = channel.unary_unary(PREDICT)
        first = call.future(request())
        assert blocking.started.acquire(timeout=30)
        with stopping(server):
            late = [call.future(request(), timeout=30) for _ in range(20)]
            blocking.released.set()
            assert first.result(timeout=30)
            codes = {future.exception(timeout=30).code().name for future in late}
    assert codes == {"UNAVAILABLE"}
    assert blocking.calls == 1


def test_calls_to_a_stopping_server_do_not_wait_for_a_long_call(running, monkeypatch):
    monkeypatch.setattr(grpc_server, "MAX_HOLD_SECONDS", 0.1)
    blocking = Blocking()
    with running(blocking) as (channel, server):
        call = channel.unary_unary(PREDICT)
        first = call.future(request())
        assert blocking.started.acquire(timeout=30)
        with stopping(server):
            late = call.future(request(), timeout=30)
            assert late.exception(timeout=30).code().name == "UNAVAILABLE"
            assert not first.done()
            blocking.released.set()
            assert first.result(timeout=30)
    assert blocking.calls == 1


def test_stop_does_not_wait_for_a_cancelled_call(running):
    blocking = Blocking()
    with running(blocking) as (channel, server):
        call = channel.unary_unary(PREDICT).future(request())
        assert blocking.started.acquire(timeout=30)
        call.cancel()
        started = time.monotonic()
        server.stop(60)
        blocking.released.set()
        assert time.monotonic() - started < 30


def test_stopping_server_reports_not_serving(running):
    blocking = Blocking()
    check = health_pb2.HealthCheckRequest().SerializeToString()
    with running(blocking, health=True) as (channel, server):
        health = channel.unary_unary("/grpc.health.v1.Health/Check")
        serving, not_serving = (
            health_pb2.HealthCheckResponse(status=status).SerializeToString() for status in (1, 2)
        )
        assert health(check, timeout=10) == serving
        call = channel.unary_unary(PREDICT).future(request())
        assert blocking.started.acquire(timeout=30)
        with stopping(server):
            while health(check, timeout=10) == serving:
                pass
            assert health(check, timeout=10) == not_serving
            blocking.released.set()
            assert call.result(timeout=30)


def test_health_watch_does_not_delay_the_stop(running):
    with running(health=True) as (channel, server):
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        replies = watch(health_pb2.HealthCheckRequest().SerializeToString(), timeout=60)
        assert next(replies)
        started = time.monotonic()
        server.stop(30)
        assert time.monotonic() - started < 10


def test_end_writing_ends_only_the_connections_of_its_port():
    with ExitStack() as stack:
        ours, other = (
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)
        )

        def connected(server):
            client = stack.enter_context(socket.create_connection(server.getsockname()))
            stack.enter_context(server.accept()[0])
            client.settimeout(0.1)
            return client

        ended, open_ = connected(ours), connected(other)
        end_writing(ours.getsockname()[1], "")
        assert ended.recv(1) == b""
        with pytest.raises(TimeoutError):
            open_.recv(1)
        with pytest.raises(TimeoutError):  # the port still listens
            connected(ours).recv(1)


def test_taken_port_is_an_error(running):
    with running() as (_, server):
        taken = server._config
        with pytest.raises(StartupError, match=f"cannot listen on 127.0.0.1:{taken.port}"):
            type(server)({}, taken).start()
