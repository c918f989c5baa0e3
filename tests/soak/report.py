"""What a soak found: verdicts, a table, JSON, and a drawing."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from matplotlib.figure import Figure
from seq2sum_training.pictures import COLOURS, drawn
from soak.ledger import Entry
from soak.vitals import Vitals, floor, slope

MOST_SLOPE = 2.0
"""MB a minute that memory may seem to grow: what a run of ten minutes cannot tell from none."""
FLOOR_SECONDS = 10.0
"""Longer than any one message is in memory."""
MOST_THREADS = 4
MOST_HANDLES = 2
"""More at rest at the end than at rest before: a spare thread or a poller that came into use.
What leaks does so with every swap or every dropped connection, a hundred times and more."""


@dataclass(frozen=True, slots=True)
class Soak:
    """All that one soak has found."""

    minutes: float
    entries: Sequence[Entry]
    examples: Sequence[str]
    samples: Sequence[Vitals]
    """Under load, a look a second, after the warm-up."""
    before: Vitals
    """At rest, after the warm-up."""
    after: Vitals
    """At rest, at the end."""
    exit_code: int | None
    """Of the server, after SIGTERM."""

    @property
    def calls(self) -> int:
        return sum(entry.fine + entry.wrong for entry in self.entries)

    @property
    def wrong(self) -> int:
        return sum(entry.wrong for entry in self.entries)

    @property
    def slope(self) -> float:
        """MB a minute, of the floor of each few seconds."""
        return slope(self.floor)

    @property
    def floor(self) -> list[Vitals]:
        return floor(self.samples, seconds=FLOOR_SECONDS)

    def verdicts(self) -> list[tuple[bool, str]]:
        """What a soak must show, and whether it did."""
        threads = self.before.threads, self.after.threads
        handles = self.before.handles, self.after.handles
        return [
            (self.wrong == 0, f"{self.wrong:,} of {self.calls:,} calls and changes went wrong"),
            (
                self.slope <= MOST_SLOPE,
                f"floor of memory under load: {self.slope:+.2f} MB/min (at most {MOST_SLOPE:+})",
            ),
            (
                threads[1] <= threads[0] + MOST_THREADS,
                f"threads at rest: {threads[0]} before, {threads[1]} after",
            ),
            (
                handles[1] <= handles[0] + MOST_HANDLES,
                f"file handles at rest: {handles[0]} before, {handles[1]} after",
            ),
            (self.exit_code == 0, f"the server ended with exit code {self.exit_code}"),
        ]

    @property
    def passed(self) -> bool:
        return all(good for good, _ in self.verdicts())

    def row(self) -> dict[str, Any]:
        """Ready for JSON; every tenth sample is enough to see a trend."""
        return {
            "command": f"make soak MINUTES={self.minutes:g}",
            "minutes": self.minutes,
            "passed": self.passed,
            "verdicts": [text for _, text in self.verdicts()],
            "calls": [asdict(entry) for entry in self.entries],
            "wrong": list(self.examples),
            "memory_slope_mb_per_minute": round(self.slope, 3),
            "before": asdict(self.before),
            "after": asdict(self.after),
            "samples": [asdict(sample) for sample in self.samples[::10]],
        }


def table(soak: Soak) -> str:
    """A Markdown table, a row for each kind of call."""
    lines = ["| kind | fine | wrong |", "|---|---|---|"]
    lines += [f"| {one.kind} | {one.fine:,} | {one.wrong:,} |" for one in soak.entries]
    return "\n".join(lines)


@drawn
def picture(soak: Soak) -> Figure:
    """Memory, threads and file handles of the server over time."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    memory, counts = figure.subplots(1, 2)
    minutes = [sample.second / 60 for sample in soak.samples]
    resident = [sample.resident for sample in soak.samples]
    memory.plot(minutes, resident, color=COLOURS[0], linewidth=1)
    middle = statistics.mean(one.second / 60 for one in soak.floor)
    level = statistics.mean(one.resident for one in soak.floor)
    ends = minutes[0], minutes[-1]
    trend = [level + soak.slope * (end - middle) for end in ends]
    memory.plot(ends, trend, "--", color=COLOURS[1], label=f"its floor: {soak.slope:+.2f} MB/min")
    memory.set(title="The server's own memory, MB", xlabel="minutes")
    memory.set_ylim(0, 1.15 * max(resident))
    memory.legend(frameon=False, fontsize=8, loc="lower right")
    for name, colour in (("threads", COLOURS[0]), ("handles", COLOURS[1])):
        counts.plot(
            minutes,
            [getattr(sample, name) for sample in soak.samples],
            color=colour,
            linewidth=1,
            label={"threads": "threads", "handles": "file handles"}[name],
        )
    counts.set(title="Threads and file handles", xlabel="minutes")
    counts.set_ylim(0)
    counts.legend(frameon=False, fontsize=8, loc="lower right")
    for axes in (memory, counts):
        axes.tick_params(labelsize=8)
        axes.grid(axis="both", alpha=0.2)
    return figure
