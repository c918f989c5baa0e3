"""The checks, table and JSON of `make soak-rollout`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from seq2sum_serving.deployment.event_log import EventKind

from benchmarks.rollout.allowed_versions import (
    LABELS,
    WITHDRAWN,
    allowed,
    disallowed_answers,
    timestamp,
)
from benchmarks.rollout.calls import Call, Interval, calls_within, intervals_after
from benchmarks.rollout.measures import Rollback, Share, p99, rollbacks, seconds, shares
from benchmarks.rollout.operations import SHUFFLED, SLOW, TRUNCATED
from benchmarks.rollout.scenario import ScenarioResult
from benchmarks.support.markdown import table
from benchmarks.support.output import Check, examples

CHANGES = (LABELS, EventKind.VERSIONS_SET, EventKind.WEIGHTS_SET)
"""Events that change what callers get."""
CHANGE_SECONDS = 2.0
"""Calls within this time after a change count as calls during a change."""
MAX_P99_RATIO = 2.0
"""Allowed p99 during changes relative to that before the first rollout."""
MAX_ROLLBACK_SECONDS = 1.0
"""From the decision to roll back to the end of the last call on the version: one poll."""
FAULTY = (SHUFFLED, TRUNCATED, SLOW)
"""Names of versions that no caller may reach."""


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a scenario."""

    result: ScenarioResult
    failed: list[Call]
    disallowed: list[Call]
    """Calls that were answered by a version that may not answer there and then."""
    wrong: list[Call]
    """Calls that got a wrong answer."""
    before: list[Call]
    """Calls in the second half of the time before the first rollout, when servers are warm."""
    during: list[Call]
    """Calls in the seconds after each change."""
    shares: list[Share]
    rollbacks: list[Rollback]

    @classmethod
    def of(cls, result: ScenarioResult) -> Report:
        """Evaluates a scenario."""
        calls, events = result.calls, result.events
        later = [timestamp(event) for event in events if timestamp(event) > result.start]
        first = later[0] if later else result.start
        changes = [timestamp(event) for event in events if event.kind in CHANGES]
        commands = [command.result for command in result.commands]
        return cls(
            result,
            failed=[call for call in calls if call.error],
            disallowed=disallowed_answers(calls, allowed(events, commands)),
            wrong=[call for call in calls if not call.error and not call.correct],
            before=calls_within(calls, [Interval((result.start + first) / 2, first)]),
            during=calls_within(
                calls,
                intervals_after((each for each in changes if each >= first), CHANGE_SECONDS),
            ),
            shares=shares(result.steps),
            rollbacks=rollbacks(result.commands, events, calls),
        )

    @property
    def p99_ratio(self) -> float:
        """P99 during changes relative to p99 before; infinite without calls."""
        if not self.before or not self.during:
            return float("inf")
        return p99(self.during) / p99(self.before)

    @property
    def promoted(self) -> list[int]:
        """The versions that became stable, the first one included."""
        events = (event for event in self.result.events if event.kind == EventKind.PROMOTED)
        return list(dict.fromkeys(event.version for event in events if event.version is not None))

    @property
    def kills(self) -> int:
        """The number of times that the operator's command was killed."""
        return sum(command.result.killed for command in self.result.commands)

    def by_caller(self) -> dict[str, int]:
        """Returns the number of calls by the kind of caller."""
        return dict(sorted(Counter(call.caller for call in self.result.calls).items()))

    def checks(self) -> list[Check]:
        """Returns the checks that must pass on any machine."""
        calls, commands = self.result.calls, self.result.commands
        options, unexpected = self.result.options, [one for one in commands if not one.as_expected]
        faulty = {version for version, name in self.result.names.items() if name in FAULTY}
        reached = [call for call in calls if call.version in faulty]
        return [
            (
                not self.failed and len(calls) >= options.calls,
                f"{len(self.failed):,} of {len(calls):,} calls failed"
                + examples(f"{call.caller}: {call.error}" for call in self.failed),
            ),
            (
                not self.disallowed,
                f"{len(self.disallowed):,} answers from a version that was not allowed"
                + examples(
                    f"{call.caller}: version {call.version} at {call.start:.3f}"
                    for call in self.disallowed
                ),
            ),
            (
                not self.wrong,
                f"{len(self.wrong):,} answers were wrong"
                + examples(f"{call.caller}: version {call.version}" for call in self.wrong),
            ),
            (
                bool(commands) and not unexpected,
                f"{len(commands) - len(unexpected)} of {len(commands)} commands ended as expected, "
                f"{self.kills} of them killed"
                + examples(
                    f"{one.command}: {one.result.exit_code} {one.result.error}"
                    for one in unexpected
                ),
            ),
            (
                bool(faulty) and not reached,
                f"{len(faulty)} faulty versions answered {len(reached):,} calls",
            ),
            (
                bool(self.shares) and all(share.passed for share in self.shares),
                f"shares at Envoy: {'; '.join(map(str, self.shares))}",
            ),
            (
                len(self.promoted) >= options.runs,
                f"{len(self.promoted)} versions became stable (at least {options.runs})",
            ),
        ]

    def timing_checks(self) -> list[Check]:
        """Returns the checks that must pass on an otherwise idle machine."""
        during, before = (
            f"{p99(one):.1f} ms" if one else "unknown" for one in (self.during, self.before)
        )
        ratio = f"{self.p99_ratio:.2f}× (at most {MAX_P99_RATIO:g}×)"
        slowest = max((one.after_event for one in self.rollbacks), default=float("inf"))
        last = f"last call on a version {slowest:.2f} s after the decision to roll it back"
        return [
            (
                self.p99_ratio <= MAX_P99_RATIO,
                f"p99 during changes {during}, before {before}: {ratio}",
            ),
            (
                slowest < MAX_ROLLBACK_SECONDS,
                f"{last} (below {MAX_ROLLBACK_SECONDS:g} s)",
            ),
        ]

    def to_json(self) -> dict[str, Any]:
        """Returns the results as JSON values."""
        result, checks = self.result, [*self.checks(), *self.timing_checks()]
        return {
            "command": f"make soak-rollout CALLS={result.options.calls}",
            "passed": all(ok for ok, _ in checks),
            "checks": [text for _, text in checks],
            "calls": len(result.calls),
            "calls_by_caller": self.by_caller(),
            "failed": len(self.failed),
            "not_allowed": len(self.disallowed),
            "wrong": len(self.wrong),
            "promoted": self.promoted,
            "commands_killed": self.kills,
            "shares": [
                {**asdict(share), "measured": round(share.measured, 2)} for share in self.shares
            ],
            "rollbacks": [_rounded(asdict(rollback)) for rollback in self.rollbacks],
            "p99_milliseconds_before": p99(self.before) if self.before else None,
            "p99_milliseconds_during_changes": p99(self.during) if self.during else None,
            "p99_milliseconds_of_all": p99(result.calls) if result.calls else None,
            "calls_before": len(self.before),
            "calls_during_changes": len(self.during),
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
            "changes": [
                {"second": round(timestamp(event) - result.start, 1), event.kind: event.details}
                for event in result.events
                if event.kind in CHANGES
            ],
            "seconds": [
                [one.second, {str(k): n for k, n in one.by_version.items()}, one.p50, one.p99]
                for one in seconds(result.calls, result.start)
            ],
        }


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in values.items()
    }


def versions_table(report: Report) -> str:
    """Returns a Markdown table with a row for each version."""
    outcomes: dict[int | None, str] = {}
    for event in report.result.events:
        if event.kind == EventKind.PROMOTED:
            outcomes[event.version] = "became stable"
        elif event.kind in WITHDRAWN:
            outcome = f"{event.kind} by the run: {event.reason.partition(':')[0]}"
            outcomes[event.version] = outcome if event.run else "rolled back by hand"

    def row(version: int, name: str) -> list[object]:
        calls = sum(call.version == version for call in report.result.calls)
        return [version, name, f"{calls:,}", outcomes.get(version, "")]

    heads = ("version", "name", "calls", "outcome")
    return table(heads, (row(*entry) for entry in sorted(report.result.names.items())))
