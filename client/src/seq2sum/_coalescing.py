"""The queue of coalescing: decides which concurrent requests share a call, and when it is sent.

A call costs a hundred times as much as a row in it, so requests that are made concurrently share
calls, by three rules. With no call in flight, a request is sent at once. Otherwise requests gather
until a call returns, until they fill a call, or until the oldest has waited for `max_delay`. The
oldest request is sent first.

The queue does no I/O and reads no clock; the coalescers for threads and tasks do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from seq2sum._calls import BYTES_PER_CALL, ROWS_PER_CALL, CallFactory
from seq2sum._numbers import LONGEST, integer, seconds
from seq2sum._options import CallTarget


@dataclass(frozen=True, slots=True)
class Coalescing:
    """Limits for merging concurrent requests into calls: questions, or the inputs of `predict`.

    Raises:
        ValueError: A limit is below 1, or the delay is not a finite number of seconds.
        TypeError: A value is not a number.
    """

    max_batch: int = 1024
    """Maximum number of questions or rows in one call."""
    max_delay: float = 0.005
    """Maximum seconds that a request waits, unless `max_in_flight` calls are in flight."""
    max_in_flight: int = 2
    """Maximum number of merged calls in flight: the server works on one while another travels."""
    max_pending: int = 10_000
    """Maximum number of waiting requests, which bounds memory; further ones raise Overloaded."""

    def __post_init__(self) -> None:
        values = {
            "max_batch": integer("max_batch", self.max_batch, least=1, most=ROWS_PER_CALL),
            "max_delay": seconds("max_delay", self.max_delay, most=LONGEST),
            "max_in_flight": integer("max_in_flight", self.max_in_flight, least=1),
            "max_pending": integer("max_pending", self.max_pending, least=1),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)


class Merging(Protocol):
    """Merges requests of one kind into a call, and divides its reply."""

    def merged(self, items: list[Any]) -> CallFactory[Any]:
        """Returns the call for several requests."""

    def results(self, items: list[Any], reply: Any) -> Sequence[Any]:
        """Returns the result of each request."""


class Request(NamedTuple):
    """One request as its caller makes it. A tuple, because one is created for each question."""

    item: Any
    """Its content, for `merging`."""
    merging: Merging
    """Merges it with others of its group."""
    group: Hashable
    """Equal for requests that may share a call: it includes their target."""
    size: int
    """Bytes of its rows."""
    rows: int = 1
    """Its number of rows."""


class QueuedRequest:
    """One request in the queue. Coalescers add the means to wake its caller.

    Args:
        request: The request.
        target: The target of its call.
        queued_at: When it was made, on the monotonic clock.
        expires_at: Its caller's deadline, on the same clock; None for no deadline.
    """

    __slots__ = ("expires_at", "group", "queued_at", "request", "target")

    def __init__(
        self,
        request: Request,
        target: CallTarget,
        *,
        queued_at: float,
        expires_at: float | None,
    ) -> None:
        self.request = request
        self.group = request.group
        self.target = target
        self.queued_at = queued_at
        self.expires_at = expires_at


class Group:
    """The waiting requests that may share a call."""

    __slots__ = ("requests", "rows")

    def __init__(self) -> None:
        self.requests: OrderedDict[QueuedRequest, None] = OrderedDict()
        """In order of arrival, as an ordered set."""
        self.rows = 0
        """The rows of all of them."""

    def oldest(self) -> QueuedRequest:
        """Returns the request that has waited longest."""
        return next(iter(self.requests))

    def add(self, request: QueuedRequest) -> None:
        """Appends a request."""
        self.requests[request] = None
        self.rows += request.request.rows

    def remove(self, request: QueuedRequest) -> None:
        """Removes a request."""
        del self.requests[request]
        self.rows -= request.request.rows


class Queue:
    """The requests that wait, and the number of merged calls in flight. Not thread-safe."""

    def __init__(self, limits: Coalescing) -> None:
        self._limits = limits
        self._groups: dict[Hashable, Group] = {}
        self._pending = 0
        self._in_flight = 0

    def __len__(self) -> int:
        """The number of requests that wait."""
        return self._pending

    def __contains__(self, request: QueuedRequest) -> bool:
        """Whether this request still waits."""
        group = self._groups.get(request.group)
        return group is not None and request in group.requests

    def add(self, request: QueuedRequest) -> bool:
        """Appends a request; returns False if too many wait already."""
        if self._pending >= self._limits.max_pending:
            return False
        group = self._groups.get(request.group)
        if group is None:
            group = self._groups[request.group] = Group()
        group.add(request)
        self._pending += 1
        return True

    def remove(self, request: QueuedRequest) -> None:
        """Removes a request if it still waits."""
        group = self._groups.get(request.group)
        if group is None or request not in group.requests:
            return
        group.remove(request)
        self._pending -= 1
        if not group.requests:
            del self._groups[request.group]

    def take(self, now: float) -> list[QueuedRequest]:
        """Returns the requests of the call to send now, and counts it as in flight.

        Empty if no call is due. The group with the oldest request is served first, so that none
        starves.
        """
        group = self._oldest_group()
        if group is None or not self._is_due(group, now):
            return []
        batch: list[QueuedRequest] = []
        size = rows = 0
        while group.requests and rows < self._limits.max_batch:
            request = group.oldest()
            size += request.request.size
            rows += request.request.rows
            if batch and (size > BYTES_PER_CALL or rows > self._limits.max_batch):
                break
            group.remove(request)
            batch.append(request)
        self._pending -= len(batch)
        self._in_flight += 1
        if not group.requests:
            del self._groups[batch[0].group]
        return batch

    def drain(self) -> list[QueuedRequest]:
        """Removes and returns all requests."""
        requests = [request for group in self._groups.values() for request in group.requests]
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
        request = group.oldest()
        return request, request.queued_at + self._limits.max_delay

    def _oldest_group(self) -> Group | None:
        groups = self._groups.values()
        return min(groups, key=lambda group: group.oldest().queued_at, default=None)

    def _is_due(self, group: Group, now: float) -> bool:
        if not self._in_flight:
            return True
        if self._in_flight >= self._limits.max_in_flight:
            return False
        return (
            group.rows >= self._limits.max_batch
            or now >= group.oldest().queued_at + self._limits.max_delay
        )


def latest_deadline(batch: Iterable[QueuedRequest]) -> float | None:
    """Returns the last deadline of the requests, for their call; None if one has no deadline."""
    times = [request.expires_at for request in batch]
    known = [time for time in times if time is not None]
    return max(known) if len(known) == len(times) else None
