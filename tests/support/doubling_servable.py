"""A batched servable for tests: it doubles numbers, and its runs can be blocked."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from functools import partial

import numpy as np
from seq2sum_serving.embedded.batching.batched_servable import BatchedServable
from seq2sum_serving.embedded.batching.parameters import BatchingParameters
from seq2sum_serving.embedded.batching.scheduler import Scheduler
from seq2sum_serving.embedded.batching.tasks import complete
from seq2sum_serving.embedded.errors import Code, ServingError

SECONDS = 30
"""Timeout for events that happen at once unless a test fails."""


class DoublingServable:
    """Computes y = 2x and z = 3x; a negative x fails the run. Runs block until `free` is set."""

    def __init__(self):
        self.signatures = {"serving_default": "its signature"}
        self.runs = []
        self.timeouts = []
        self.started = threading.Semaphore(0)
        self.free = threading.Event()
        self.free.set()
        self.closed = False

    def run(self, feeds, fetches, *, timeout=None):
        [x] = feeds.values()
        self.runs.append(x.tolist())
        self.timeouts.append(timeout)
        self.started.release()
        assert self.free.wait(SECONDS)
        if (x < 0).any():
            raise ServingError(Code.INVALID_ARGUMENT, f"{x.tolist()} has a negative number")
        outputs = {"y": 2 * x, "z": 3 * x, "scalar": np.float32(1)}
        return [outputs[name] for name in fetches]

    def close(self):
        self.closed = True


class FakeClock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class BatchedSetup:
    """A `BatchedServable` around a `DoublingServable`, with its own threads and clock."""

    def __init__(self, threads=1, **parameters):
        self.servable = DoublingServable()
        self.clock = FakeClock()
        scheduler = Scheduler(threads, "test", clock=self.clock)
        self.batched = BatchedServable(self.servable, BatchingParameters(**parameters), scheduler)

    def submit(self, *numbers, fetches=("y",), timeout=None, name="x"):
        """Submits a request; if a thread of batches is free, another thread runs it."""
        future = Future()
        self.batched.submit(
            {name: np.array(numbers, np.int64)},
            fetches,
            timeout=timeout,
            done=partial(complete, future),
        )
        threading.Thread(target=self.batched.run_waiting).start()
        return future

    def occupy(self):
        """Blocks the only thread, so that further requests wait in their queues."""
        self.servable.free.clear()
        blocked = self.submit(0)
        assert self.servable.started.acquire(timeout=SECONDS)
        return blocked

    def release(self):
        self.servable.free.set()


def batched_setups():
    """Makes `BatchedSetup`s and closes them after the test; a module turns it into a fixture."""
    setups = []

    def make(*arguments, **options):
        setups.append(BatchedSetup(*arguments, **options))
        return setups[-1]

    yield make
    for setup in setups:
        setup.release()
        setup.batched.close()


def answer(future):
    return [array.tolist() for array in future.result(SECONDS)]


def failure(future):
    error = future.exception(SECONDS)
    return error.code, error.message
