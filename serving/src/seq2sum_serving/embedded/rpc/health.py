"""grpc.health.v1.Health, with the names and words of gRPC's server in C++."""

from __future__ import annotations

from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

NAMES = ("", "ModelService", "PredictionService")
"""What TensorFlow Serving gives a health, under these short names; it is always SERVING."""


class Health(health.HealthServicer):
    """Says SERVING from the start; models are none of its business."""

    def __init__(self) -> None:
        super().__init__()
        for name in NAMES:
            self.set(name, health_pb2.HealthCheckResponse.SERVING)

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # the RPC's
        """The health of a name."""
        if request.service not in NAMES:
            context.abort(grpc.StatusCode.NOT_FOUND, "service name unknown")
        return super().Check(request, context)
