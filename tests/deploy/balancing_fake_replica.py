"""A replica in this process that fails on demand, and always reports that it is healthy."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2
from seq2sum._methods import PREDICT
from seq2sum.testing import FakeServer

HEALTH = "/grpc.health.v1.Health/Check"
SERVING = health_pb2.HealthCheckResponse.SERVING


class FakeReplica(grpc.GenericRpcHandler):
    """Reports SERVING even if its calls fail, as TensorFlow Serving does.

    Args:
        version: The version of its answers.
        host: Address to listen on.
        port: Port to listen on.
    """

    def __init__(self, version: int, *, host: str, port: int) -> None:
        self.status: grpc.StatusCode | None = None
        """The status code of its replies; None for correct answers."""
        self.may_reply = threading.Event()
        """It replies only while this is set."""
        self.may_reply.set()
        self.calls = 0
        """Number of calls except health checks."""
        self.host = host
        self._fake = FakeServer(versions=[version])
        self._server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(f"{host}:{port}")

    def __enter__(self) -> FakeReplica:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.may_reply.set()
        self._server.stop(None).wait()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method == HEALTH:
            return grpc.unary_unary_rpc_method_handler(
                lambda *_: health_pb2.HealthCheckResponse(status=SERVING),
                response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
            )
        return grpc.unary_unary_rpc_method_handler(
            self._predict,
            request_deserializer=PREDICT.request.FromString,
            response_serializer=PREDICT.response.SerializeToString,
        )

    def _predict(self, request, context):
        self.calls += 1
        self.may_reply.wait()
        if self.status is not None:
            context.abort(self.status, "requested by the test")
        return self._fake._respond("Predict", request, context)
