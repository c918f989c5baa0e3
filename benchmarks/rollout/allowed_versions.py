"""Determines from the rollout history which versions may answer, and when.

Callers use the labels `stable` and `canary`. A version may answer as soon as an event gives it one
of these labels. After the next label move it may still answer until the event that follows the
move: a rollout writes no event until every replica has applied the move.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from seq2sum_serving.deployment.event_log import Event, EventKind
from seq2sum_serving.deployment.state import CANARY, STABLE

from benchmarks.rollout.calls import Call, Interval

LABELS = EventKind.LABELS_SET
"""The event that moves labels."""
ASPIRED = EventKind.VERSIONS_SET
"""The event that changes which versions are loaded."""


def timestamp(event: Event) -> float:
    """Returns the time of an event in seconds since 1970."""
    return datetime.fromisoformat(event.time).timestamp()


def allowed_intervals(events: Sequence[Event]) -> dict[int, list[Interval]]:
    """Returns the intervals in which each version may answer."""
    moves = [index for index, event in enumerate(events) if event.kind == LABELS]
    found: dict[int, list[Interval]] = defaultdict(list)
    for index, next_move in pairwise([*moves, len(events)]):
        followed = next_move + 1
        end = timestamp(events[followed]) if followed < len(events) else math.inf
        labels = events[index].details
        for version in {labels[label] for label in (STABLE, CANARY) if label in labels}:
            found[version].append(Interval(timestamp(events[index]), end))
    return dict(found)


def disallowed_answers(
    calls: Iterable[Call], intervals: Mapping[int, Sequence[Interval]]
) -> list[Call]:
    """Returns the calls that a version answered outside its intervals."""
    return [
        call
        for call in calls
        if call.version is not None
        and not any(interval.overlaps(call) for interval in intervals.get(call.version, ()))
    ]


def swaps(events: Iterable[Event]) -> list[Event]:
    """Returns the events that moved `stable` from one version to another."""
    stables = [event for event in events if event.kind == LABELS and STABLE in event.details]
    return [
        event
        for before, event in pairwise(stables)
        if before.details[STABLE] != event.details[STABLE]
    ]
