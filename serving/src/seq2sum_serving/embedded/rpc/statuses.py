"""Converts errors to gRPC statuses."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc

from seq2sum_serving.embedded.errors import ServingError

MAX_MESSAGE_BYTES = 1024
"""Length to which an error message is truncated (model_servers/grpc_status_util.cc)."""
TRUNCATED = b"...TRUNCATED"

STATUS = {status.value[0]: status for status in grpc.StatusCode}


def abort(context: grpc.ServicerContext, error: ServingError) -> NoReturn:
    """Ends a call with the code and the message of an error."""
    details: Any = truncated(error.message)  # grpcio sends bytes unchanged; its types want text
    context.abort(STATUS[error.code.value], details)


def truncated(message: str) -> bytes:
    """Returns the bytes of a message that are sent; the cut may be inside a character."""
    raw = message.encode(errors="surrogateescape")
    return raw if len(raw) <= MAX_MESSAGE_BYTES else raw[:MAX_MESSAGE_BYTES] + TRUNCATED
