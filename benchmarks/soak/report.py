"""The checks, table and JSON of a soak."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from benchmarks.soak.call_counter import Count
from benchmarks.support.markdown import table
from benchmarks.support.output import Check
from benchmarks.support.process_stats import ProcessStats

MAX_SLOPE = 2.0
"""Allowed growth of memory in MB per minute: the noise of a run of ten minutes."""
FLOOR_SECONDS = 10.0
"""Length of the intervals of the memory floor: longer than any message stays in memory."""
MAX_THREAD_GROWTH = 4
"""Allowed growth between the two pauses without load: a spare thread, or a poller that was started
late. A leak grows with each of the more than a hundred swaps and dropped connections."""
MAX_FILE_DESCRIPTOR_GROWTH = 2
"""Allowed growth between the two pauses without load."""


@dataclass(frozen=True, slots=True)
class Soak:
    """All results of one soak."""

    minutes: float
    counts: Sequence[Count]
    examples: Sequence[str]
    samples: Sequence[ProcessStats]
    """Under load, one per second, after the warm-up."""
    before: ProcessStats
    """In the pause after the warm-up."""
    after: ProcessStats
    """In the pause at the end."""
    exit_code: int | None
    """Of the server, after SIGTERM."""

    @property
    def calls(self) -> int:
        """All calls and changes."""
        return sum(one.ok + one.failed for one in self.counts)

    @property
    def failed(self) -> int:
        """Failed calls and changes."""
        return sum(one.failed for one in self.counts)

    @property
    def floor(self) -> list[ProcessStats]:
        """The memory floor over time."""
        return floor(self.samples, seconds=FLOOR_SECONDS)

    @property
    def slope(self) -> float:
        """Growth of the memory floor in MB per minute."""
        return slope(self.floor)

    def checks(self) -> list[Check]:
        """Returns the checks that a soak must pass."""
        before, after = self.before, self.after
        files = before.file_descriptors, after.file_descriptors
        return [
            (self.failed == 0, f"{self.failed:,} of {self.calls:,} calls and changes failed"),
            (
                self.slope <= MAX_SLOPE,
                f"memory floor under load: {self.slope:+.2f} MB/min (at most {MAX_SLOPE:+})",
            ),
            (
                after.threads <= before.threads + MAX_THREAD_GROWTH,
                f"threads without load: {before.threads} before, {after.threads} after",
            ),
            (
                files[1] <= files[0] + MAX_FILE_DESCRIPTOR_GROWTH,
                f"file descriptors without load: {files[0]} before, {files[1]} after",
            ),
            (self.exit_code == 0, f"the server exited with {self.exit_code}"),
        ]

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return all(ok for ok, _ in self.checks())

    def to_json(self) -> dict[str, Any]:
        """Returns the results as JSON values; every tenth sample is enough to show a trend."""
        return {
            "command": f"make soak MINUTES={self.minutes:g}",
            "minutes": self.minutes,
            "passed": self.passed,
            "checks": [text for _, text in self.checks()],
            "calls": [asdict(one) for one in self.counts],
            "failures": list(self.examples),
            "memory_slope_mb_per_minute": round(self.slope, 3),
            "before": asdict(self.before),
            "after": asdict(self.after),
            "samples": [asdict(sample) for sample in self.samples[::10]],
        }


def floor(samples: Sequence[ProcessStats], *, seconds: float) -> list[ProcessStats]:
    """Returns each interval's sample with the least memory, which excludes transient messages."""
    intervals = groupby(samples, key=lambda sample: int(sample.second // seconds))
    return [min(interval, key=lambda sample: sample.resident) for _, interval in intervals]


def slope(samples: Sequence[ProcessStats]) -> float:
    """Returns the growth of memory in MB per minute, by least squares."""
    minutes = [sample.second / 60 for sample in samples]
    return statistics.linear_regression(minutes, [sample.resident for sample in samples]).slope


def calls_table(soak: Soak) -> str:
    """Returns a Markdown table with a row for each kind of call."""
    rows = ((one.kind, f"{one.ok:,}", f"{one.failed:,}") for one in soak.counts)
    return table(("kind", "ok", "failed"), rows)
