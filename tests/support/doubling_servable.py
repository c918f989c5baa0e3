"""A servable that doubles numbers and can be held, and a queue before it."""

from __future__ import annotations

import threading

import numpy as np
from seq2sum_serving.embedded.batching.batched import BatchedServable
from seq2sum_serving.embedded.batching.parameters import BatchingParameters
from seq2sum_serving.embedded.batching.scheduler import Scheduler
from seq2sum_serving.embedded.errors import Code, ServingError

SECONDS = 30
"""For what happens at once, unless it never does."""


class Doubling:
    """Answers y = 2x and z = 3x; a negative x fails the run. Runs wait while it is held."""

    def __init__(self):
        self.signatures = {"serving_default": "its signature"}
        self.runs = []
        self.timeouts = []
        self.begun = threading.Semaphore(0)
        self.free = threading.Event()
        self.free.set()
        self.closed = False

    def run(self, feeds, fetches, *, timeout=None):
        [x] = feeds.values()
        self.runs.append(x.tolist())
        self.timeouts.append(timeout)
        self.begun.release()
        assert self.free.wait(SECONDS)
        if (x < 0).any():
            raise ServingError(Code.INVALID_ARGUMENT, f"{x.tolist()} has a negative number")
        answers = {"y": 2 * x, "z": 3 * x, "scalar": np.float32(1)}
        return [answers[name] for name in fetches]

    def close(self):
        self.closed = True


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Setting:
    """A batched servable, on threads and a clock of its own."""

    def __init__(self, threads=1, **parameters):
        self.servable = Doubling()
        self.clock = Clock()
        scheduler = Scheduler(threads, "test", clock=self.clock)
        self.batched = BatchedServable(self.servable, BatchingParameters(**parameters), scheduler)

    def submit(self, *numbers, fetches=("y",), timeout=None):
        return self.batched.submit({"x": np.array(numbers, np.int64)}, fetches, timeout=timeout)

    def occupy(self):
        """Holds the only thread; what is submitted from now on waits."""
        self.servable.free.clear()
        held = self.submit(0)
        assert self.servable.begun.acquire(timeout=SECONDS)
        return held

    def release(self):
        self.servable.free.set()


def settings():
    """Makes settings, and closes them after the test; a fixture where it is used."""
    made = []

    def make(*arguments, **options):
        made.append(Setting(*arguments, **options))
        return made[-1]

    yield make
    for each in made:
        each.release()
        each.batched.close()


def answer(future):
    return [array.tolist() for array in future.result(SECONDS)]


def failure(future):
    error = future.exception(SECONDS)
    return error.code, error.message
