"""What a story shows: verdicts, a table, and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rollouts import spans
from rollouts.allowed import ASPIRED, LABELS, allowed, moment, strays, swaps
from rollouts.ledger import Call
from rollouts.spans import Span
from rollouts.story import SHUFFLED, Story
from seq2sum_serving.rollout.gates.quantile import MEDIAN, P99, quantile

SWAP_SECONDS = 2.0
"""After versions or labels are changed: calls in it count as during a swap."""
MOST_TIMES = 2.0
"""How many times the p99 of before it may be during swaps."""
ROLLBACK_SECONDS = 1.0
FAILURES = ("failed", "rolled back")
"""Events that say that a version was taken back."""
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Second:
    """The calls that ended within a second."""

    second: int
    """Since the callers began."""
    by_version: dict[int, int]
    """How many, of those that were answered."""
    p50: float | None
    """Milliseconds, of all of them; None if there were none."""
    p99: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a story shows."""

    story: Story
    failed: list[Call]
    """Calls without an answer."""
    strays: list[Call]
    """Calls answered by a version that was not allowed to."""
    before: list[Call]
    """Of the time before the first rollout the second half: servers are warm by then."""
    during: list[Call]
    """Those in the seconds after each change."""

    @classmethod
    def of(cls, story: Story) -> Report:
        """Judges a story."""
        calls = story.calls
        later = [event for event in story.events if moment(event) > story.began]
        first = moment(later[0]) if later else story.began
        changes = [moment(event) for event in later if event.what in (LABELS, ASPIRED)]
        return cls(
            story,
            failed=[call for call in calls if call.error],
            strays=strays(calls, allowed(story.events)),
            before=spans.within(calls, [Span((story.began + first) / 2, first)]),
            during=spans.within(calls, spans.after(changes, SWAP_SECONDS)),
        )

    @property
    def times(self) -> float:
        """P99 during swaps over p99 before; without calls, as bad as can be."""
        if not self.before or not self.during:
            return float("inf")
        return p99(self.during) / p99(self.before)

    @property
    def swaps(self) -> int:
        """How often all of the traffic went to another version."""
        return len(swaps(self.story.events))

    @property
    def rollback_seconds(self) -> float:
        """What the last rollback took, by its own count."""
        rollbacks = [one for one in self.story.chapters if one.verb == "rollback"]
        found = rollbacks[-1].ended.answer.get("seconds") if rollbacks else None
        return float("inf") if found is None else float(found)

    def taken_back(self) -> dict[int, str]:
        """By version, why its run took it back."""
        return {
            event.version: event.why
            for event in self.story.events
            if event.what in FAILURES and event.run and event.version is not None
        }

    def by_hand(self) -> set[int]:
        """Versions that an operator took back."""
        return {
            event.version
            for event in self.story.events
            if event.what in FAILURES and not event.run and event.version is not None
        }

    def verdicts(self) -> list[tuple[bool, str]]:
        """What has to hold on any machine, and whether it did."""
        calls, chapters = self.story.calls, self.story.chapters
        tempo, wrong = self.story.tempo, [one for one in chapters if not one.as_expected]
        bad = [version for version, name in self.story.names.items() if name == SHUFFLED]
        named = ", ".join(map(str, bad)) or "unknown"
        back = self.taken_back()
        met = {call.version for call in calls}
        return [
            (
                not self.failed and len(calls) >= tempo.calls,
                f"{len(self.failed):,} of {len(calls):,} calls failed"
                + told(call.error for call in self.failed),
            ),
            (
                not self.strays,
                f"{len(self.strays):,} answers from a version that was not allowed to"
                + told(f"version {call.version} at {call.begin:.3f}" for call in self.strays),
            ),
            (
                bool(chapters) and not wrong,
                f"{len(chapters) - len(wrong)} of {len(chapters)} commands ended as they should"
                + told(f"{one.verb}: {one.ended.code} {one.ended.message}" for one in wrong),
            ),
            (
                bool(bad) and all(version in back and version not in met for version in bad),
                f"shuffled weights (version {named}) were taken back, and no caller met them",
            ),
            (self.swaps >= tempo.swaps, f"{self.swaps} swaps (at least {tempo.swaps})"),
        ]

    def figures(self) -> list[tuple[bool, str]]:
        """What should hold on a machine that does nothing else, and whether it did."""
        during, before = (
            f"{p99(one):.1f} ms" if one else "unknown" for one in (self.during, self.before)
        )
        more = f"{self.times:.2f} times, at most {MOST_TIMES:g}"
        return [
            (self.times <= MOST_TIMES, f"p99 during swaps {during}, before {before}: {more}"),
            (
                self.rollback_seconds < ROLLBACK_SECONDS,
                f"rollback took {self.rollback_seconds:.2f} s (less than {ROLLBACK_SECONDS:g})",
            ),
        ]

    def seconds(self) -> list[Second]:
        """Second by second, without the last one: it is cut short."""

        def second(call: Call) -> int:
            return int(call.end - self.story.began)

        by_second = {
            number: list(group)
            for number, group in groupby(sorted(self.story.calls, key=second), key=second)
        }
        return [
            seen(number, by_second.get(number, [])) for number in range(max(by_second, default=0))
        ]

    def row(self) -> dict[str, Any]:
        """Ready for JSON."""
        story, began = self.story, self.story.began
        return {
            "command": f"make soak-rollout CALLS={story.tempo.calls}",
            "passed": all(good for good, _ in [*self.verdicts(), *self.figures()]),
            "verdicts": [text for _, text in [*self.verdicts(), *self.figures()]],
            "calls": len(story.calls),
            "failed": len(self.failed),
            "not_allowed": len(self.strays),
            "swaps": self.swaps,
            "p99_milliseconds_before": round(p99(self.before), 2) if self.before else None,
            "p99_milliseconds_during_swaps": round(p99(self.during), 2) if self.during else None,
            "p99_milliseconds_of_all": p99(story.calls) if story.calls else None,
            "calls_before": len(self.before),
            "calls_during_swaps": len(self.during),
            "rollback_seconds": self.rollback_seconds,
            "versions": {str(number): name for number, name in sorted(story.names.items())},
            "commands": [
                {
                    "command": one.verb,
                    "exit": one.ended.code,
                    "seconds": round(one.ended.seconds, 1),
                    "message": one.ended.message,
                }
                for one in story.chapters
            ],
            "labels": [
                {"second": round(moment(event) - began, 1), **event.figures}
                for event in story.events
                if event.what == LABELS
            ],
            "seconds": [
                [one.second, {str(k): n for k, n in one.by_version.items()}, one.p50, one.p99]
                for one in self.seconds()
            ],
        }


