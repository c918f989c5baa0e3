"""Spans of time, and which calls were in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rollouts.ledger import Call


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment to another, both included."""

    begin: float
    end: float

    def meets(self, call: Call) -> bool:
        """Whether any moment of a call is in it."""
        return self.begin <= call.end and call.begin <= self.end


def after(moments: Iterable[float], seconds: float) -> list[Span]:
    """A span of so many seconds after each moment; those that touch are one."""
    found: list[Span] = []
    for moment in sorted(moments):
        if found and moment <= found[-1].end:
            found[-1] = Span(found[-1].begin, moment + seconds)
        else:
            found.append(Span(moment, moment + seconds))
    return found


def within(calls: Iterable[Call], spans: Sequence[Span]) -> list[Call]:
    """The calls that meet any of the spans."""
    return [call for call in calls if any(span.meets(call) for span in spans)]
