"""Messages of errors on their way through gRPC."""

from __future__ import annotations

from concurrent import futures

import grpc
import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.rpc.statuses import CUT, LONGEST_MESSAGE, abort, cut, sent


class Refusing(grpc.GenericRpcHandler):
    """Fails every call with the text of its request."""

    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(
            lambda data, context: abort(context, ServingError(Code.NOT_FOUND, data.decode()))
        )


@pytest.fixture(scope="module")
def details():
    """What a client of grpcio is given as the message of such a call."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((Refusing(),))
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
        "x" * (LONGEST_MESSAGE + 1),
        "é" * LONGEST_MESSAGE,
        "x" + "é" * LONGEST_MESSAGE,
        "xx" + "€" * LONGEST_MESSAGE,
    ],
)
def test_a_message_that_a_worker_passes_on_has_the_same_bytes(details, message):
    assert sent(details(message)) == cut(message)


def test_a_cut_falls_inside_a_character():
    assert cut("x" + "é" * LONGEST_MESSAGE) == (
        b"x" + "é".encode() * (LONGEST_MESSAGE // 2 - 1) + b"\xc3" + CUT
    )
