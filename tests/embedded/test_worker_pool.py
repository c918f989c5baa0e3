"""Calls to workers, and versions that all processes load."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import Future
from multiprocessing import Pipe

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.workers.dispatcher import Dispatcher, run_calls
from seq2sum_serving.embedded.workers.pool_loader import PoolLoader

SECONDS = 30


class FakeWorkers:
    """Two workers; the second cannot load a path with `worker fails`."""

    def __init__(self, events):
        self.events = events

    def call(self, method, *arguments):
        self.events.append((method, *arguments[:2]))
        first, second = Future(), Future()
        first.set_result(None)
        if method == "load" and "worker fails" in arguments[2]:
            second.set_exception(ServingError(Code.NOT_FOUND, "worker's error"))
        else:
            second.set_result(None)
        return [first, second]


class FakeServable:
    """A version loaded in this process."""

    signatures = {"a": 1}  # noqa: RUF012

    def __init__(self, events):
        self.events = events

    def run(self, feeds, fetches, *, timeout=None):
        return feeds, fetches, timeout

    def close(self):
        self.events.append("closed here")


@pytest.fixture
def events():
    """Calls to the workers, loads and closes in this process, in order."""
    return []


@pytest.fixture
def load(events):
    def load_here(model, version, path):  # noqa: ARG001
        events.append("loaded here")
        if "first process fails" in path:
            raise ServingError(Code.INTERNAL, "first process's error")
        return FakeServable(events)

    return PoolLoader(load_here, FakeWorkers(events))


def test_version_is_loaded_in_all_processes_before_it_serves(load, events):
    servable = load("m", 1, "/m/1")
    assert events == [("load", "m", 1), "loaded here", ("add", "m", 1)]
    assert servable.run({}, [], timeout=1) == ({}, [], 1)
    assert servable.signatures == {"a": 1}


def test_version_is_closed_in_all_processes(load, events):
    servable = load("m", 1, "/m/1")
    del events[:]
    servable.close()
    assert events == [("close", "m", 1), "closed here"]


@pytest.mark.parametrize(
    ("path", "message", "after"),
    [
        ("worker fails", "NOT_FOUND: worker's error", [("close", "m", 1), "closed here"]),
        ("first process fails", "INTERNAL: first process's error", [("close", "m", 1)]),
        ("first process fails, worker fails", "INTERNAL: first process's error",
         [("close", "m", 1)]),
    ],
)  # fmt: skip
def test_version_that_fails_in_one_process_is_closed_in_all(load, events, path, message, after):
    with pytest.raises(ServingError) as raised:
        load("m", 1, path)
    assert str(raised.value) == message
    assert events == [("load", "m", 1), "loaded here", *after]


class FakeWorker:
    """Methods of a worker."""

    def __init__(self):
        self.released = threading.Event()

    def add(self, a, b):
        return a + b

    def refuse(self):
        raise ServingError(Code.NOT_FOUND, "no such version")

    def fail(self):
        raise ValueError("unexpected")

    def wait(self):
        return self.released.wait(SECONDS)


@pytest.fixture
def worker():
    return FakeWorker()


@pytest.fixture
def dispatcher(worker):
    ours, theirs = Pipe()
    dispatcher = Dispatcher(ours, "worker 1")
    threads = [
        threading.Thread(target=dispatcher.read_results),
        threading.Thread(target=run_calls, args=(theirs, lambda name: getattr(worker, name))),
    ]
    for thread in threads:
        thread.start()
    yield dispatcher
    worker.released.set()
    with socket.socket(fileno=os.dup(theirs.fileno())) as connection:
        connection.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    theirs.close()


def test_calls_return_results_and_errors_concurrently(dispatcher, worker):
    long = dispatcher.call("wait")
    assert dispatcher.call("add", 1, 2).result(SECONDS) == 3
    with pytest.raises(ServingError) as raised:
        dispatcher.call("refuse").result(SECONDS)
    assert (raised.value.code, raised.value.message) == (Code.NOT_FOUND, "no such version")
    with pytest.raises(ServingError, match="ValueError: unexpected"):
        dispatcher.call("fail").result(SECONDS)
    assert not long.done()
    worker.released.set()
    assert long.result(SECONDS) is True


def test_calls_of_an_ended_worker_fail():
    ours, theirs = Pipe()
    dispatcher = Dispatcher(ours, "worker 1")
    before = dispatcher.call("wait")
    theirs.close()
    dispatcher.read_results()
    for call in (before, dispatcher.call("wait")):
        with pytest.raises(ServingError, match="worker 1 has ended"):
            call.result(SECONDS)
