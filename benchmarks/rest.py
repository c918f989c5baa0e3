"""Measures the REST API of the embedded server against its gRPC API: `make bench-rest`.

h2load sends the same questions over HTTP/1.1 and over gRPC to one server, in turns, so that other
load on the machine affects both alike. The best round of each counts.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from support import servers

from benchmarks.load.requests import encode, json_body, questions
from benchmarks.support import h2load
from benchmarks.support.machine import machine
from benchmarks.support.markdown import table
from benchmarks.support.output import argument_parser, log, write_json
from benchmarks.support.process_stats import cpu_seconds
from benchmarks.support.trials import export_recipes

RECIPES = ("default", "fast")
MODEL = "seq2sum"
LOADS = ((1, 1), (1, 16), (32, 8), (512, 4))
"""Questions per call, concurrent calls."""
REST, GRPC = APIS = ("REST", "gRPC")
COLUMNS = (
    "recipe", "questions × callers", "API", "calls/s", "p50, ms", "p99, ms", "CPU per call, µs",
)  # fmt: skip


class Row(NamedTuple):
    """One API under one load."""

    recipe: str
    rows: int
    """Questions per call."""
    callers: int
    """Concurrent calls."""
    api: str
    calls_per_second: float
    p50_milliseconds: float
    """Median latency of a call."""
    p99_milliseconds: float
    cpu_microseconds: float
    """Per call, of the server's process."""


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="per API, load and round")
    options = parser.parse_args()
    h2load.check_installed()
    described = machine()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for recipe, base in export_recipes(RECIPES, options.runs).items():
            server = servers.Server.launch(base, Path(folder), rest=True)
            try:
                server.wait_until_open()
                rows += measure(
                    recipe, server, Path(folder), rounds=options.rounds, seconds=options.seconds
                )
            finally:
                server.stop()
    result = {
        "command": "make bench-rest",
        "machine": described,
        "rounds": options.rounds,
        "rows": [row._asdict() for row in rows],
    }
    write_json(options.out / "rest.json", result)
    print(table(COLUMNS, map(cells, rows)))
    return 0


def measure(
    recipe: str, server: servers.Server, folder: Path, *, rounds: int, seconds: float
) -> list[Row]:
    """Measures both APIs in turns under each load; returns the best round of each."""
    best: dict[tuple[int, int, str], Row] = {}
    for number in range(rounds):
        for rows, callers in LOADS:
            log(f"{recipe}, round {number + 1}: {rows} × {callers}")
            for api in APIS:
                before = cpu_seconds(server.process.pid)
                if api == REST:
                    load = h2load.measure_rest(
                        server.rest_port,
                        f"/v1/models/{MODEL}:predict",
                        json_body(questions(rows, 0)),
                        callers=callers,
                        folder=folder,
                        seconds=seconds,
                    )
                else:
                    message = encode(MODEL, questions(rows, 0))
                    load = h2load.measure(
                        server.port, message, callers=callers, folder=folder, seconds=seconds
                    )
                assert not load.failed, load
                cpu = 1e6 * (cpu_seconds(server.process.pid) - before) / load.calls
                row = Row(
                    recipe, rows, callers, api, load.calls_per_second,
                    1e3 * load.p50_seconds, 1e3 * load.p99_seconds, cpu,
                )  # fmt: skip
                key = rows, callers, api
                if key not in best or row.calls_per_second > best[key].calls_per_second:
                    best[key] = row
    return list(best.values())


def cells(row: Row) -> list[str]:
    """Formats a row for the table."""
    return [
        row.recipe,
        f"{row.rows:,} × {row.callers}",
        row.api,
        f"{row.calls_per_second:,.0f}",
        f"{row.p50_milliseconds:.2f}",
        f"{row.p99_milliseconds:.2f}",
        f"{row.cpu_microseconds:,.0f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
