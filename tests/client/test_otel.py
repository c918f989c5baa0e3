"""OpenTelemetry: a span and a duration for each RPC, next to interceptors of the user."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import grpc
import pytest
import seq2sum
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from seq2sum import otel
from seq2sum.testing import FakeServer

PREDICT = "tensorflow.serving.PredictionService/Predict"


class Telemetry:
    """The SDK, with exporters in memory."""

    def __init__(self):
        self.spans = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracers, self.meters = TracerProvider(), MeterProvider([self.reader])
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.providers = {"tracer_provider": self.tracers, "meter_provider": self.meters}
        self.tracer = self.tracers.get_tracer("test")

    def durations(self):
        """Returns the number of measured calls by method and status."""
        data = self.reader.get_metrics_data()
        [metric] = data.resource_metrics[0].scope_metrics[0].metrics
        assert (metric.name, metric.unit) == ("rpc.client.call.duration", "s")
        counted = {}
        for point in metric.data.data_points:
            assert point.attributes["rpc.system.name"] == "grpc"
            assert 0 < point.sum < 60
            failed = point.attributes.get("error.type")
            status = point.attributes["rpc.response.status_code"]
            assert failed == (None if status == "OK" else status)
            counted[point.attributes["rpc.method"], status] = point.count
        return counted


@pytest.fixture
def telemetry():
    telemetry = Telemetry()
    yield telemetry
    telemetry.tracers.shutdown()
    telemetry.meters.shutdown()


@pytest.fixture
def server():
    with FakeServer() as server:
        yield server


def instrumented(server, telemetry, **options):
    return seq2sum.Client(
        server.target, interceptors=otel.interceptors(**telemetry.providers), **options
    )


def aio_instrumented(server, telemetry, **options):
    return seq2sum.AsyncClient(
        server.target, interceptors=otel.aio_interceptors(**telemetry.providers), **options
    )


def check_success(telemetry, server, parent):
    [span] = [span for span in telemetry.spans.get_finished_spans() if span.name != "caller"]
    assert span.name == f"/{PREDICT}"
    assert span.kind is SpanKind.CLIENT
    assert span.attributes["rpc.grpc.status_code"] == 0
    assert span.status.status_code is StatusCode.UNSET
    assert span.parent.span_id == parent.get_span_context().span_id
    headers = server.calls[-1].metadata
    [sent] = [value for name, value in headers if name == "traceparent"]
    context = span.get_span_context()
    assert sent.startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")
    assert [value for name, value in headers if name == "x-twice"] == ["1", "2"]
    assert telemetry.durations() == {(PREDICT, "OK"): 1}


TWICE = [("x-twice", "1"), ("x-twice", "2")]


def test_call_has_a_child_span_and_a_duration(server, telemetry):
    with (
        instrumented(server, telemetry) as client,
        telemetry.tracer.start_as_current_span("caller") as parent,
    ):
        assert client.add("1+1", metadata=TWICE).value == 2
    check_success(telemetry, server, parent)


def test_async_call_has_a_child_span_and_a_duration(server, telemetry):
    async def ask():
        async with aio_instrumented(server, telemetry) as client:
            with telemetry.tracer.start_as_current_span("caller") as parent:
                assert (await client.add("1+1", metadata=TWICE)).value == 2
            return parent

    check_success(telemetry, server, asyncio.run(ask()))


def check_failure(telemetry):
    [span] = telemetry.spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["rpc.grpc.status_code"] == 3
    assert telemetry.durations() == {(PREDICT, "INVALID_ARGUMENT"): 1}


def test_failed_call_is_an_error_in_span_and_duration(server, telemetry):
    server.fail(grpc.StatusCode.INVALID_ARGUMENT)
    with instrumented(server, telemetry) as client, pytest.raises(seq2sum.InvalidRequest):
        client.add("1+1")
    check_failure(telemetry)


def test_failed_async_call_is_an_error_in_span_and_duration(server, telemetry):
    async def ask():
        async with aio_instrumented(server, telemetry) as client:
            with pytest.raises(seq2sum.InvalidRequest):
                await client.add("1+1")

    server.fail(grpc.StatusCode.INVALID_ARGUMENT)
    asyncio.run(ask())
    check_failure(telemetry)


def test_calls_of_futures_are_measured(server, telemetry):
    with instrumented(server, telemetry) as client:
        assert len(client.add_many(["1+1"] * 9000)) == 9000
        client.versions()
    assert telemetry.durations() == {
        (PREDICT, "OK"): 3,
        ("tensorflow.serving.ModelService/GetModelStatus", "OK"): 1,
    }
    assert len(telemetry.spans.get_finished_spans()) == 4


def test_coalesced_call_has_one_span(server, telemetry):
    async def ask():
        coalescing = seq2sum.Coalescing()
        async with aio_instrumented(server, telemetry, coalescing=coalescing) as client:
            await asyncio.gather(*(client.add("1+1") for _ in range(50)))

    asyncio.run(ask())
    assert telemetry.durations() == {(PREDICT, "OK"): 1}
    assert len(telemetry.spans.get_finished_spans()) == 1


def test_cancelled_call_ends_only_its_own_span(server, telemetry):
    async def cancelled(client):
        task = asyncio.create_task(client.add("1+1"))
        while not server.calls:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.calls.clear()

    async def ask():
        async with aio_instrumented(server, telemetry) as client:
            await cancelled(client)
            with telemetry.tracer.start_as_current_span("caller") as span:
                with suppress_instrumentation():
                    await cancelled(client)
                assert span.is_recording()

    server.delay = 20
    asyncio.run(ask())
    first, caller = telemetry.spans.get_finished_spans()
    assert first.status.status_code is StatusCode.ERROR
    assert (first.name, caller.name) == (f"/{PREDICT}", "caller")


def test_closing_the_client_ends_instrumented_calls(server, telemetry):
    async def ask():
        client = aio_instrumented(server, telemetry)
        task = asyncio.create_task(client.add("1+1"))
        while not server.calls:
            await asyncio.sleep(0.01)
        await client.close()
        with pytest.raises(seq2sum.CallError, match="the client was closed"):
            await task

    server.delay = 20
    asyncio.run(ask())


class UserInterceptor(grpc.UnaryUnaryClientInterceptor):
    def __init__(self):
        self.methods = []

    def intercept_unary_unary(self, continuation, details, request):
        self.methods.append(details.method)
        return continuation(details, request)


class UserAioInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self):
        self.methods = []

    async def intercept_unary_unary(self, continuation, details, request):
        method = details.method
        self.methods.append(method.decode() if isinstance(method, bytes) else method)
        return await continuation(details, request)


def test_interceptors_of_the_user_are_called_too(server, telemetry):
    user, aio_user = UserInterceptor(), UserAioInterceptor()
    interceptors = [user, *otel.interceptors(**telemetry.providers)]
    with seq2sum.Client(server.target, interceptors=interceptors) as client:
        assert client.add("1+1").value == 2

    async def ask():
        interceptors = [aio_user, *otel.aio_interceptors(**telemetry.providers)]
        async with seq2sum.AsyncClient(server.target, interceptors=interceptors) as client:
            assert (await client.add("1+1")).value == 2

    asyncio.run(ask())
    assert user.methods == aio_user.methods == [f"/{PREDICT}"]
    assert telemetry.durations() == {(PREDICT, "OK"): 2}


def test_import_without_opentelemetry_names_the_extra_to_install():
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import seq2sum\n"
        "try: import seq2sum.otel\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "seq2sum.otel needs OpenTelemetry: pip install 'seq2sum[otel]'\n"


def test_client_does_not_import_opentelemetry():
    code = "import seq2sum, sys; print([m for m in sys.modules if 'opentelemetry' in m])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
