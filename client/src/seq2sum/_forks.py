"""Forks: what is open stays the parent's, and no call is inside gRPC at that moment.

gRPC comes to life in a child if no thread was inside it when the process was forked. With
threads that make calls all the time, one child in thirty hung or was aborted (grpcio 1.85). So
a fork waits for the calls under way, which takes milliseconds, and new ones wait for the fork.

A channel of asyncio has a thread inside gRPC for as long as it exists. One whose loop is closed
is of no use to anybody and is given up before the fork. One whose loop runs cannot be: the sync
client mostly works in such a child, asyncio never does, and the client says so.
"""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from types import TracebackType
from typing import Protocol

LONGEST_WAIT = 2.0
"""Seconds that a fork waits for calls, and calls for a fork; a call that hangs stops neither."""
SETTLING = 0.01
"""Seconds that gRPC's threads need to be done with a call whose answer is there already."""
POLLER = "_poll_wrapper"
"""In the name of the thread that gRPC keeps for asyncio, in every release so far."""


class Forking(Protocol):
    """What a client does about forks."""

    def _keeps_asyncio(self) -> bool: ...
    def _forget(self) -> None: ...


class Gate:
    """Counts the calls that are inside gRPC."""

    def __init__(self) -> None:
        # Reentrant: a signal handler may fork at any moment.
        self._lock = threading.RLock()
        self._moved = threading.Condition(self._lock)
        self._inside = 0
        self._left = 0.0
        self._forks = 0

    def __enter__(self) -> None:
        """A call goes in. It does not wait: gRPC's own threads come here too."""
        with self._lock:
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """It has come back."""
        with self._lock:
            self._inside -= 1
            self._left = time.monotonic()
            if self._forks:
                self._moved.notify_all()

    def let_forks_pass(self) -> None:
        """Waits if there is a fork that waits for calls; called before a call is prepared."""
        if self._forks:
            with self._lock:
                self._moved.wait_for(lambda: not self._forks, LONGEST_WAIT)

    def shut(self) -> None:
        """Waits until no call is inside, and keeps the lock: none goes in from here on."""
        self._lock.acquire()
        self._forks += 1
        self._moved.wait_for(lambda: self._inside <= 0, LONGEST_WAIT)
        time.sleep(max(0.0, self._left + SETTLING - time.monotonic()))

    def open(self) -> None:
        """The fork is done."""
        self._forks -= 1
        self._moved.notify_all()
        self._lock.release()


gate = Gate()
asyncio_is_lost = False
"""Whether this process is the child of one in which gRPC's asyncio was at work."""

_clients: weakref.WeakSet[Forking] = weakref.WeakSet()
_inherited: list[object] = []
_asyncio_works = False


def register(client: Forking) -> None:
    """Has the client told of forks as long as it lives."""
    _clients.add(client)


def keep(connection: object) -> None:
    """Keeps what the parent opened: to free it in the child would end calls of the parent."""
    if connection is not None:
        _inherited.append(connection)


def _before() -> None:
    global _asyncio_works  # noqa: PLW0603 a fork is one for the whole process
    gate.shut()
    kept = [client for client in list(_clients) if client._keeps_asyncio()]
    if _pollers() and not kept:
        gc.collect()  # closed channels are freed late: coalescers and calls refer to each other
        for thread in _pollers():
            thread.join(LONGEST_WAIT)
    _asyncio_works = bool(_pollers())


def _in_child() -> None:
    global gate, asyncio_is_lost  # noqa: PLW0603 a fork is one for the whole process
    gate = Gate()
    asyncio_is_lost = asyncio_is_lost or _asyncio_works
    for client in list(_clients):
        client._forget()


def _pollers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if POLLER in thread.name]


def _in_parent() -> None:
    gate.open()  # a child that forks in turn has another gate


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
