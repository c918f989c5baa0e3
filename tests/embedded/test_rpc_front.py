"""The gRPC front over a data plane that does what the test says."""

from __future__ import annotations

import asyncio
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
from seq2sum_serving.embedded.rpc import grpc_server as front_module
from seq2sum_serving.embedded.rpc.connections import end_writing
from seq2sum_serving.embedded.rpc.grpc_server import GrpcFront
from support.servers import free_port
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.config import model_server_config_pb2

PREDICT = "/tensorflow.serving.PredictionService/Predict"


class Plane:
    """Answers Predict by a function of the timeout."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, request, *, timeout):
        self.answer(timeout)
        return predict_pb2.PredictResponse(model_spec=request.model_spec)


@contextmanager
def front(answer=lambda _timeout: None, **settings):
    """A front that serves; gives a channel to it, and the front."""
    port = free_port()
    models = model_server_config_pb2.ModelServerConfig()
    config = ServerConfig(models=models, port=port, **settings)
    made = GrpcFront(Plane(answer), None, config)
    asyncio.run(made.start())
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel, made
    finally:
        asyncio.run(made.stop(0))


def failure(call):
    """Code and details of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def request(name="m"):
    return predict_pb2.PredictRequest(model_spec={"name": name}).SerializeToString()


def test_a_call_without_a_thread_is_refused_and_one_thread_always_waits():
    entered, go_on = threading.Semaphore(0), threading.Event()

    def block(_timeout):
        entered.release()
        assert go_on.wait(30)

    with front(block, grpc_max_threads=3) as (channel, _):
        call = channel.unary_unary(PREDICT)
        running = [call.future(request()) for _ in range(2)]
        for _ in running:
            assert entered.acquire(timeout=30)
        refused = ("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted")
        assert failure(lambda: call(request(), timeout=10)) == refused
        assert failure(lambda: call(b"\xff", timeout=10)) == refused  # before it is read
        go_on.set()
        for future in running:
            future.result(timeout=10)
        assert call(request(), timeout=10)


def test_a_request_that_is_still_on_its_way_takes_no_thread():
    with front(grpc_max_threads=2) as (channel, _):
        silence = threading.Event()

        def never():
            silence.wait(30)
            yield from ()

        waiting = [channel.stream_unary(PREDICT).future(never()) for _ in range(20)]
        try:
            assert channel.unary_unary(PREDICT)(request(), timeout=10)
        finally:
            for call in waiting:
                call.cancel()
            silence.set()


def test_a_long_message_is_cut_by_bytes_even_inside_a_character():
    def fail(_timeout):
        raise ServingError(Code.NOT_FOUND, "a" * 1023 + "é" + "b")

    with front(fail) as (channel, _):
        code, details = failure(lambda: channel.unary_unary(PREDICT)(request(), timeout=10))
    # It is no UTF-8 any more; grpcio reads it as Latin-1 then.
    assert (code, details) == ("NOT_FOUND", "a" * 1023 + "Ã" + "...TRUNCATED")


def test_a_message_that_fits_is_left_alone():
    def fail(_timeout):
        raise ServingError(Code.ABORTED, "é" * 512)

    with front(fail) as (channel, _):
        call = channel.unary_unary(PREDICT)
        assert failure(lambda: call(request(), timeout=10)) == ("ABORTED", "é" * 512)


def test_what_is_left_of_the_deadline_is_passed_on():
    seen = []
    with front(seen.append) as (channel, _):
        call = channel.unary_unary(PREDICT)
        call(request(), timeout=100)
        call(request())
    assert 90 < seen[0] < 102  # gRPC sends three digits, rounded up
    assert seen[1] is None


def test_an_error_of_ours_is_told_and_the_server_goes_on(caplog):
    def fail(_timeout):
        raise ZeroDivisionError("division by zero")

    with front(fail) as (channel, _):
        call = channel.unary_unary(PREDICT)
        said = ("INTERNAL", "ZeroDivisionError: division by zero")
        assert failure(lambda: call(request(), timeout=10)) == said
        assert failure(lambda: call(b"\xff\xff", timeout=10)) == ("INTERNAL", "")
    assert "a call failed" in caplog.text


def test_predictions_are_counted_with_their_codes():
    def count(code):
        return metrics.REQUEST_COUNT.labels("counted", code)._value.get()

    before = count("OK"), count("NOT_FOUND")
    outcomes = iter([None, ServingError(Code.NOT_FOUND, "no")])

    def answer(_timeout):
        if error := next(outcomes):
            raise error

    with front(answer) as (channel, _):
        call = channel.unary_unary(PREDICT)
        call(request("counted"), timeout=10)
        failure(lambda: call(request("counted"), timeout=10))
        failure(lambda: call(b"\xff\xff", timeout=10))  # for no model, so for none counted
    assert (count("OK"), count("NOT_FOUND")) == (before[0] + 1, before[1] + 1)


