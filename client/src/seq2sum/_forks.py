"""Forks: no call is inside gRPC while a process forks, and channels stay with the parent.

gRPC works in a child process only if no thread was inside it at the fork, and its asyncio API only
if no asyncio channel was open: see "Forks" in docs/design-notes.md.
"""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from types import TracebackType
from typing import Protocol

MAX_WAIT = 2.0
"""Longest wait, in seconds, of a fork for running calls, and of a new call for a fork."""
SETTLE_SECONDS = 0.01
"""Time that gRPC's threads need to leave a call whose reply has arrived."""
POLLER = "_poll_wrapper"
"""Part of the name of the thread that gRPC keeps for asyncio, in every release so far."""


class ForkAware(Protocol):
    """An object with state that must not be used in a forked child."""

    def _has_aio_channel(self) -> bool: ...
    def _reset_after_fork(self) -> None: ...


class Gate:
    """Counts the calls inside gRPC, and holds new ones back during a fork."""

    def __init__(self) -> None:
        # Reentrant, because a signal handler may fork at any moment.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._inside = 0
        self._last_exit = 0.0
        self._forks = 0

    def __enter__(self) -> None:
        """Counts a call. Does not wait for forks, because gRPC's own threads enter too."""
        with self._lock:
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Counts a call as ended."""
        with self._lock:
            self._inside -= 1
            self._last_exit = time.monotonic()
            if self._forks:
                self._changed.notify_all()

    def wait_for_forks(self) -> None:
        """Waits while a fork is pending or in progress. Called before a call is prepared."""
        if self._forks:
            with self._lock:
                self._changed.wait_for(lambda: not self._forks, MAX_WAIT)

    def close(self) -> None:
        """Waits until no call is inside, and keeps the lock so that none enters."""
        self._lock.acquire()
        self._forks += 1
        self._changed.wait_for(lambda: self._inside <= 0, MAX_WAIT)
        time.sleep(max(0.0, self._last_exit + SETTLE_SECONDS - time.monotonic()))

    def open(self) -> None:
        """Lets calls enter after a fork."""
        self._forks -= 1
        self._changed.notify_all()
        self._lock.release()


gate = Gate()
aio_unusable = False
"""Whether this process was forked from one in which gRPC's asyncio was in use."""

_fork_aware: weakref.WeakSet[ForkAware] = weakref.WeakSet()
_inherited: list[object] = []
_aio_in_use = False


def register(obj: ForkAware) -> None:
    """Makes forks reset this object in the child, as long as it exists."""
    _fork_aware.add(obj)


def keep(connection: object) -> None:
    """Keeps a connection of the parent: freeing it in the child would end the parent's calls."""
    if connection is not None:
        _inherited.append(connection)


def _before() -> None:
    global _aio_in_use  # noqa: PLW0603 forks concern the whole process
    gate.close()
    open_channels = [each for each in list(_fork_aware) if each._has_aio_channel()]
    if _pollers() and not open_channels:
        gc.collect()  # frees closed channels: coalescers and calls form reference cycles
        for thread in _pollers():
            thread.join(MAX_WAIT)
    _aio_in_use = bool(_pollers())


def _in_child() -> None:
    global gate, aio_unusable  # noqa: PLW0603 forks concern the whole process
    gate = Gate()
    aio_unusable = aio_unusable or _aio_in_use
    for each in list(_fork_aware):
        each._reset_after_fork()


def _pollers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if POLLER in thread.name]


def _in_parent() -> None:
    gate.open()  # looked up here: a child that forks in turn has another gate


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
