"""Streams of clients of any model: whole inputs, gathered rows, retries, and changed models."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest
import seq2sum
from support.both_clients import MODEL_KINDS
from support.fake_models import RENAMED, any_model_server


@pytest.fixture
def server():
    with any_model_server() as server:
        yield server


@pytest.fixture(params=MODEL_KINDS)
def client(request, server):
    """A `ModelClient`, or an `AsyncModelClient` with its methods."""
    with MODEL_KINDS[request.param](server.target, model="any") as client:
        yield client


def test_stream_yields_the_predictions_of_whole_inputs_in_order(client, server):
    server.before_reply = lambda _: time.sleep(0.02 if len(server.calls) % 3 else 0)
    batches = ({"text": ["x" * size]} for size in range(30))
    found = list(client.predict_stream(batches, max_in_flight=4))
    assert [each.tensor.item() for each in found] == list(range(30))


@pytest.mark.parametrize("mappings", [True, False])
def test_stream_gathers_rows(client, mappings):
    rows = [{"text": "x" * size} if mappings else "x" * size for size in range(10)]
    found = list(client.predict_stream(rows, batch_size=4))
    assert [len(each.tensor) for each in found] == [4, 4, 2]
    assert [value for each in found for value in each["score"]] == list(range(10))
    assert list(client.predict_stream([], batch_size=4)) == []


def test_stream_reads_no_further_than_the_calls_in_flight(client):
    taken = []

    def rows():
        for number in range(100):
            taken.append(number)
            yield "x"

    stream = client.predict_stream(rows(), batch_size=2, max_in_flight=2)
    next(stream)
    assert len(taken) <= 6
    stream.close()


def test_stream_retries_calls_that_are_refused_for_overload(client, server):
    client.predict(["x"])
    server.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, times=2)
    found = list(client.predict_stream([["a"], ["ab"], ["abc"]], max_in_flight=1))
    assert [each.tensor.item() for each in found] == [1, 2, 3]


@pytest.mark.parametrize("kind", ["input", "source", "rows"])
def test_predictions_before_an_error_are_yielded(client, server, kind):
    server.delay = 0.05
    bad = {"input": [1], "source": [], "rows": [{"text": "a"}, "b"]}[kind]
    found = []

    def inputs():
        yield from ["a", "ab"] if kind == "rows" else [["a"], ["ab"]]
        yield from bad if kind == "rows" else [bad] if bad else []
        raise OSError("source")

    stream = client.predict_stream(inputs(), batch_size=2 if kind == "rows" else None)
    with pytest.raises(OSError if kind == "source" else seq2sum.InvalidInput):
        found.extend(each.tensor.tolist() for each in stream)
    assert found == ([[1, 2]] if kind == "rows" else [[1], [2]])


def test_stream_follows_a_model_that_changes(client, server):
    def inputs():
        yield ["a"]
        yield ["b"]
        server.signatures, server.versions = {"serving_default": RENAMED}, [2]
        yield ["c"]
        yield ["d"]

    found = list(client.predict_stream(inputs(), max_in_flight=1))
    assert [each.version for each in found] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([{"text": "a"}, {"Text": "b"}], "row 1 of a batch has ['Text']: expected ['text']"),
        ([{"text": "a"}, "b"], "row 1 of a batch has a str"),
        (["a", 1], "not 1 of type int"),
    ],
)
def test_rows_that_do_not_fit_end_the_stream(client, rows, text):
    with pytest.raises(seq2sum.InvalidInput) as caught:
        list(client.predict_stream(rows, batch_size=10))
    assert text in str(caught.value)


def test_a_single_input_is_not_a_stream(client):
    for inputs in ({"text": ["x"]}, "text", b"text", 5, None):
        with pytest.raises(TypeError, match=r"see predict\(\)"):
            client.predict_stream(inputs)
    with pytest.raises(ValueError, match="batch_size"):
        client.predict_stream(["x"], batch_size=0)


def test_an_asynchronous_iterable_is_streamed(server):
    async def rows():
        for size in range(5):
            yield "x" * size

    async def main():
        async with seq2sum.AsyncModelClient(server.target, model="any") as client:
            stream = client.predict_stream(rows(), batch_size=2)
            found = [each.tensor.tolist() async for each in stream]
            whole = [each.tensor.item() async for each in client.predict_stream(wrapped())]
        return found, whole

    async def wrapped():
        yield ["abc"]

    assert asyncio.run(main()) == ([[0, 1], [2, 3], [4]], [3])
