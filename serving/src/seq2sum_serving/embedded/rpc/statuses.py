"""Errors as gRPC statuses."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc

from seq2sum_serving.embedded.errors import ServingError

LONGEST_MESSAGE = 1024
"""Bytes of an error message that are sent, before the mark that it goes on."""
CUT = b"...TRUNCATED"

STATUS = {status.value[0]: status for status in grpc.StatusCode}


def abort(context: grpc.ServicerContext, error: ServingError) -> NoReturn:
    """Ends a call with the code and the words of an error."""
    details: Any = cut(error.message)  # grpcio sends bytes as they are; its types say text
    context.abort(STATUS[error.code.value], details)


def cut(message: str) -> bytes:
    """What is sent of a message: bytes, since the cut may fall inside a character, as there."""
    raw = message.encode(errors="surrogateescape")
    return raw if len(raw) <= LONGEST_MESSAGE else raw[:LONGEST_MESSAGE] + CUT


def sent(details: str) -> bytes:
    """The bytes of a message that `cut` made and a client of grpcio has decoded.

    grpcio decodes UTF-8, and what is not UTF-8 because the cut fell inside a character, as
    Latin-1: it then has as many characters as a cut message has bytes.
    """
    if len(details) == LONGEST_MESSAGE + len(CUT) and details.endswith(CUT.decode()):
        return details.encode("latin-1")
    return details.encode()
