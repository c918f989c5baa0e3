"""Calls with their outcomes as the callers saw them, and intervals of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One call, with its outcome as the caller saw it."""

    start: float
    """Seconds since 1970, like the times of the history."""
    end: float
    version: int | None = None
    """The version that answered; None if the call failed."""
    correct: bool = False
    """Whether the answer was correct."""
    error: str = ""
    """The error; empty if the call succeeded."""
    caller: str = ""
    """The kind of caller."""
    through_router: bool = False
    """Whether it was sent to Envoy, and not to a server of the stable group."""

    @property
    def seconds(self) -> float:
        """Its duration."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval of time."""

    start: float
    end: float

    def overlaps(self, call: Call) -> bool:
        """Returns whether a call was in progress at any moment of the interval."""
        return self.start <= call.end and call.start <= self.end


def intervals_after(moments: Iterable[float], seconds: float) -> list[Interval]:
    """Returns an interval of this length after each moment; overlapping ones are merged."""
    found: list[Interval] = []
    for moment in sorted(moments):
        if found and moment <= found[-1].end:
            found[-1] = Interval(found[-1].start, moment + seconds)
        else:
            found.append(Interval(moment, moment + seconds))
    return found


def calls_within(calls: Iterable[Call], intervals: Sequence[Interval]) -> list[Call]:
    """Returns the calls that overlap any of the intervals."""
    return [call for call in calls if any(interval.overlaps(call) for interval in intervals)]
