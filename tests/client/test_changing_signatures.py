"""Clients of any model while its signatures change: concurrent calls, restarts, and few fetches."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import seq2sum
from seq2sum import TensorSpec, _signatures
from seq2sum.testing import FakeServer, FakeSignature
from support.both_clients import MODEL_KINDS


def echo(dtype, output="y", output_dtype=None):
    tensors = [TensorSpec(each, (-1,)) for each in (dtype, output_dtype or dtype)]
    return {"serving_default": FakeSignature(checked, {"x": tensors[0]}, {output: tensors[1]})}


def checked(inputs):
    values = inputs["x"].tolist()
    if any(value < 0 for value in values):
        raise ValueError("negative")
    return list(map(int, values))


@pytest.fixture
def server():
    with FakeServer(model="any", signatures=echo("DT_FLOAT")) as server:
        yield server


@pytest.fixture(params=MODEL_KINDS)
def client(request, server):
    with MODEL_KINDS[request.param](server.target, model="any") as client:
        yield client


def fetches(server):
    return [call.method for call in server.calls].count("GetModelMetadata")


def at_once(kind, server, count, change=lambda: None, warm=True, **options):
    """Returns the outcomes of concurrent calls, made after `change`."""

    async def tasks():
        async with seq2sum.AsyncModelClient(server.target, model="any", **options) as client:
            if warm:
                await client.predict([1])
            change()
            calls = [client.predict([1]) for _ in range(count)]
            return await asyncio.gather(*calls, return_exceptions=True)

    if kind == "async":
        return asyncio.run(tasks())
    start = threading.Barrier(count)
    with seq2sum.ModelClient(server.target, model="any", **options) as client:
        if warm:
            client.predict([1])
        change()

        def call(_):
            start.wait()
            try:
                return client.predict([1])
            except seq2sum.Seq2SumError as error:
                return error

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(call, range(count)))


@pytest.mark.parametrize("coalescing", [None, seq2sum.Coalescing()])
@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_concurrent_calls_follow_a_version_with_other_input_dtypes(kind, server, coalescing):
    def change():
        server.signatures, server.versions, server.delay = echo("DT_INT32"), [1, 2], 0.02

    found = at_once(kind, server, 16, change, coalescing=coalescing)
    assert {getattr(each, "version", each) for each in found} == {2}


def test_a_stream_follows_a_version_with_other_input_dtypes(client, server):
    client.predict([1])
    server.signatures, server.versions, server.delay = echo("DT_INT32"), [1, 2], 0.02
    assert [each.version for each in client.predict_stream(range(20), batch_size=1)] == [2] * 20


@pytest.mark.parametrize("changed", [echo("DT_FLOAT", output_dtype="DT_INT64"),
                                     echo("DT_FLOAT", "z")])  # fmt: skip
def test_calls_recover_when_the_same_version_has_other_outputs(client, server, changed):
    client.predict([1])
    server.signatures = changed
    assert client.predict([1]).tensor.tolist() == [1]
    for _ in range(3):  # these signatures are confirmed, and change right afterwards
        with pytest.raises(seq2sum.InvalidRequest):
            client.predict([-1])
    server.signatures = echo("DT_FLOAT")
    assert [each.tensor.tolist() for each in client.predict_stream([[1], [2]])] == [[1], [2]]


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_concurrent_first_calls_share_one_fetch(kind, server):
    server.delay = 0.05
    found = at_once(kind, server, 40, warm=False, max_in_flight=40)
    assert {each.version for each in found} == {1}
    assert fetches(server) == 1


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_concurrent_first_calls_share_the_failure_of_the_fetch(kind, server):
    server.delay = 0.05
    server.fail(grpc.StatusCode.NOT_FOUND, times=100)
    found = at_once(kind, server, 8, warm=False, max_in_flight=8)
    assert {type(each) for each in found} == {seq2sum.ModelNotFound}
    assert len({id(each) for each in found}) == 8
    assert fetches(server) < 8


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_a_deadline_of_the_caller_that_fetches_is_not_shared(kind, server):
    server.delay = 0.2

    async def tasks():
        async with seq2sum.AsyncModelClient(server.target, model="any") as client:
            calls = [client.predict([1], timeout=timeout) for timeout in (0.05, 10, 0.1)]
            return await asyncio.gather(*calls, return_exceptions=True)

    if kind == "async":
        first, second, third = asyncio.run(tasks())
    else:
        with seq2sum.ModelClient(server.target, model="any") as client, ThreadPoolExecutor() as do:
            calls = [do.submit(client.predict, [1], timeout=each) for each in (0.05, 10, 0.1)]
            first, second, third = (each.exception() or each.result() for each in calls)
    assert isinstance(first, seq2sum.DeadlineExceeded)
    assert isinstance(third, seq2sum.DeadlineExceeded)
    assert second.version == 1


@pytest.mark.parametrize("bad", [[None], [-1]])
def test_repeated_bad_inputs_cost_few_fetches(client, server, bad, monkeypatch):
    for _ in range(20):
        with pytest.raises(seq2sum.InvalidRequest):
            client.predict(bad)
    assert fetches(server) <= 2
    monkeypatch.setattr(_signatures, "CONFIRMED_SECONDS", 0.0)
    server.signatures, server.versions = echo("DT_INT32"), [1, 2]
    assert client.predict([2**31 - 1]).tensor.tolist() == [2**31 - 1]  # no float has this value


def test_a_stream_retries_a_fetch_that_is_refused_for_overload(client, server):
    server.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, times=2)
    assert [each.version for each in client.predict_stream([1, 2], batch_size=1)] == [1, 1]
