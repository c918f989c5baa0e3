"""Which concurrent questions go together, and when: the pure half of coalescing.

A call costs a hundred times what a question in it does. So single questions that are asked
at the same time share calls, by three rules. A question never waits while no call is under
way. While one is, questions gather until it comes back, until there is a whole call of them,
or until the oldest has waited for `delay`. Who came first goes first.

The queue is told the time and calls nothing; threads and tasks are its two edges.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from seq2sum._how import Route
from seq2sum._numbers import LONGEST, seconds, whole
from seq2sum.addition.answers import Question
from seq2sum.addition.chunks import BYTES_PER_CALL, ROWS_PER_CALL


@dataclass(frozen=True, slots=True)
class Coalesce:
    """How concurrent single questions are merged into calls.

    Raises:
        ValueError: A limit below 1, or a delay that is not a finite number of seconds.
    """

    rows: int = 1024
    """Questions in one call at most."""
    delay: float = 0.005
    """Seconds that a question waits at most before its call is made, if calls are allowed."""
    calls: int = 2
    """Merged calls under way at most: the server works on one while another travels."""
    waiting: int = 10_000
    """Questions that may wait; one more is refused with Overloaded instead of kept in memory."""

    def __post_init__(self) -> None:
        values = {
            "rows": whole("rows", self.rows, least=1, most=ROWS_PER_CALL),
            "delay": seconds("delay", self.delay, most=LONGEST),
            "calls": whole("calls", self.calls, least=1),
            "waiting": whole("waiting", self.waiting, least=1),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)


class Place:
    """One question in the queue. The edges extend it by what wakes the caller."""

    __slots__ = ("encoded", "moment", "question", "route", "since")

    def __init__(
        self,
        question: Question,
        encoded: bytes,
        route: Route,
        *,
        since: float,
        moment: float | None,
    ) -> None:
        self.question = question
        self.encoded = encoded
        self.route = route
        """What must be equal for questions to share a call."""
        self.since = since
        """When it was asked, on the monotonic clock."""
        self.moment = moment
        """When its caller's deadline is, on the same clock; None for none."""


class Queue:
    """Who waits and what is under way. One thread at a time may use it."""

    def __init__(self, limits: Coalesce) -> None:
        self._limits = limits
        # By route; in each the places in the order in which they came, as an ordered set.
        self._groups: dict[Route, OrderedDict[Place, None]] = {}
        self._waiting = 0
        self._under_way = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._waiting

    def __contains__(self, place: Place) -> bool:
        """Whether this question still waits."""
        return place in self._groups.get(place.route, ())

    def join(self, place: Place) -> bool:
        """Puts a question last; False if too many wait already."""
        if self._waiting >= self._limits.waiting:
            return False
        self._groups.setdefault(place.route, OrderedDict())[place] = None
        self._waiting += 1
        return True

    def leave(self, place: Place) -> None:
        """Takes a question back, if it is still waiting."""
        group = self._groups.get(place.route)
        if group is None or place not in group:
            return
        del group[place]
        self._waiting -= 1
        if not group:
            del self._groups[place.route]

    def take(self, now: float) -> list[Place]:
        """The questions of the call to make now, counted as under way; none for no call.

        The group goes whose first question is the oldest, so that no route starves another.
        """
        group = self._oldest()
        if group is None or not self._may_go(group, now):
            return []
        batch: list[Place] = []
        size = 0
        while group and len(batch) < self._limits.rows:
            place = next(iter(group))
            size += len(place.encoded)
            if batch and size > BYTES_PER_CALL:
                break
            group.popitem(last=False)
            batch.append(place)
        self._waiting -= len(batch)
        self._under_way += 1
        if not group:
            del self._groups[batch[0].route]
        return batch

    def drain(self) -> list[Place]:
        """Takes everybody out: no call is made for them any more."""
        places = [place for group in self._groups.values() for place in group]
        self._groups.clear()
        self._waiting = 0
        return places

    def ended(self) -> None:
        """A call that was taken has come back."""
        self._under_way -= 1

    def next_due(self) -> tuple[Place, float] | None:
        """The question that goes next though no call comes back, and when; None for none."""
        group = self._oldest()
        if group is None or self._under_way >= self._limits.calls:
            return None
        place = next(iter(group))
        return place, place.since + self._limits.delay

    def _oldest(self) -> OrderedDict[Place, None] | None:
        return min(self._groups.values(), key=lambda group: next(iter(group)).since, default=None)

    def _may_go(self, group: OrderedDict[Place, None], now: float) -> bool:
        if not self._under_way:
            return True
        if self._under_way >= self._limits.calls:
            return False
        return (
            len(group) >= self._limits.rows or now >= next(iter(group)).since + self._limits.delay
        )


def latest(batch: Iterable[Place]) -> float | None:
    """The moment by which a call for all of these must be back: the last of their deadlines."""
    moments = [place.moment for place in batch]
    known = [moment for moment in moments if moment is not None]
    return max(known) if len(known) == len(moments) else None
