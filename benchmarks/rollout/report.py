"""The checks, table and JSON of `make soak-rollout`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from seq2sum_serving.gates.quantile import MEDIAN, P99, quantile

from benchmarks.rollout.allowed_versions import (
    ASPIRED,
    LABELS,
    allowed_intervals,
    disallowed_answers,
    swaps,
    timestamp,
)
from benchmarks.rollout.calls import Call, Interval, calls_within, intervals_after
from benchmarks.rollout.scenario import SHUFFLED, ScenarioResult
from benchmarks.support.markdown import table
from benchmarks.support.output import Check, examples

SWAP_SECONDS = 2.0
"""Calls within this time after a change of versions or labels count as calls during a swap."""
MAX_P99_RATIO = 2.0
"""Allowed p99 during swaps relative to that before the first rollout."""
MAX_ROLLBACK_SECONDS = 1.0
FAILURES = ("failed", "rolled back")
"""Events of versions that were aborted or rolled back."""


@dataclass(frozen=True, slots=True)
class Second:
    """The calls that ended within one second."""

    second: int
    """Since the callers started."""
    by_version: dict[int, int]
    """Answered calls by version."""
    p50: float | None
    """Milliseconds, of all calls; None if there were none."""
    p99: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a scenario."""

    result: ScenarioResult
    failed: list[Call]
    disallowed: list[Call]
    """Calls that were answered by a version that may not answer at that moment."""
    before: list[Call]
    """Calls in the second half of the time before the first rollout, when servers are warm."""
    during: list[Call]
    """Calls in the seconds after each change."""

    @classmethod
    def of(cls, result: ScenarioResult) -> Report:
        """Evaluates a scenario."""
        calls = result.calls
        later = [event for event in result.events if timestamp(event) > result.start]
        first = timestamp(later[0]) if later else result.start
        changes = [timestamp(event) for event in later if event.kind in (LABELS, ASPIRED)]
        return cls(
            result,
            failed=[call for call in calls if call.error],
            disallowed=disallowed_answers(calls, allowed_intervals(result.events)),
            before=calls_within(calls, [Interval((result.start + first) / 2, first)]),
            during=calls_within(calls, intervals_after(changes, SWAP_SECONDS)),
        )

    @property
    def p99_ratio(self) -> float:
        """P99 during swaps relative to p99 before; infinite without calls."""
        if not self.before or not self.during:
            return float("inf")
        return p99(self.during) / p99(self.before)

    @property
    def swaps(self) -> int:
        """Number of times that all traffic moved to another version."""
        return len(swaps(self.result.events))

    @property
    def rollback_seconds(self) -> float:
        """Duration of the last rollback, as the command reports it."""
        rollbacks = [one for one in self.result.commands if one.command == "rollback"]
        found = rollbacks[-1].result.output.get("seconds") if rollbacks else None
        return float("inf") if found is None else float(found)

    def aborted(self) -> dict[int, str]:
        """Returns the reasons of the versions that a run aborted."""
        return {
            event.version: event.reason
            for event in self.result.events
            if event.kind in FAILURES and event.run and event.version is not None
        }

    def rolled_back(self) -> set[int]:
        """Returns the versions that an operator rolled back."""
        return {
            event.version
            for event in self.result.events
            if event.kind in FAILURES and not event.run and event.version is not None
        }

    def checks(self) -> list[Check]:
        """Returns the checks that must pass on any machine."""
        calls, commands = self.result.calls, self.result.commands
        options, wrong = self.result.options, [one for one in commands if not one.as_expected]
        bad = [version for version, name in self.result.names.items() if name == SHUFFLED]
        named = ", ".join(map(str, bad)) or "unknown"
        aborted = self.aborted()
        answered = {call.version for call in calls}
        return [
            (
                not self.failed and len(calls) >= options.calls,
                f"{len(self.failed):,} of {len(calls):,} calls failed"
                + examples(call.error for call in self.failed),
            ),
            (
                not self.disallowed,
                f"{len(self.disallowed):,} answers from a version that was not allowed"
                + examples(
                    f"version {call.version} at {call.start:.3f}" for call in self.disallowed
                ),
            ),
            (
                bool(commands) and not wrong,
                f"{len(commands) - len(wrong)} of {len(commands)} commands ended as expected"
                + examples(
                    f"{one.command}: {one.result.exit_code} {one.result.error}" for one in wrong
                ),
            ),
            (
                bool(bad) and all(v in aborted and v not in answered for v in bad),
                f"shuffled weights (version {named}) were aborted and answered no caller",
            ),
            (self.swaps >= options.swaps, f"{self.swaps} swaps (at least {options.swaps})"),
        ]

    def timing_checks(self) -> list[Check]:
        """Returns the checks that must pass on an otherwise idle machine."""
        during, before = (
            f"{p99(one):.1f} ms" if one else "unknown" for one in (self.during, self.before)
        )
        ratio = f"{self.p99_ratio:.2f}× (at most {MAX_P99_RATIO:g}×)"
        return [
            (
                self.p99_ratio <= MAX_P99_RATIO,
                f"p99 during swaps {during}, before {before}: {ratio}",
            ),
            (
                self.rollback_seconds < MAX_ROLLBACK_SECONDS,
                f"rollback took {self.rollback_seconds:.2f} s (below {MAX_ROLLBACK_SECONDS:g} s)",
            ),
        ]

    def seconds(self) -> list[Second]:
        """Returns the calls by second, without the last one, which is incomplete."""

        def second(call: Call) -> int:
            return int(call.end - self.result.start)

        by_second = {
            number: list(group)
            for number, group in groupby(sorted(self.result.calls, key=second), key=second)
        }
        return [
            summarize(number, by_second.get(number, []))
            for number in range(max(by_second, default=0))
        ]

    def to_json(self) -> dict[str, Any]:
        """Returns the results as JSON values."""
        result, checks = self.result, [*self.checks(), *self.timing_checks()]
        return {
            "command": f"make soak-rollout CALLS={result.options.calls}",
            "passed": all(ok for ok, _ in checks),
            "checks": [text for _, text in checks],
            "calls": len(result.calls),
            "failed": len(self.failed),
            "not_allowed": len(self.disallowed),
            "swaps": self.swaps,
            "p99_milliseconds_before": round(p99(self.before), 2) if self.before else None,
            "p99_milliseconds_during_swaps": round(p99(self.during), 2) if self.during else None,
            "p99_milliseconds_of_all": p99(result.calls) if result.calls else None,
            "calls_before": len(self.before),
            "calls_during_swaps": len(self.during),
            "rollback_seconds": self.rollback_seconds,
            "versions": {str(number): name for number, name in sorted(result.names.items())},
            "commands": [
                {
                    "command": one.command,
                    "exit_code": one.result.exit_code,
                    "seconds": round(one.result.seconds, 1),
                    "error": one.result.error,
                }
                for one in result.commands
            ],
            "labels": [
                {"second": round(timestamp(event) - result.start, 1), **event.details}
                for event in result.events
                if event.kind == LABELS
            ],
            "seconds": [
                [one.second, {str(k): n for k, n in one.by_version.items()}, one.p50, one.p99]
                for one in self.seconds()
            ],
        }


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


def versions_table(report: Report) -> str:
    """Returns a Markdown table with a row for each version."""
    outcomes = {
        version: f"aborted: {reason.partition(':')[0]}"
        for version, reason in report.aborted().items()
    }
    outcomes |= dict.fromkeys(report.rolled_back(), "rolled back by hand")

    def row(version: int, name: str) -> list[object]:
        calls = [call for call in report.result.calls if call.version == version]
        correct = f"{sum(call.correct for call in calls) / len(calls):.1%}" if calls else ""
        return [version, name, f"{len(calls):,}", correct, outcomes.get(version, "became stable")]

    heads = ("version", "name", "calls", "correct", "outcome")
    return table(heads, (row(*entry) for entry in sorted(report.result.names.items())))
