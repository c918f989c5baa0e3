"""Load balancing over three servers, one of which restarts, or is replaced by a new one."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
import seq2sum
from support import servers
from support.dns_server import NameServer
from support.fake_processes import FakeProcess

pytestmark = pytest.mark.server

CALLERS = 6
TIMEOUT = 60
"""Seconds; what a test waits for usually takes one or two."""
COALESCED = pytest.mark.parametrize(
    "coalescing",
    [None, seq2sum.Coalescing(max_batch=4, max_in_flight=4)],
    ids=["alone", "coalesced"],
)


class Load:
    """Threads that make calls without pause; counts answers by version, and collects failures."""

    def __init__(self, client):
        self._client = client
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]
        self._answers = Counter()
        self.failures = []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _call(self):
        while not self._over.is_set():
            try:
                answer = self._client.add("20+22")
            except seq2sum.Seq2SumError as error:
                self.failures.append(error)
            else:
                assert answer.value == 42
                self._answers[answer.version] += 1

    def until_answered_by(self, *versions, calls=20):
        """Waits until exactly these versions answer; returns the seconds that it took."""
        began = time.monotonic()
        while time.monotonic() < began + TIMEOUT:
            before = self._answers.copy()
            while (self._answers - before).total() < calls:
                time.sleep(0.001)
            if set(self._answers - before) == set(versions):
                return time.monotonic() - began
        raise AssertionError(f"expected answers from {versions} only: {self._answers}")


@pytest.fixture(scope="module")
def three():
    """Three servers on separate addresses; all of them run between tests."""
    started = [FakeProcess(version).start() for version in (1, 2, 3)]
    try:
        yield [process.wait_until_listening() for process in started]
    finally:
        for process in started:
            process.stop()


def test_calls_are_balanced_evenly(make_client, three):
    client = make_client([process.target for process in three])
    deadline = time.monotonic() + TIMEOUT
    while {client.add("1+1").version for _ in range(6)} != {1, 2, 3}:
        assert time.monotonic() < deadline
    assert Counter(client.add("1+1").version for _ in range(90)) == {1: 30, 2: 30, 3: 30}


@COALESCED
def test_no_call_fails_while_one_of_three_servers_restarts(make_client, three, coalescing):
    client = make_client(
        [process.target for process in three], coalescing=coalescing, max_in_flight=6
    )
    with Load(client) as load:
        load.until_answered_by(1, 2, 3)
        three[1].kill()
        print("seconds until the killed server got no calls", load.until_answered_by(1, 3))
        three[1].start().wait_until_listening()
        print("seconds until it got calls again", load.until_answered_by(1, 2, 3))
    assert load.failures == []


def test_no_call_fails_when_a_name_resolves_to_a_new_address(make_client, start_processes):
    port = servers.free_port()
    first = [FakeProcess(number, host=f"127.0.0.{number}", port=port) for number in (1, 2, 3)]
    start_processes(*first)
    with NameServer(process.host for process in first) as names:
        client = make_client(names.target(port), max_in_flight=6)
        with Load(client) as load:
            load.until_answered_by(1, 2, 3)
            added = FakeProcess(4, host="127.0.0.4", port=port)
            start_processes(added)
            first[1].kill()
            names.names.addresses = ["127.0.0.1", "127.0.0.3", added.host]
            print("seconds until the new server got calls", load.until_answered_by(1, 3, 4))
        assert load.failures == []
