"""Determines from the rollout history which versions may answer, where and when.

In the stable group a version may answer from the event `promoted` on, and no longer once the labels
are on another version everywhere. Through the router, the candidate group's version may answer too
while it has a share.

A change is complete at the next event of the same command: a command writes no event until every
server, or Envoy, has made the change. If the command was killed, the change is complete at the end
of the next command that was not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from seq2sum_serving.deployment.event_log import Event, EventKind
from seq2sum_serving.deployment.state import CANARY, STABLE

from benchmarks.rollout.calls import Call, Interval
from benchmarks.rollout.deployment import CommandResult
from benchmarks.rollout.history import timestamp

LABELS = EventKind.LABELS_SET
"""The event that moves labels in the stable group."""
WEIGHTS = EventKind.WEIGHTS_SET
WITHDRAWN = (EventKind.ROLLED_BACK, EventKind.FAILED, EventKind.ABORTED)
Intervals = Mapping[int, Sequence[Interval]]
"""By version, when it may answer."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """When each version may answer."""

    stable_group: Intervals
    candidate_group: Intervals

    def permits(self, call: Call) -> bool:
        """Returns whether the version that answered a call was allowed to."""
        groups = [self.stable_group, *([self.candidate_group] if call.through_router else [])]
        return any(
            interval.overlaps(call)
            for group in groups
            for interval in group.get(call.version if call.version is not None else -1, ())
        )


def allowed(events: Sequence[Event], commands: Sequence[CommandResult]) -> Allowed:
    """Returns when each version may answer.

    Args:
        events: The history.
        commands: All commands that changed something, in order.
    """
    complete = _Completion(events, commands)
    return Allowed(_in_stable_group(events, complete), _in_candidate_group(events, complete))


def disallowed_answers(calls: Iterable[Call], allowed: Allowed) -> list[Call]:
    """Returns the calls that were answered by a version that may not answer there and then."""
    return [call for call in calls if call.version is not None and not allowed.permits(call)]


def swaps(events: Iterable[Event]) -> list[Event]:
    """Returns the events that moved `stable` from one version to another."""
    stables = [event for event in events if event.kind == LABELS and STABLE in event.details]
    return [
        event
        for before, event in pairwise(stables)
        if before.details[STABLE] != event.details[STABLE]
    ]


@dataclass(frozen=True, slots=True)
class _Completion:
    events: Sequence[Event]
    commands: Sequence[CommandResult]

    def of_change(self, index: int) -> float:
        """Returns when the change of an event was complete."""
        if index + 1 < len(self.events):
            command = self._command(index)
            if command is not None and self._command(index + 1) == command:
                return timestamp(self.events[index + 1])
        return self.of_command(index)

    def of_command(self, index: int) -> float:
        """Returns when the command of an event ended, or the one that resumed it."""
        command = self._command(index)
        if command is None:
            return math.inf
        return next((each.end for each in self.commands[command:] if not each.killed), math.inf)

    def _command(self, index: int) -> int | None:
        """Returns the index of the command that wrote an event; None if it still runs."""
        time = timestamp(self.events[index])
        found = (number for number, each in enumerate(self.commands) if time <= each.end)
        return next(found, None)


class _Intervals:
    """Intervals by version, of which the last one of each may be open."""

    def __init__(self) -> None:
        self.found: dict[int, list[Interval]] = {}

    def begin(self, version: int, start: float) -> None:
        """Begins an interval, or goes on with one that has not ended by then."""
        intervals = self.found.setdefault(version, [])
        if intervals and intervals[-1].end >= start:
            start = intervals.pop().start
        intervals.append(Interval(start, math.inf))

    def end(self, version: int, moment: float) -> None:
        """Ends the last interval, unless it ends earlier."""
        if last := self.found.get(version, [])[-1:]:
            self.found[version][-1] = Interval(last[0].start, min(last[0].end, moment))


def _in_stable_group(events: Sequence[Event], complete: _Completion) -> Intervals:
    intervals, decision = _Intervals(), -math.inf
    for index, event in enumerate(events):
        if event.kind == LABELS:
            stable = event.details[STABLE]
            intervals.begin(stable, decision)
            for version in intervals.found.keys() - {stable}:
                intervals.end(version, complete.of_change(index))
        elif event.version is None:
            continue
        elif event.kind == EventKind.PROMOTED:
            decision = timestamp(event)
            intervals.begin(event.version, decision)
        elif event.kind in WITHDRAWN:
            decision = timestamp(event)
            intervals.end(event.version, complete.of_command(index))
    return intervals.found


def _in_candidate_group(events: Sequence[Event], complete: _Completion) -> Intervals:
    found: dict[int, list[Interval]] = {}
    version, share = -1, None
    for index, event in enumerate(events):
        if event.kind == EventKind.CANDIDATE_SET:
            version = event.details["labels"][STABLE]
        elif event.kind == WEIGHTS:
            if share is not None:
                holder, start = share
                interval = Interval(start, complete.of_change(index))
                found.setdefault(holder, []).append(interval)
            share = (version, timestamp(event)) if event.details.get(CANARY) else None
    if share is not None:
        found.setdefault(share[0], []).append(Interval(share[1], math.inf))
    return found
