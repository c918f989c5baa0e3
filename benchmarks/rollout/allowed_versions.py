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
from datetime import datetime
from itertools import pairwise

from seq2sum_serving.deployment.event_log import Event, EventKind
from seq2sum_serving.deployment.state import CANARY, STABLE

from benchmarks.rollout.calls import Call, Interval
from benchmarks.rollout.deployment import CommandResult

LABELS = EventKind.LABELS_SET
"""The event that moves labels in the stable group."""
WEIGHTS = EventKind.WEIGHTS_SET
TAKEN_BACK = (EventKind.ROLLED_BACK, EventKind.FAILED, EventKind.ABORTED)
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


def timestamp(event: Event) -> float:
    """Returns the time of an event in seconds since 1970."""
    return datetime.fromisoformat(event.time).timestamp()


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


def _in_stable_group(events: Sequence[Event], complete: _Completion) -> Intervals:
    found: dict[int, list[Interval]] = {}

    def begin(version: int, start: float) -> None:
        intervals = found.setdefault(version, [])
        if not intervals or intervals[-1].end < start:
            intervals.append(Interval(start, math.inf))
        elif intervals[-1].end < math.inf:  # it was about to end
            intervals[-1] = Interval(intervals[-1].start, math.inf)

    def end(version: int, moment: float) -> None:
        last = found[version][-1]
        found[version][-1] = Interval(last.start, min(last.end, moment))

    decision = -math.inf
    for index, event in enumerate(events):
        time = timestamp(event)
        if event.kind == EventKind.PROMOTED and event.version is not None:
            decision = time
            begin(event.version, time)
        elif event.kind in TAKEN_BACK:
            decision = time
            if event.version in found:
                end(event.version, complete.of_command(index))
        elif event.kind == LABELS:
            stable = event.details[STABLE]
            begin(stable, decision)
            for version in found.keys() - {stable}:
                end(version, complete.of_change(index))
    return found


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
