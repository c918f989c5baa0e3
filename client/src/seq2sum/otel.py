"""OpenTelemetry for both clients: a span and a duration for each RPC.

    seq2sum.Client(target, interceptors=otel.interceptors())
    seq2sum.AsyncClient(target, interceptors=otel.aio_interceptors())

Spans come from OpenTelemetry's own gRPC instrumentation, which has no metrics for clients; the
duration is the histogram of OpenTelemetry's semantic conventions. gRPC's retries are part of their
RPC, and a coalesced call is one RPC.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

try:
    from opentelemetry import metrics, trace
    from opentelemetry.instrumentation.grpc import aio_client_interceptors, client_interceptor
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "seq2sum.otel needs OpenTelemetry: pip install 'seq2sum[otel]'", name=error.name
    ) from error

__all__ = ["aio_interceptors", "interceptors"]

DURATION = "rpc.client.call.duration"
BOUNDARIES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Seconds; boundaries and names are those of OpenTelemetry's conventions for RPC metrics."""


def interceptors(
    *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
) -> list[grpc.UnaryUnaryClientInterceptor]:
    """Returns interceptors for `Client`, by default with the global providers."""
    spans: Any = client_interceptor  # it has no types
    return [_Interceptor(spans(tracer_provider), Durations(meter_provider))]


def aio_interceptors(
    *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
) -> list[grpc.aio.UnaryUnaryClientInterceptor]:
    """Returns interceptors for `AsyncClient`, by default with the global providers."""
    spans: Any = aio_client_interceptors  # it has no types
    unary, *_ = spans(tracer_provider)
    return [_AioInterceptor(unary, Durations(meter_provider))]


class Durations:
    """The histogram of RPC durations, by method and status."""

    def __init__(self, provider: MeterProvider | None) -> None:
        self._histogram = metrics.get_meter("seq2sum", meter_provider=provider).create_histogram(
            DURATION,
            unit="s",
            description="Measures the duration of an outgoing Remote Procedure Call (RPC).",
            explicit_bucket_boundaries_advisory=BOUNDARIES,
        )

    def start(self, method: str | bytes) -> Callable[[grpc.StatusCode], None]:
        """Starts measuring an RPC; the returned function records it with its status."""
        started = time.perf_counter()
        name = method.decode() if isinstance(method, bytes) else method

        def end(code: grpc.StatusCode) -> None:
            attributes = {
                "rpc.system.name": "grpc",
                "rpc.method": name.lstrip("/"),
                "rpc.response.status_code": code.name,
            }
            if code is not grpc.StatusCode.OK:
                attributes["error.type"] = code.name
            self._histogram.record(time.perf_counter() - started, attributes)

        return end


@dataclass
class Details(grpc.ClientCallDetails):
    """The details of a call, with the headers of its span."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


@dataclass(frozen=True, slots=True)
class Info:
    """The details of a call that OpenTelemetry's interceptor reads."""

    full_method: str
    timeout: float | None


class _Interceptor(grpc.UnaryUnaryClientInterceptor):
    """Adapts OpenTelemetry's interceptor, which expects its own channel class, to gRPC's."""

    def __init__(self, spans: Any, durations: Durations) -> None:
        self._spans, self._durations = spans, durations

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Makes the call within a span."""

        def invoke(request: Any, added: tuple[tuple[str, str], ...]) -> Any:
            # Takes only the added headers: OpenTelemetry would drop repeated keys.
            call = Details(
                details.method,
                details.timeout,
                (*(details.metadata or ()), *(added or ())),
                details.credentials,
                details.wait_for_ready,
                details.compression,
            )
            end = self._durations.start(details.method)
            outcome = continuation(call, request)
            outcome.add_done_callback(lambda done: end(done.code()))
            return outcome

        return self._spans.intercept_unary(
            request, None, Info(details.method, details.timeout), invoke
        )


class _AioInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    """Adds cancellation to OpenTelemetry's interceptor, which does not handle it."""

    def __init__(self, spans: Any, durations: Durations) -> None:
        self._spans, self._durations = spans, durations

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Makes the call within a span."""
        outer_span = trace.get_current_span()

        async def invoke(details: Any, request: Any) -> Any:
            end = self._durations.start(details.method)
            call = await continuation(details, request)
            try:
                end(await call.code())
            except asyncio.CancelledError:
                call.cancel()
                end(grpc.StatusCode.CANCELLED)
                span = trace.get_current_span()
                if span is not outer_span:  # it is if tracing is disabled
                    span.set_attribute("rpc.grpc.status_code", grpc.StatusCode.CANCELLED.value[0])
                    span.set_status(trace.StatusCode.ERROR, "cancelled")
                    span.end()
                raise
            return call

        return await self._spans.intercept_unary_unary(invoke, details, request)
