"""Threads that receive calls and run them, while calls are fast and while they are slow."""

from __future__ import annotations

import queue
import threading
from collections import deque
from contextlib import suppress

import pytest
from seq2sum_serving.embedded import cpus
from seq2sum_serving.embedded.rpc import call_threads
from seq2sum_serving.embedded.rpc.call_threads import CallThreads

SECONDS = 30
CPUS = 2


class Setup:
    """Threads whose calls are events: a call runs until its event is set."""

    def __init__(self, most):
        self.arrived = queue.Queue()
        self.started = threading.Semaphore(0)
        self.waiting = deque()
        self.ended = queue.Queue()
        self.polled = []
        self.threads = CallThreads(self.receive, self.run, self.waiting, most=most, name="test")
        self.threads.start()

    def receive(self, _most, *, poll):
        self.polled.append(poll)
        with suppress(queue.Empty):
            self.waiting.append(self.arrived.get(timeout=0.05))

    def run(self):
        while self.waiting:
            end = self.waiting.popleft()
            self.started.release()
            assert end.wait(SECONDS)
            self.ended.put(threading.get_ident())
        return 1

    def call(self):
        end = threading.Event()
        self.arrived.put(end)
        return end


@pytest.fixture
def setup(monkeypatch):
    made = []
    monkeypatch.setattr(cpus, "usable", lambda: CPUS)

    def setup(most=8):
        made.append(Setup(most))
        return made[-1]

    yield setup
    for each in made:
        each.threads.stop()


def test_fast_calls_that_need_the_interpreter_run_on_one_thread(setup, monkeypatch):
    monkeypatch.setattr(call_threads, "SLOW_SECONDS", SECONDS)
    setup = setup()
    used = set()
    for _ in range(50):
        setup.call().set()
        used.add(setup.ended.get(timeout=SECONDS))
    assert len(used) == 1


def test_each_slow_call_gets_a_thread_and_surplus_threads_end(setup):
    setup = setup()
    calls = [setup.call() for _ in range(6)]
    for _ in calls:
        assert setup.started.acquire(timeout=SECONDS)
    for call in calls:
        call.set()
    for _ in range(1000):  # a thread ends after a call, or a wait for one
        if setup.threads._count == 1:
            break
        threading.Event().wait(0.01)
    assert setup.threads._count == 1


def test_slow_calls_never_occupy_more_threads_than_may_exist(setup):
    setup = setup(most=3)
    calls = [setup.call() for _ in range(4)]
    for _ in range(3):
        assert setup.started.acquire(timeout=SECONDS)
    assert not setup.started.acquire(timeout=0.1)
    for call in calls:
        call.set()
    assert setup.started.acquire(timeout=SECONDS)


def test_a_thread_polls_for_calls_only_after_it_ran_some(setup):
    setup = setup()
    setup.call().set()
    setup.ended.get(timeout=SECONDS)
    for _ in range(1000):  # until a wait has brought nothing
        if setup.polled[-1:] == [False] and True in setup.polled:
            break
        threading.Event().wait(0.01)
    first_poll = setup.polled.index(True)
    assert set(setup.polled[:first_poll]) == {False}
    assert set(setup.polled[first_poll + 1 :]) == {False}
