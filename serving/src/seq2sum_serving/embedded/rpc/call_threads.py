"""The threads that receive calls and run them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sized
from typing import Protocol

from seq2sum_serving.embedded import cpus
from seq2sum_serving.embedded.inference import unlocked_time
from seq2sum_serving.embedded.rpc.thread_count import ThreadCount

log = logging.getLogger(__name__)

SLOW_SECONDS = 0.005
"""A call that takes longer counts as slow: its thread is occupied."""


class Receive(Protocol):
    """A function that receives calls."""

    def __call__(self, most: int, *, poll: bool) -> None:
        """Receives at most this many calls."""


class CallThreads:
    """Threads that each wait for calls, and run the calls that they receive.

    No call is handed over to another thread, and no thread has to wake another one. `ThreadCount`
    determines how many threads can run at the same time without competing for the interpreter, at
    most one for each CPU. That many threads are kept free: while slow calls occupy some, further
    ones are started, and they end when they are no longer needed.
    """

    def __init__(
        self,
        receive: Receive,
        run: Callable[[], int],
        waiting: Sized,
        *,
        most: int,
        name: str,
    ) -> None:
        """Prepares the threads; `start` starts them.

        Args:
            receive: Waits for a short time for at most a given number of calls, and adds them to
                `waiting`; with `poll`, because more calls are likely to follow at once.
            run: Runs all calls in `waiting`; returns how many this thread should receive next.
            waiting: Calls that were received and do not run yet.
            most: Maximum number of threads.
            name: Start of the threads' names.
        """
        self._receive = receive
        self._run = run
        self._waiting = waiting
        self._most = most
        self._target = ThreadCount(min(cpus.usable(), most))
        self._name = name
        self._lock = threading.Lock()
        """Guards the number of threads."""
        self._count = 0
        self._running: dict[int, float] = {}
        """When each busy thread began to run calls."""
        self._overloaded = threading.Event()
        """Set while calls may have to wait for slow ones."""
        self._stopped = False

    def start(self) -> None:
        """Starts the first thread."""
        self.add(1)
        threading.Thread(target=self._watch, name=f"{self._name}-watch", daemon=True).start()

    def stop(self) -> None:
        """Ends the threads after their current calls, without waiting for them."""
        self._stopped = True
        self._overloaded.set()

    def add(self, count: int) -> None:
        """Starts more threads."""
        for _ in range(count):
            with self._lock:
                self._count += 1
                name = f"{self._name}-{self._count}"
            try:
                threading.Thread(target=self._work, name=name, daemon=True).start()
            except RuntimeError:  # the system has no more threads
                with self._lock:
                    self._count -= 1
                log.exception("cannot start a thread")
                return

    def _work(self) -> None:
        me = threading.get_ident()
        calls, received = 1, False
        cpu = unlocked = 0.0
        while not self._stopped:
            if not self._waiting:
                self._receive(calls, poll=received)
            self._running[me] = time.monotonic()
            if len(self._waiting) > 1 or len(self._running) >= self._count:
                self._overloaded.set()
            received = bool(self._waiting)
            calls = self._run()
            del self._running[me]
            if received:
                cpu_before, cpu = cpu, time.thread_time()
                unlocked_before, unlocked = unlocked, unlocked_time.total()
                self._target.record(cpu - cpu_before, unlocked - unlocked_before)
            if self._count < self._target.count:
                self.add(1)
            elif self._count > self._target.count and self._is_spare():
                return

    def _is_spare(self) -> bool:
        """Returns whether to end this thread, because enough others are free."""
        with self._lock:
            if self._count - self._slow() <= self._target.count:
                return False
            self._count -= 1
            return True

    def _slow(self) -> int:
        """Returns the number of threads that slow calls occupy."""
        late = time.monotonic() - SLOW_SECONDS
        return sum(began < late for began in list(self._running.values()))

    def _watch(self) -> None:
        """Starts threads while slow calls occupy those that exist."""
        while self._overloaded.wait() and not self._stopped:
            time.sleep(SLOW_SECONDS)
            if len(self._running) < self._count and not self._waiting:
                self._overloaded.clear()
                continue
            slow = self._slow()
            if slow and self._count - slow < self._target.count:
                self.add(min(max(slow, len(self._waiting)), self._most - self._count))
