"""Which versions were allowed to answer at which moment, as the history tells it.

Callers ask for `stable` and `canary`. A version may answer from the line on that gives it one of
these labels. When the next line moves them, it may answer until the line after that: a rollout
writes nothing more before every replica has followed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from rollouts.ledger import Call
from rollouts.spans import Span
from seq2sum_serving.rollout.history import Event
from seq2sum_serving.rollout.state import CANARY, STABLE

LABELS = "labels"
"""The event that moves labels."""
ASPIRED = "aspired"
"""The event that has versions loaded and unloaded."""


def moment(event: Event) -> float:
    """When it was, in seconds since 1970."""
    return datetime.fromisoformat(event.when).timestamp()


def allowed(events: Sequence[Event]) -> dict[int, list[Span]]:
    """By version, when it was allowed to answer."""
    moves = [place for place, event in enumerate(events) if event.what == LABELS]
    found: dict[int, list[Span]] = defaultdict(list)
    for place, following in pairwise([*moves, len(events)]):
        done = following + 1
        end = moment(events[done]) if done < len(events) else math.inf
        figures = events[place].figures
        for version in {figures[label] for label in (STABLE, CANARY) if label in figures}:
            found[version].append(Span(moment(events[place]), end))
    return dict(found)


def strays(calls: Iterable[Call], spans: Mapping[int, Sequence[Span]]) -> list[Call]:
    """The calls that a version answered while it was not allowed to."""
    return [
        call
        for call in calls
        if call.version is not None
        and not any(span.meets(call) for span in spans.get(call.version, ()))
    ]


def swaps(events: Iterable[Event]) -> list[Event]:
    """The events that gave `stable` to another version than the one that had it."""
    stables = [event for event in events if event.what == LABELS and STABLE in event.figures]
    return [
        event
        for before, event in pairwise(stables)
        if before.figures[STABLE] != event.figures[STABLE]
    ]
