"""Admission of calls: a limit on concurrent calls, and a gate that closes when the server stops."""

from __future__ import annotations

import threading
import time

import grpc

from seq2sum_serving.embedded.errors import Code, ServingError

EXHAUSTED = "Server Threadpool Exhausted"
HELD_SHARE = 0.5
"""Share of its remaining time for which a call is held; the rest is for a retry elsewhere."""


class ThreadQuota:
    """Limits concurrent calls as the thread quota of gRPC's C++ server does.

    Safe to use from any thread. In the C++ server one thread always polls for the next call, and a
    call that takes the last thread is refused (src/cpp/thread_manager/thread_manager.cc in grpc).
    So one call fewer than `threads` can run, and with one thread none.
    """

    def __init__(self, threads: int) -> None:
        self._max_running = threads - 1
        self._running = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Starts a call; raises ServingError if no thread is left for it."""
        if not self.enter():
            raise ServingError(Code.RESOURCE_EXHAUSTED, EXHAUSTED)

    def __exit__(self, *_: object) -> None:
        self.leave()

    def enter(self) -> bool:
        """Starts a call, which ends with `leave`; returns False if no thread is left for it."""
        with self._lock:
            if self._running >= self._max_running:
                return False
            self._running += 1
            return True

    def leave(self) -> None:
        """Ends a call."""
        with self._lock:
            self._running -= 1


class Gate:
    """Counts running calls; once closed, it holds and then refuses new calls.

    Safe to use from any thread. A stopping server finishes the calls that have started, and fails
    new calls with UNAVAILABLE, so that clients try the next server. It does not fail them at once:
    while the connection stands, a client would retry on it again and again. So new calls are held
    until the connection has ended or the client has received a GOAWAY.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Guards the fields; entering a condition takes longer."""
        self._idle = threading.Condition(self._lock)
        self._closed = False
        self._refusing = threading.Event()
        self._running = 0

    def enter(self, context: grpc.ServicerContext, left: float | None) -> None:
        """Starts a call, which ends when its whole response has been sent.

        Args:
            context: The call's context.
            left: Seconds until the call's deadline; None: no deadline.

        Raises:
            ServingError: UNAVAILABLE: the server is stopping. CANCELLED: the client cancelled.
        """
        if not self.admit():
            raise self.hold(left)
        if not context.add_callback(self.leave):
            self.leave()
            raise ServingError(Code.CANCELLED, "the client cancelled the call")

    def admit(self) -> bool:
        """Starts a call, which ends with `leave`; returns False, without effect, once closed."""
        with self._lock:
            if not self._closed:
                self._running += 1
            return not self._closed

    def hold(self, left: float | None) -> ServingError:
        """Waits until a call that was not admitted may be refused; returns its error."""
        self._refusing.wait(None if left is None else left * HELD_SHARE)
        return ServingError(Code.UNAVAILABLE, "the server is stopping")

    def close(self) -> None:
        """Holds all calls that come from now on."""
        with self._lock:
            self._closed = True

    def refuse(self) -> None:
        """Refuses held calls, and all further calls."""
        self._refusing.set()

    def wait_until_idle(self, deadline: float) -> bool:
        """Returns whether all started calls ended before a time of `time.monotonic`."""
        with self._lock:
            return self._idle.wait_for(
                lambda: not self._running, max(0.0, deadline - time.monotonic())
            )

    def leave(self) -> None:
        """Ends a call."""
        with self._lock:
            self._running -= 1
            if not self._running and self._closed:
                self._idle.notify_all()