def test_stopping_lets_calls_in_flight_finish_and_refuses_new_ones():
    entered, go_on = threading.Event(), threading.Event()

    def block(_timeout):
        entered.set()
        assert go_on.wait(30)

    with front(block) as (channel, made):
        call = channel.unary_unary(PREDICT)
        running = call.future(request())
        assert entered.wait(30)
        stopping = threading.Thread(target=lambda: asyncio.run(made.stop(30)))
        stopping.start()
        while failure(lambda: channel.unary_unary("/x/y")(b"", timeout=10))[0] != "UNAVAILABLE":
            pass  # it still serves
        go_on.set()
        assert running.result(timeout=10)
        stopping.join(30)
        assert not stopping.is_alive()


@contextmanager
def stopping(made, *, grace=30):
    """Stops a front meanwhile; at the end of the block it may go on for a while."""
    thread = threading.Thread(target=lambda: asyncio.run(made.stop(grace)))
    thread.start()
    while not made._gate._closed:
        time.sleep(0.001)
    yield
    thread.join(30)
    assert not thread.is_alive()


class Blocking:
    """An answer that takes until the test says so."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.calls = 0

    def __call__(self, _timeout):
        self.calls += 1
        self.begun.release()
        assert self.go_on.wait(30)


def test_a_call_that_comes_while_the_server_stops_is_unavailable_and_not_begun():
    answer = Blocking()
    with front(answer) as (channel, made):
        call = channel.unary_unary(PREDICT)
        running = call.future(request())
        assert answer.begun.acquire(timeout=30)
        with stopping(made):
            late = [call.future(request(), timeout=30) for _ in range(20)]
            answer.go_on.set()
            assert running.result(timeout=30)
            codes = {future.exception(timeout=30).code().name for future in late}
    assert codes == {"UNAVAILABLE"}
    assert answer.calls == 1


def test_other_calls_of_a_stopping_server_do_not_wait_for_a_long_one(monkeypatch):
    monkeypatch.setattr(front_module, "SECONDS_TO_HOLD", 0.1)
    answer = Blocking()
    with front(answer) as (channel, made):
        call = channel.unary_unary(PREDICT)
        running = call.future(request())
        assert answer.begun.acquire(timeout=30)
        with stopping(made):
            late = call.future(request(), timeout=30)
            assert late.exception(timeout=30).code().name == "UNAVAILABLE"
            assert not running.done()
            answer.go_on.set()
            assert running.result(timeout=30)
    assert answer.calls == 1


def test_a_stopping_server_says_that_it_is_not_serving():
    answer = Blocking()
    check = health_pb2.HealthCheckRequest().SerializeToString()
    with front(answer, health=True) as (channel, made):
        ask = channel.unary_unary("/grpc.health.v1.Health/Check")
        serving, not_serving = (
            health_pb2.HealthCheckResponse(status=status).SerializeToString() for status in (1, 2)
        )
        assert ask(check, timeout=10) == serving
        running = channel.unary_unary(PREDICT).future(request())
        assert answer.begun.acquire(timeout=30)
        with stopping(made):
            while ask(check, timeout=10) == serving:
                pass
            assert ask(check, timeout=10) == not_serving
            answer.go_on.set()
            assert running.result(timeout=30)


def test_a_health_watch_does_not_hold_up_the_end():
    with front(health=True) as (channel, made):
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        replies = watch(health_pb2.HealthCheckRequest().SerializeToString(), timeout=60)
        assert next(replies)
        begin = time.monotonic()
        asyncio.run(made.stop(30))
        assert time.monotonic() - begin < 10


def test_the_end_of_writing_ends_the_connections_of_a_port_and_no_others():
    with ExitStack() as stack:
        ours, other = (
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)
        )

        def connected(server):
            client = stack.enter_context(socket.create_connection(server.getsockname()))
            stack.enter_context(server.accept()[0])
            client.settimeout(0.1)
            return client

        ended, going_on = connected(ours), connected(other)
        end_writing(ours.getsockname()[1], "")
        assert ended.recv(1) == b""
        with pytest.raises(TimeoutError):
            going_on.recv(1)
        with pytest.raises(TimeoutError):  # and the port still listens
            connected(ours).recv(1)


def test_a_port_that_is_taken_is_an_error():
    with front() as (_, made):
        taken = made._config
        with pytest.raises(StartupError, match=f"cannot listen on 127.0.0.1:{taken.port}"):
            asyncio.run(GrpcFront(Plane(None), None, taken).start())
