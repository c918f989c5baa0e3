"""The history of a run: a row for each block of steps, on disk as it happens."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is after a block of steps."""

    step: int
    """Steps done."""
    loss: float
    """Mean cross-entropy per character over the block, nats."""
    exact: float
    """Share of the probe's questions that the averaged weights answer right, 0 to 1."""
    questions_per_second: float
    """Training questions per second of wall time in this block."""


def append(path: Path, progress: Progress) -> None:
    """Adds a row to a CSV file, and the header to a new one."""
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Progress)])
        if fresh:
            writer.writeheader()
        writer.writerow(asdict(progress))