def seen(number: int, calls: Sequence[Call]) -> Second:
    """What a second had."""
    answered = Counter(call.version for call in calls if call.version is not None)
    times = (p50(calls), p99(calls)) if calls else (None, None)
    return Second(number, dict(sorted(answered.items())), *times)


def p50(calls: Iterable[Call]) -> float:
    """The median, in milliseconds."""
    return round(1000 * quantile([call.seconds for call in calls], MEDIAN), 2)


def p99(calls: Iterable[Call]) -> float:
    """The 99th percentile, in milliseconds."""
    return round(1000 * quantile([call.seconds for call in calls], P99), 2)


def told(examples: Iterable[str]) -> str:
    """The first few, to be put behind a sentence."""
    first = list(examples)[:EXAMPLES]
    return f" ({'; '.join(first)})" if first else ""


def table(report: Report) -> str:
    """A Markdown table, a row for each version."""
    story = report.story
    fates = {
        version: f"taken back: {why.partition(':')[0]}"
        for version, why in report.taken_back().items()
    }
    fates |= dict.fromkeys(report.by_hand(), "rolled back by hand")
    lines = ["| version | what | calls | right | fate |", "|---|---|---|---|---|"]
    for version, name in sorted(story.names.items()):
        calls = [call for call in story.calls if call.version == version]
        right = f"{sum(call.right for call in calls) / len(calls):.1%}" if calls else ""
        fate = fates.get(version, "became stable")
        lines.append(f"| {version} | {name} | {len(calls):,} | {right} | {fate} |")
    return "\n".join(lines)
