"""Waiting for what a server does not have yet: a version that serves, or room for a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import grpc

from seq2sum._calls import Call, serving, statuses
from seq2sum._deadline import Deadline, patience, pauses
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

LONGEST_POLL = 5.0
"""Seconds for one question to the server; one that hangs is asked again."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds between polls."""
MOST_REFUSALS = 20
"""How often a bulk call that has no deadline asks an overloaded server again."""
NOT_YET = (Unavailable, ModelNotFound, VersionNotFound, Overloaded, DeadlineExceeded)
"""What a server may say that will be ready."""


class Awaited:
    """What is waited for, and what was last heard of it."""

    def __init__(self, servable: Servable, deadline: Deadline, *, target: str) -> None:
        self._servable = servable
        self._deadline = deadline
        self._target = target
        self._last = "nothing was heard"

    def poll(self) -> tuple[Call[list[VersionStatus]], float]:
        """The call to make, and the seconds for it."""
        # GetModelStatus knows no labels, on any server: a label is asked by its own call.
        call = (
            serving(self._servable)
            if self._servable.label is not None
            else statuses(self._servable)
        )
        remaining = self._deadline.remaining()
        return call, LONGEST_POLL if remaining is None else min(remaining, LONGEST_POLL)

    def refused(self, error: Seq2SumError) -> None:
        """Takes note of an error that may pass; raises any other."""
        if not isinstance(error, NOT_YET):
            raise error
        self._last = error.details if isinstance(error, CallError) else str(error)

    def found(self, answer: Sequence[VersionStatus]) -> VersionStatus | None:
        """The version that serves, the newest one; None if none does yet."""
        for entry in answer:
            if entry.state is State.AVAILABLE:
                return entry
        states = [f"version {e.version} {e.state.name} {e.error}".rstrip() for e in answer]
        self._last = "; ".join(states) or "no versions"
        return None

    def check(self, pause: float) -> None:
        """Gives up if there is no time for another pause.

        Raises:
            DeadlineExceeded: It says what was last heard.
        """
        remaining = self._deadline.remaining()
        if remaining is not None and remaining <= pause:
            raise DeadlineExceeded(
                f"not AVAILABLE in time; last heard: {self._last}",
                code=grpc.StatusCode.DEADLINE_EXCEEDED,
                target=self._target,
                servable=self._servable,
            )


def poll_pauses() -> Iterator[float]:
    """Seconds between polls for a version."""
    return pauses(first=FIRST_PAUSE, longest=LONGEST_PAUSE)


def overload_pauses(deadline: Deadline) -> Iterator[float | None]:
    """Seconds before a refused call of many questions is made again; None for no more."""
    return patience(deadline, first=FIRST_PAUSE, longest=LONGEST_PAUSE, most=MOST_REFUSALS)
