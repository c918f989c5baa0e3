"""grpc.health.v1.Health, with the service names and messages of gRPC's C++ server."""

from __future__ import annotations

from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

NAMES = ("", "ModelService", "PredictionService")
"""The names that TensorFlow Serving registers, without their package (model_servers/server.cc)."""


class Health(health.HealthServicer):
    """Reports SERVING until the server stops, whatever the states of models."""

    def __init__(self) -> None:
        super().__init__()
        for name in NAMES:
            self.set(name, health_pb2.HealthCheckResponse.SERVING)

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # the RPC's name
        """Returns the health of a service."""
        if request.service not in NAMES:
            context.abort(grpc.StatusCode.NOT_FOUND, "service name unknown")
        return super().Check(request, context)
