"""The queue of coalescing: decides which concurrent questions share a call, and when it is sent.

A call costs a hundred times as much as a question in it, so questions that are asked concurrently
share calls, by three rules. With no call in flight, a question is sent at once. Otherwise questions
gather until a call returns, until they fill a call, or until the oldest has waited for `max_delay`.
The oldest question is sent first.

The queue does no I/O and reads no clock; the coalescers for threads and tasks do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from seq2sum._calls import BYTES_PER_CALL, ROWS_PER_CALL
from seq2sum._numbers import LONGEST, integer, seconds
from seq2sum._options import CallTarget


@dataclass(frozen=True, slots=True)
class Coalescing:
    """Limits for merging concurrent single questions into calls.

    Raises:
        ValueError: A limit is below 1, or the delay is not a finite number of seconds.
        TypeError: A value is not a number.
    """

    max_batch: int = 1024
    """Maximum number of questions in one call."""
    max_delay: float = 0.005
    """Maximum seconds that a question waits, unless `max_in_flight` calls are in flight."""
    max_in_flight: int = 2
    """Maximum number of merged calls in flight: the server works on one while another travels."""
    max_pending: int = 10_000
    """Maximum number of waiting questions, which bounds memory; further ones raise Overloaded."""

    def __post_init__(self) -> None:
        values = {
            "max_batch": integer("max_batch", self.max_batch, least=1, most=ROWS_PER_CALL),
            "max_delay": seconds("max_delay", self.max_delay, most=LONGEST),
            "max_in_flight": integer("max_in_flight", self.max_in_flight, least=1),
            "max_pending": integer("max_pending", self.max_pending, least=1),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)


class QueuedRequest:
    """One question in the queue. Coalescers add the means to wake its caller.

    Args:
        question: The question as the caller gave it.
        encoded: Its bytes on the wire.
        target: Must be equal for questions to share a call.
        queued_at: When it was asked, on the monotonic clock.
        expires_at: Its caller's deadline, on the same clock; None for no deadline.
    """

    __slots__ = ("encoded", "expires_at", "question", "queued_at", "target")

    def __init__(
        self,
        question: str | bytes,
        encoded: bytes,
        target: CallTarget,
        *,
        queued_at: float,
        expires_at: float | None,
    ) -> None:
        self.question = question
        self.encoded = encoded
        self.target = target
        self.queued_at = queued_at
        self.expires_at = expires_at


class Queue:
    """The requests that wait, and the number of merged calls in flight. Not thread-safe."""

    def __init__(self, limits: Coalescing) -> None:
        self._limits = limits
        # By target; the requests of each in order of arrival, as an ordered set.
        self._groups: dict[CallTarget, OrderedDict[QueuedRequest, None]] = {}
        self._pending = 0
        self._in_flight = 0

    def __len__(self) -> int:
        """The number of requests that wait."""
        return self._pending

    def __contains__(self, request: QueuedRequest) -> bool:
        """Whether this request still waits."""
        return request in self._groups.get(request.target, ())

    def add(self, request: QueuedRequest) -> bool:
        """Appends a request; returns False if too many wait already."""
        if self._pending >= self._limits.max_pending:
            return False
        self._groups.setdefault(request.target, OrderedDict())[request] = None
        self._pending += 1
        return True

    def remove(self, request: QueuedRequest) -> None:
        """Removes a request if it still waits."""
        group = self._groups.get(request.target)
        if group is None or request not in group:
            return
        del group[request]
        self._pending -= 1
        if not group:
            del self._groups[request.target]

    def take(self, now: float) -> list[QueuedRequest]:
        """Returns the requests of the call to send now, and counts it as in flight.

        Empty if no call is due. The target with the oldest request is served first, so that none
        starves.
        """
        group = self._oldest_group()
        if group is None or not self._is_due(group, now):
            return []
        batch: list[QueuedRequest] = []
        size = 0
        while group and len(batch) < self._limits.max_batch:
            request = next(iter(group))
            size += len(request.encoded)
            if batch and size > BYTES_PER_CALL:
                break
            group.popitem(last=False)
            batch.append(request)
        self._pending -= len(batch)
        self._in_flight += 1
        if not group:
            del self._groups[batch[0].target]
        return batch

    def drain(self) -> list[QueuedRequest]:
        """Removes and returns all requests."""
        requests = [request for group in self._groups.values() for request in group]
        self._groups.clear()
        self._pending = 0
        return requests

    def call_ended(self) -> None:
        """Counts a call that `take` started as ended."""
        self._in_flight -= 1

    def next_due(self) -> tuple[QueuedRequest, float] | None:
        """Returns the next request, and when its delay ends; None if no call may be sent."""
        group = self._oldest_group()
        if group is None or self._in_flight >= self._limits.max_in_flight:
            return None
        request = next(iter(group))
        return request, request.queued_at + self._limits.max_delay

    def _oldest_group(self) -> OrderedDict[QueuedRequest, None] | None:
        groups = self._groups.values()
        return min(groups, key=lambda group: next(iter(group)).queued_at, default=None)

    def _is_due(self, group: OrderedDict[QueuedRequest, None], now: float) -> bool:
        if not self._in_flight:
            return True
        if self._in_flight >= self._limits.max_in_flight:
            return False
        return (
            len(group) >= self._limits.max_batch
            or now >= next(iter(group)).queued_at + self._limits.max_delay
        )


def latest_deadline(batch: Iterable[QueuedRequest]) -> float | None:
    """Returns the last deadline of the requests, for their call; None if one has no deadline."""
    times = [request.expires_at for request in batch]
    known = [time for time in times if time is not None]
    return max(known) if len(known) == len(times) else None
