"""Both clients with a real server, and with servers that hang or send invalid replies."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import seq2sum
from seq2sum._methods import PREDICT
from seq2sum.addition import contract
from seq2sum.protocol import predict_pb2
from support.both_clients import KINDS
from support.grammar import EXAMPLES


@pytest.fixture(scope="module", params=KINDS, ids=KINDS)
def client(request, shared_server):
    with KINDS[request.param](shared_server.target) as client:
        yield client


def test_add_returns_an_answer(client):
    answer = client.add("3+4")
    assert (answer.question, answer.text, answer.value, answer.version) == ("3+4", "7", 7, 1)
    assert 0.5 < answer.confidence <= 1
    assert answer.error is None
    assert client.add(b"3+4   ").value == 7


def test_invalid_row_does_not_affect_others(client):
    questions = [question for example in EXAMPLES for question in (example, "3+4")]
    answers = client.add_many(questions)
    assert [answer.question for answer in answers] == questions
    assert all(answer.value == 7 for answer in answers[1::2])
    for answer in answers[::2]:
        good = contract.status_of(answer.question, digits=1) is contract.Status.OK
        assert (answer.error is None) is good


def test_add_many_keeps_the_order(client):
    questions = [f"{i % 10}+{i // 10 % 10}" for i in range(10_000)]
    answers = client.add_many(iter(questions))
    assert [answer.question for answer in answers] == questions
    assert all(answer.value == sum(map(int, answer.question.split("+"))) for answer in answers)


def test_explain_agrees_with_add(client):
    found = client.explain("3+9")
    assert found.text == "12"
    assert found.confidence == pytest.approx(client.add("3+9").confidence, abs=1e-4)
    assert [position.character for position in found.positions] == ["1", "2"]


def test_versions_and_describe(client):
    assert client.versions() == [seq2sum.VersionStatus(1, seq2sum.State.AVAILABLE)]
    assert client.wait_until_available(timeout=5).version == 1
    found = client.describe()
    assert (found.version, found.digits, found.missing) == (1, 1, ())


@pytest.mark.parametrize("version", [0, 9])
def test_missing_version_is_not_found(client, version):
    assert client.add("3+4", version=1).version == 1
    with pytest.raises(seq2sum.VersionNotFound) as caught:
        client.add("3+4", version=version)
    assert caught.value.version == version


def test_unknown_model_is_not_found(kind, shared_server):
    with kind(shared_server.target, model="nope") as client:
        for method in (lambda: client.add("1+1"), client.versions, client.describe):
            with pytest.raises(seq2sum.ModelNotFound, match=shared_server.target):
                method()


class Handler(grpc.GenericRpcHandler):
    """Handles every call with a function that the test passes."""

    def __init__(self, answer):
        self._answer = answer

    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(self._answer)


@pytest.fixture
def odd_server():
    """Starts in-process servers that reply with a function that the test passes."""
    stops = []

    def start(answer):
        server = grpc.server(ThreadPoolExecutor(4), handlers=[Handler(answer)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        stops.append(server.stop)
        return f"127.0.0.1:{port}"

    yield start
    for stop in stops:
        stop(None)


def test_hanging_server_costs_no_more_than_the_timeout(kind, odd_server):
    release = threading.Event()
    target = odd_server(lambda *_: release.wait(20) and b"")
    with kind(target, timeout=0.3) as client:
        for call in (lambda: client.add("1+1"), client.versions):
            began = time.monotonic()
            with pytest.raises(seq2sum.DeadlineExceeded):
                call()
            assert time.monotonic() - began < 10
    release.set()


def test_timeout_covers_all_chunks_together(kind, odd_server):
    chunks = []

    def answer(data, _):
        rows = len(PREDICT.request.FromString(data).inputs["questions"].string_val)
        chunks.append(rows)
        time.sleep(1.2)
        return reply(rows).SerializeToString()

    with (
        kind(odd_server(answer), timeout=2, max_in_flight=1) as client,
        pytest.raises(seq2sum.DeadlineExceeded),
    ):
        client.add_many(["1+1"] * 10_000)  # three chunks, each of them within the timeout
    assert chunks == [4096, 4096]


def reply(rows):
    response = predict_pb2.PredictResponse()
    for name, dtype in (("answers", 7), ("confidence", 1), ("status", 3)):
        response.outputs[name].dtype = dtype
        response.outputs[name].tensor_shape.dim.add(size=rows)
    response.outputs["answers"].string_val.extend([b"2"] * rows)
    response.outputs["confidence"].float_val.extend([0.5] * rows)
    response.outputs["status"].int_val.extend([0] * rows)
    return response


INVALID_REPLIES = {
    "too many rows": reply(2).SerializeToString(),
    "no rows": reply(0).SerializeToString(),
    "no outputs": b"",
    "not a message": b"\xff\xff\xff",
    "text": b"HTTP/1.1 400 Bad Request",
}


@pytest.mark.parametrize("reply_bytes", INVALID_REPLIES.values(), ids=INVALID_REPLIES)
def test_invalid_reply_is_an_unexpected_response(kind, odd_server, reply_bytes):
    target = odd_server(lambda *_: reply_bytes)
    with kind(target) as client:
        for method in (client.add, client.explain, lambda question: client.add_many([question])):
            with pytest.raises(seq2sum.UnexpectedResponse, match=f"from {target}, model seq2sum"):
                method("1+1")
        with pytest.raises(seq2sum.UnexpectedResponse):
            client.describe()
