"""Measures of a scenario: shares of the calls, rollbacks, and calls by second. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from seq2sum_serving.deployment.event_log import Event, EventKind
from seq2sum_serving.gates.quantile import MEDIAN, P99, quantile

from benchmarks.rollout.calls import Call
from benchmarks.rollout.history import Step, timestamp
from benchmarks.rollout.operations import CommandRun

POINT = 1.0
"""Allowed difference between a share and its weight, in points of percent."""
DEVIATIONS = 4
"""With fewer calls than for a point, a share may differ by this many standard deviations."""


@dataclass(frozen=True, slots=True)
class Share:
    """The candidate group's part of the calls in all steps of a weight, as Envoy counts them."""

    percent: float
    """The weight, or the part of the calls of which the group is to get copies."""
    mirror: bool
    """Whether the group gets copies."""
    calls: int
    candidate: int
    """The calls, or copies, that the group got."""

    @property
    def measured(self) -> float:
        """The part of the calls, in percent."""
        return 100 * self.candidate / self.calls if self.calls else math.nan

    @property
    def tolerance(self) -> float:
        """The allowed difference in points: more than a point only with few calls."""
        part = self.percent / 100
        deviation = math.sqrt(part * (1 - part) / max(self.calls, 1))
        return max(POINT, 100 * DEVIATIONS * deviation)

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance."""
        return abs(self.measured - self.percent) <= self.tolerance

    def __str__(self) -> str:
        """The weight, and the measured share."""
        kind = "copies" if self.mirror else "weight"
        return f"{kind} {self.percent:g} %: {self.measured:.2f} % of {self.calls:,}"


def shares(steps: Iterable[Step]) -> list[Share]:
    """Returns the share for each weight, over all steps with it."""
    found: dict[tuple[bool, float], list[int]] = {}
    for step in steps:
        mirror = step.mirror > 0
        counts = found.setdefault((not mirror, step.mirror or step.weight), [0, 0])
        counts[0] += step.stable if mirror else step.stable + step.candidate
        counts[1] += step.candidate
    return [
        Share(percent, not weight, *counts) for (weight, percent), counts in sorted(found.items())
    ]


@dataclass(frozen=True, slots=True)
class Rollback:
    """A rollback by an operator."""

    version: int
    """The version that lost its calls."""
    reported: float
    """Seconds that the command reports."""
    after_command: float
    """Seconds from the start of the command's process to the end of the last call that the version
    answered; 0 if it answered none."""
    after_event: float
    """The same from the event in the history, before the first change."""


def rollbacks(
    commands: Iterable[CommandRun], events: Sequence[Event], calls: Sequence[Call]
) -> list[Rollback]:
    """Returns the rollbacks that completed."""
    found = []
    for command in commands:
        version = command.result.output.get("rolled_back")
        if version is None:
            continue
        start = command.result.start
        last = max((call.end for call in calls if call.version == version), default=start)
        decided = min(
            timestamp(event)
            for event in events
            if event.kind == EventKind.ROLLED_BACK
            and event.version == version
            and timestamp(event) >= start
        )
        reported = float(command.result.output["seconds"])
        found.append(Rollback(version, reported, max(last - start, 0), max(last - decided, 0)))
    return found


@dataclass(frozen=True, slots=True)
class Second:
    """The calls that ended within one second."""

    second: int
    """Since the outsiders started."""
    by_version: dict[int, int]
    """Answered calls by version."""
    p50: float | None
    """Milliseconds, of all calls; None if there were none."""
    p99: float | None


def seconds(calls: Iterable[Call], start: float) -> list[Second]:
    """Returns the calls by second, without the last one, which is incomplete."""

    def second(call: Call) -> int:
        return int(call.end - start)

    by_second = {
        number: list(group) for number, group in groupby(sorted(calls, key=second), key=second)
    }
    return [
        summarize(number, by_second.get(number, [])) for number in range(max(by_second, default=0))
    ]


def summarize(second: int, calls: Sequence[Call]) -> Second:
    """Summarizes the calls of one second."""
    answered = Counter(call.version for call in calls if call.version is not None)
    times = (p50(calls), p99(calls)) if calls else (None, None)
    return Second(second, dict(sorted(answered.items())), *times)


def p50(calls: Iterable[Call]) -> float:
    """Returns the median latency in milliseconds."""
    return round(1000 * quantile([call.seconds for call in calls], MEDIAN), 2)


def p99(calls: Iterable[Call]) -> float:
    """Returns the 99th percentile of latency in milliseconds."""
    return round(1000 * quantile([call.seconds for call in calls], P99), 2)
