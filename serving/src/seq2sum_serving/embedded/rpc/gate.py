"""Which calls may begin, and when the last of them has ended.

A server that stops answers what has begun and begins nothing more. What it does not begin ends
with UNAVAILABLE, on which clients try the next server; but not at once: a caller that is refused
while its connection still stands would come back on it, and again. So new calls are held until
the connection is ended or the client was asked to leave it.
"""

from __future__ import annotations

import threading
import time

import grpc

from seq2sum_serving.embedded.errors import Code, ServingError

HELD_SHARE = 0.5
"""Of the time that a held call has left; the rest is for another server."""


class Gate:
    """Counts the calls that have begun; once closed, holds and then refuses new ones.

    Safe to use from any thread.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._closed = False
        self._refusing = threading.Event()
        self._running = 0

    def enter(self, context: grpc.ServicerContext, left: float | None) -> None:
        """Begins a call; it ends when all of its reply is sent.

        Args:
            context: That of the call.
            left: Seconds until its deadline; None: it has none.

        Raises:
            ServingError: UNAVAILABLE: the server is stopping. CANCELLED: the caller has left.
        """
        with self._changed:
            held = self._closed
            if not held:
                self._running += 1
        if held:
            self._refusing.wait(None if left is None else left * HELD_SHARE)
            raise ServingError(Code.UNAVAILABLE, "the server is stopping")
        if not context.add_callback(self._leave):
            self._leave()
            raise ServingError(Code.CANCELLED, "the caller has left")

    def close(self) -> None:
        """Lets no further call begin."""
        with self._changed:
            self._closed = True

    def refuse(self) -> None:
        """Ends the calls that are held."""
        self._refusing.set()

    def wait_until_idle(self, deadline: float) -> bool:
        """Whether every call that has begun ended before a time of `time.monotonic`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._running, max(0.0, deadline - time.monotonic())
            )

    def _leave(self) -> None:
        with self._changed:
            self._running -= 1
            if not self._running and self._closed:
                self._changed.notify_all()
