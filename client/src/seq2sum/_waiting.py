"""Waiting for a server: until a version is AVAILABLE, or until an overloaded one accepts a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import grpc

from seq2sum._calls import Call, serving_version, statuses
from seq2sum._deadline import Deadline, backoff, limited_backoff
from seq2sum._errors import (
    CallError,
    DeadlineExceeded,
    ModelNotFound,
    Overloaded,
    Seq2SumError,
    Unavailable,
    VersionNotFound,
)
from seq2sum._servable import Servable
from seq2sum._versions import State, VersionStatus

POLL_TIMEOUT = 5.0
"""Seconds for one poll; a server that hangs is polled again."""
INITIAL_BACKOFF, MAX_BACKOFF = 0.05, 1.0
"""Seconds between polls, and between attempts of a bulk call."""
MAX_RETRIES = 20
"""Retries of a refused bulk call, however much time is left."""
NOT_READY = (Unavailable, ModelNotFound, VersionNotFound, Overloaded, DeadlineExceeded)
"""Errors of a server that may become ready."""


class AvailabilityWait:
    """Decides what to poll next, and whether to go on. The clients do the I/O and the sleeping."""

    def __init__(self, servable: Servable, deadline: Deadline, *, target: str) -> None:
        self._servable = servable
        self._deadline = deadline
        self._target = target
        self._pauses = backoff(initial=INITIAL_BACKOFF, longest=MAX_BACKOFF)
        self._last_status = "no reply yet"

    def poll(self) -> tuple[Call[list[VersionStatus]], Deadline]:
        """Returns the call to make, and its deadline."""
        # GetModelStatus ignores labels, on any server; GetModelMetadata resolves them.
        call = (
            serving_version(self._servable)
            if self._servable.label is not None
            else statuses(self._servable)
        )
        remaining = self._deadline.remaining()
        return call, Deadline(POLL_TIMEOUT if remaining is None else min(remaining, POLL_TIMEOUT))

    def failed(self, error: Seq2SumError) -> None:
        """Records an error of a server that may become ready; raises any other."""
        if not isinstance(error, NOT_READY):
            raise error
        self._last_status = error.details if isinstance(error, CallError) else str(error)

    def available(self, versions: Sequence[VersionStatus]) -> VersionStatus | None:
        """Returns the newest version that is AVAILABLE; None if there is none yet."""
        for entry in versions:
            if entry.state is State.AVAILABLE:
                return entry
        states = [f"version {e.version} {e.state.name} {e.error}".rstrip() for e in versions]
        self._last_status = "; ".join(states) or "no versions"
        return None

    def next_pause(self) -> float:
        """Returns the seconds to wait before the next poll.

        Raises:
            DeadlineExceeded: No time is left for that; the message has the last status.
        """
        pause = next(self._pauses)
        remaining = self._deadline.remaining()
        if remaining is not None and remaining <= pause:
            raise DeadlineExceeded(
                f"not AVAILABLE in time; last status: {self._last_status}",
                code=grpc.StatusCode.DEADLINE_EXCEEDED,
                target=self._target,
                servable=self._servable,
            )
        return pause


def overload_backoff(deadline: Deadline) -> Iterator[float]:
    """Yields the seconds before each retry of a bulk call that was refused for overload."""
    return limited_backoff(
        deadline, initial=INITIAL_BACKOFF, longest=MAX_BACKOFF, retries=MAX_RETRIES
    )
