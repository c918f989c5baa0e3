"""The limit of calls in flight, and overload."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import seq2sum
from seq2sum._slots import EXHAUSTED
from seq2sum.testing import FakeServer

CALLERS = 12


class Counting(FakeServer):
    """Counts the calls that it handles concurrently."""

    def __init__(self, **options):
        super().__init__(**options)
        self.lock = threading.Lock()
        self.now = self.most = 0

    def _respond(self, method, request, context):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            return super()._respond(method, request, context)
        finally:
            with self.lock:
                self.now -= 1


@pytest.fixture
def counting():
    with Counting(delay=0.02) as server:
        yield server


def test_client_keeps_at_most_max_in_flight_calls(counting, make_client):
    client = make_client(counting.target, max_in_flight=3, timeout=60)
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(client.add, ["1+1"] * 36))
    assert {answer.value for answer in answers} == {2}
    assert counting.most == 3


@pytest.mark.parametrize("max_in_flight", [1, 4])
def test_concurrent_streams_share_max_in_flight(counting, make_client, max_in_flight):
    client = make_client(counting.target, max_in_flight=max_in_flight, timeout=60)
    questions = ["1+1"] * 6
    with ThreadPoolExecutor(3) as callers:
        streams = [
            callers.submit(lambda: len(list(client.add_stream(questions, batch_size=1))))
            for _ in range(3)
        ]
        assert [stream.result() for stream in streams] == [6] * 3
    assert counting.most == max_in_flight


def test_waiting_to_send_respects_the_deadline(fake, make_client):
    fake.delay = 30
    client = make_client(fake.target, max_in_flight=1)
    with ThreadPoolExecutor(1) as callers:
        first = callers.submit(client.add, "1+1", timeout=0.8)
        while not fake.calls:
            assert not first.done()
        with pytest.raises(seq2sum.DeadlineExceeded, match="no answer in time"):
            client.add("2+2", timeout=0.1)
        with pytest.raises(seq2sum.DeadlineExceeded):
            first.result()
    assert [call.questions for call in fake.calls] == [(b"1+1",)]


class Threads(Counting):
    """Has few threads, and refuses further calls as tensorflow_model_server does."""

    def __init__(self, threads):
        super().__init__(delay=0.02)
        self.threads, self.refused = threads, 0

    def _respond(self, method, request, context):
        if self.now >= self.threads:
            self.refused += 1
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, EXHAUSTED)
        return super()._respond(method, request, context)


@pytest.mark.parametrize("threads", [1, 4, 12])
def test_default_limit_adapts_to_the_threads_of_the_server(make_client, threads):
    with Threads(threads) as server, ThreadPoolExecutor(16) as callers:
        client = make_client(server.target, timeout=60)
        assert {a.value for a in callers.map(client.add, ["1+1"] * 100)} == {2}
        refused_at_first = server.refused
        assert {a.value for a in callers.map(client.add, ["1+1"] * 100)} == {2}
        assert refused_at_first < 40
        assert server.refused - refused_at_first <= 3
        assert client.max_in_flight is None


def test_default_limit_grows_while_calls_wait(make_client):
    with Counting(delay=0.02) as server, ThreadPoolExecutor(16) as callers:
        client = make_client(server.target, timeout=60)
        list(callers.map(client.add, ["1+1"] * 60))
        assert 8 < server.most <= 16


def test_missing_thread_raises_overloaded_if_max_in_flight_is_given(fake, make_client):
    fake.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, EXHAUSTED)
    with pytest.raises(seq2sum.Overloaded, match=EXHAUSTED):
        make_client(fake.target, max_in_flight=8).add("1+1")
    assert len(fake.calls) == 1


def test_calls_refused_for_lack_of_threads_are_retried_until_the_deadline(fake, make_client):
    fake.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, EXHAUSTED, times=1000)
    with pytest.raises((seq2sum.Overloaded, seq2sum.DeadlineExceeded)):
        make_client(fake.target).add("1+1", timeout=0.4)
    assert 1 < len(fake.calls) < 20


@pytest.mark.parametrize(
    ("rows", "given", "expected"),
    [(1, None, 64), (16, None, 32), (64, None, 8), (4096, None, 8), (None, None, 8), (1, 3, 3)],
)
def test_streams_of_small_batches_have_a_higher_limit(rows, given, expected):
    with seq2sum.Client() as client:
        assert client._stream_limit(given, rows) == expected
        assert seq2sum.Client(max_in_flight=5)._stream_limit(given, rows) == (given or 5)


def test_add_raises_overloaded_at_once(fake, make_client):
    fake.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "too busy")
    client = make_client(fake.target)
    with pytest.raises(seq2sum.Overloaded, match="too busy"):
        client.add("1+1")
    assert len(fake.calls) == 1


@pytest.mark.parametrize("method", ["add_many", "add_stream"])
def test_bulk_methods_retry_while_the_server_is_overloaded(fake, make_client, method):
    fake.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, times=3)
    client = make_client(fake.target)
    assert [answer.value for answer in getattr(client, method)(["1+1", "2+2"])] == [2, 4]
    assert len(fake.calls) == 4


@pytest.mark.parametrize("method", ["add_many", "add_stream"])
def test_bulk_retries_end_at_the_deadline(fake, make_client, method):
    fake.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "too busy", times=1000)
    client = make_client(fake.target)
    with pytest.raises((seq2sum.Overloaded, seq2sum.DeadlineExceeded)):
        list(getattr(client, method)(["1+1"], timeout=0.4))
    assert 1 < len(fake.calls) < 20
