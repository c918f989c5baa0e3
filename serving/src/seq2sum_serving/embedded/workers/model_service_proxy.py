"""ModelService in a worker: calls are forwarded to the first process."""

from __future__ import annotations

from typing import Any

import grpc

from seq2sum_serving.embedded.errors import ServingError
from seq2sum_serving.embedded.rpc.gate import Gate
from seq2sum_serving.embedded.rpc.grpc_server import OPTIONS
from seq2sum_serving.embedded.rpc.handlers import MODEL_SERVICE, seconds_left
from seq2sum_serving.embedded.rpc.statuses import abort, original_bytes


class ModelServiceProxy(grpc.GenericRpcHandler):
    """Forwards calls as bytes, with their deadline; returns codes and messages unchanged."""

    def __init__(self, socket_path: str, gate: Gate) -> None:
        """Makes a channel to the first process.

        Args:
            socket_path: Path of its UNIX socket.
            gate: Admits calls.
        """
        self._gate = gate
        self._channel = grpc.insecure_channel(
            f"unix:{socket_path}", options=[*OPTIONS, ("grpc.enable_retries", 0)]
        )

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Returns the handler of any method of ModelService, known or not; else None."""
        method = handler_call_details.method
        if not method.startswith(f"/{MODEL_SERVICE}/"):
            return None
        call: Any = self._channel.unary_unary(method)

        def handle(data: bytes, context: grpc.ServicerContext) -> bytes:
            left = seconds_left(context)
            try:
                self._gate.enter(context, left)
                response: bytes = call(data, timeout=left)
            except ServingError as error:
                abort(context, error)
            except grpc.RpcError as error:
                status: Any = error
                details: Any = original_bytes(status.details() or "")  # bytes, as in `abort`
                context.abort(status.code(), details)
            return response

        return grpc.unary_unary_rpc_method_handler(handle)
