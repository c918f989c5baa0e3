"""Loads, targets and table of `make bench-server`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.support.markdown import table
from benchmarks.support.output import Target

LOADS = ((1, 1), (1, 64), (32, 8), (512, 8), (4096, 4))
"""Questions per call, concurrent calls."""
GRPCIO, NATIVE = FRONTS = ("grpcio", "native")
OTHER = "other"
"""The server of SEQ2SUM_SERVER_COMMAND."""
COLUMNS = (
    "recipe", "batching", "questions × callers", "server", "questions/s", "vs. grpcio", "p50, ms",
    "p99, ms", "CPU per question, µs",
)  # fmt: skip
TARGETS = {(1, 1): 2.0, (1, 64): 3.0, (32, 8): 2.0, (512, 8): 1.4, (4096, 4): 1.4}
"""Smallest ratio of the native server to grpcio's, by load, for `default`."""
BATCHING_TARGET = 9.0
"""The same for single questions of 64 callers with batching."""


class Row(NamedTuple):
    """One server under one load."""

    recipe: str
    server: str
    batching: bool
    rows: int
    """Questions per call."""
    callers: int
    """Concurrent calls."""
    questions_per_second: float
    p50_milliseconds: float
    """Median latency of a call."""
    p99_milliseconds: float
    cpu_microseconds: float
    """Per question, of the server's process."""

    @property
    def load(self) -> tuple[int, int]:
        """Questions per call, concurrent calls."""
        return self.rows, self.callers


def load_name(load: tuple[int, int]) -> str:
    """Formats a load for tables: `32 × 8`."""
    return f"{load[0]:,} × {load[1]}"


def ratio(rows: Sequence[Row], row: Row) -> float:
    """Returns the throughput of a row relative to grpcio's server."""
    [base] = (
        each.questions_per_second
        for each in rows
        if (each.recipe, each.batching, each.load, each.server)
        == (row.recipe, row.batching, row.load, GRPCIO)
    )
    return row.questions_per_second / base


def targets(rows: Sequence[Row]) -> list[Target]:
    """Returns the targets of the native server with `default`."""
    found = []
    for row in rows:
        if row.server != NATIVE or row.recipe != "default":
            continue
        name = f"default, {load_name(row.load)}, native against grpcio"
        if not row.batching:
            found.append(Target(name, ratio(rows, row), TARGETS[row.load]))
        elif row.load == (1, 64):
            found.append(Target(f"{name}, batching", ratio(rows, row), BATCHING_TARGET))
    return found


def rows_table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table with a row for each server and load."""

    def cells(row: Row) -> list[str]:
        return [
            row.recipe,
            "yes" if row.batching else "no",
            load_name(row.load),
            row.server,
            f"{row.questions_per_second:,.0f}",
            f"{ratio(rows, row):.2f}",
            f"{row.p50_milliseconds:.2f}",
            f"{row.p99_milliseconds:.2f}",
            f"{row.cpu_microseconds:,.1f}",
        ]

    order = sorted(rows, key=lambda row: (row.recipe, row.batching, row.load, row.server))
    return table(COLUMNS, map(cells, order))
