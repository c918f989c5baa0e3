"""ModelService in a replica: the first process answers."""

from __future__ import annotations

from typing import Any

import grpc

from seq2sum_serving.embedded.errors import ServingError
from seq2sum_serving.embedded.rpc.gate import Gate
from seq2sum_serving.embedded.rpc.service import MODEL_SERVICE, seconds_left
from seq2sum_serving.embedded.rpc.statuses import abort, sent

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),
)


class Forwarding(grpc.GenericRpcHandler):
    """Passes calls on as bytes, with their deadline; codes and words come back as they are."""

    def __init__(self, socket_path: str, gate: Gate) -> None:
        """Makes a channel to the UNIX socket of the first process.

        Args:
            socket_path: Path of the socket.
            gate: Lets calls begin.
        """
        self._gate = gate
        self._channel = grpc.insecure_channel(f"unix:{socket_path}", options=OPTIONS)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of any method of ModelService, known or not; None for other methods."""
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
                details: Any = sent(status.details() or "")  # bytes, as in `abort`
                context.abort(status.code(), details)
            return response

        return grpc.unary_unary_rpc_method_handler(handle)
