"""Error messages that gRPC transports."""

from __future__ import annotations

from concurrent import futures

import grpc
import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.rpc.statuses import (
    MAX_MESSAGE_BYTES,
    TRUNCATED,
    abort,
    original_bytes,
    truncated,
)


class Echo(grpc.GenericRpcHandler):
    """Fails every call, with the text of its request as the message."""

    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(
            lambda data, context: abort(context, ServingError(Code.NOT_FOUND, data.decode()))
        )


@pytest.fixture(scope="module")
def details():
    """Returns a message as a client of grpcio receives it."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def details(message):
        with pytest.raises(grpc.RpcError) as caught:
            call(message.encode(), timeout=60)
        return caught.value.details()

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/a/b")
        yield details
    server.stop(0).wait()


@pytest.mark.parametrize(
    "message",
    [
        "",
        "short: é €",
        "x" * (MAX_MESSAGE_BYTES + 1),
        "é" * MAX_MESSAGE_BYTES,
        "x" + "é" * MAX_MESSAGE_BYTES,
        "xx" + "€" * MAX_MESSAGE_BYTES,
    ],
)
def test_forwarded_message_has_the_original_bytes(details, message):
    assert original_bytes(details(message)) == truncated(message)


def test_message_is_cut_inside_a_character():
    assert truncated("x" + "é" * MAX_MESSAGE_BYTES) == (
        b"x" + "é".encode() * (MAX_MESSAGE_BYTES // 2 - 1) + b"\xc3" + TRUNCATED
    )
